//! The interpreter: statements.

mod calls;
mod expr;
mod globals;
mod loops;
pub(crate) mod scope;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{Expr, Stmt, StmtKind, Target};
use crate::budget::Meter;
use crate::clock::LocalTime;
use crate::error::{Result, runtime, unsupported};
use crate::iterate;
use crate::print;
use crate::text::{Origin, StrBuf};
use crate::value::{Dict, Macro, Namespace, Value};
use scope::Frame;

/// How a list of statements ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Normal,
    Break,
    Continue,
}

/// One run of a template.
pub(crate) struct Interp<'r> {
    meter: &'r Meter<'r>,
    context: HashMap<String, Value>,
    clock: Option<LocalTime>,
    root: Rc<Frame>,
    /// The text that a filter block filters, innermost last.
    block_text: RefCell<Vec<Value>>,
    /// What may stand in a cycle of references; emptied when the run ends.
    namespaces: RefCell<Vec<Rc<Namespace>>>,
    captured: RefCell<Vec<Rc<Frame>>>,
}

impl Drop for Interp<'_> {
    fn drop(&mut self) {
        let namespaces = self.namespaces.take();
        for namespace in &namespaces {
            let _before = namespace.attributes.replace(Rc::new(Dict::empty()));
        }
        let captured = self.captured.take();
        for frame in &captured {
            frame.clear();
        }
    }
}

impl<'r> Interp<'r> {
    pub(crate) fn new(meter: &'r Meter<'r>, context: HashMap<String, Value>, clock: Option<LocalTime>) -> Result<Self> {
        Ok(Self {
            meter,
            context,
            clock,
            root: Frame::root(meter)?,
            block_text: RefCell::default(),
            namespaces: RefCell::default(),
            captured: RefCell::default(),
        })
    }

    pub(crate) fn meter(&self) -> &'r Meter<'r> {
        self.meter
    }

    /// Runs a template.
    pub(crate) fn run(&self, body: &[Stmt], out: &mut StrBuf<'_, '_>) -> Result<()> {
        let root = Rc::clone(&self.root);
        // A macro may be defined here, and refer to this scope.
        self.capture(&root)?;
        self.body(body, &root, out)?;
        Ok(())
    }

    /// Notes a frame that a macro refers to.
    pub(crate) fn capture(&self, frame: &Rc<Frame>) -> Result<()> {
        self.meter.work(16)?;
        self.captured.borrow_mut().push(Rc::clone(frame));
        Ok(())
    }

    pub(crate) fn body(&self, body: &[Stmt], frame: &Rc<Frame>, out: &mut StrBuf<'_, '_>) -> Result<Flow> {
        for statement in body {
            let line = statement.line as usize;
            self.meter.enter().map_err(|error| error.at(line))?;
            let flow = self.statement(&statement.kind, frame, out).map_err(|error| error.at(line))?;
            self.meter.leave();
            if flow != Flow::Normal {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    fn statement(&self, kind: &StmtKind, frame: &Rc<Frame>, out: &mut StrBuf<'_, '_>) -> Result<Flow> {
        match kind {
            StmtKind::Data(text) => {
                out.push_str(text, Origin::Template)?;
                self.meter.check_output(out.len())?;
            }
            StmtKind::Print(value) => {
                print::push_str(&self.eval(value, frame)?, out)?;
                self.meter.check_output(out.len())?;
            }
            StmtKind::For(this) => return self.for_loop(this, frame, out),
            StmtKind::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.eval(test, frame)?.is_true() {
                        return self.body(body, frame, out);
                    }
                }
                return self.body(otherwise, frame, out);
            }
            StmtKind::Set(target, value) => {
                let value = self.eval(value, frame)?;
                self.assign(target, value, frame)?;
            }
            StmtKind::SetBlock(target, filter, body) => return self.set_block(target, filter.as_ref(), body, frame),
            StmtKind::Macro(name, body) => {
                self.capture(frame)?;
                let this = Macro { name: Some((**name).into()), body: Arc::clone(body), frame: Rc::clone(frame) };
                frame.set(name, Value::Macro(Rc::new(this)));
            }
            StmtKind::CallBlock(call, body) => {
                let value = self.call_block(call, body, frame)?;
                print::push_str(&value, out)?;
                self.meter.check_output(out.len())?;
            }
            StmtKind::FilterBlock(filter, body) => {
                let (text, flow) = self.captured_text(body, frame)?;
                let filtered = self.filtered(text, filter, frame)?;
                out.push(filtered.string()?)?;
                return Ok(flow);
            }
            StmtKind::With(values, body) => {
                let inner = Frame::inside(frame, self.meter)?;
                let values = values.iter().map(|(target, value)| Ok((target, self.eval(value, frame)?)));
                for (target, value) in values.collect::<Result<Vec<_>>>()? {
                    self.assign(target, value, &inner)?;
                }
                return self.body(body, &inner, out);
            }
            StmtKind::Block { required: true, .. } => return Err(runtime("Required block not found")),
            StmtKind::Block { body, scoped, .. } => {
                let inner = Frame::inside(if *scoped { frame } else { &self.root }, self.meter)?;
                return self.body(body, &inner, out);
            }
            StmtKind::Generation(body) => {
                let inner = Frame::inside(frame, self.meter)?;
                return self.body(body, &inner, out);
            }
            StmtKind::Autoescape(on, body) => {
                if self.eval(on, frame)?.is_true() {
                    return Err(unsupported("automatic escaping is not supported"));
                }
                let inner = Frame::inside(frame, self.meter)?;
                return self.body(body, &inner, out);
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::NeedsLoader => return Err(runtime("no loader for this environment specified")),
        }
        Ok(Flow::Normal)
    }

    /// What a body writes, as a value.
    fn captured_text(&self, body: &[Stmt], frame: &Rc<Frame>) -> Result<(Value, Flow)> {
        let inner = Frame::inside(frame, self.meter)?;
        let mut out = StrBuf::new(self.meter)?;
        let flow = self.body(body, &inner, &mut out)?;
        Ok((Value::Str(out.finish()), flow))
    }

    fn set_block(&self, target: &Target, filter: Option<&Expr>, body: &[Stmt], frame: &Rc<Frame>) -> Result<Flow> {
        let (mut value, flow) = self.captured_text(body, frame)?;
        if let Some(filter) = filter {
            value = self.filtered(value, filter, frame)?;
        }
        self.assign(target, value, frame)?;
        Ok(flow)
    }

    fn filtered(&self, text: Value, filter: &Expr, frame: &Rc<Frame>) -> Result<Value> {
        self.block_text.borrow_mut().push(text);
        let value = self.eval(filter, frame);
        self.block_text.borrow_mut().pop();
        value
    }

    /// Gives a value to names or attributes of namespaces.
    pub(crate) fn assign(&self, target: &Target, value: Value, frame: &Rc<Frame>) -> Result<()> {
        match target {
            Target::Name(name) => {
                frame.set(name, value);
                Ok(())
            }
            Target::Attribute(name, attribute) => {
                let Some(Value::Namespace(namespace)) = self.lookup(name, frame) else {
                    return Err(runtime("cannot assign attribute on non-namespace object"));
                };
                self.set_attribute(&namespace, attribute, value)
            }
            Target::Tuple(targets) => {
                let values = iterate::list(&value, self.meter)?;
                if values.len() != targets.len() {
                    let problem = if values.len() < targets.len() { "not enough" } else { "too many" };
                    return Err(runtime(format!("{problem} values to unpack (expected {})", targets.len())));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, frame)?;
                }
                Ok(())
            }
        }
    }

    fn set_attribute(&self, namespace: &Namespace, name: &str, value: Value) -> Result<()> {
        globals::check_attribute(name)?;
        let key = Value::template_str(name, self.meter)?;
        let mut attributes = namespace.attributes.borrow_mut();
        if let Some(dict) = Rc::get_mut(&mut attributes) {
            return dict.insert(key, value, self.meter);
        }
        let mut copy = attributes.copy(self.meter)?;
        copy.insert(key, value, self.meter)?;
        *attributes = Rc::new(copy);
        Ok(())
    }

    /// The value of a name, if it has one.
    pub(crate) fn lookup(&self, name: &str, frame: &Frame) -> Option<Value> {
        frame
            .get(name)
            .or_else(|| self.context.get(name).cloned())
            .or_else(|| globals::named(name, self.clock.is_some()).map(Value::Function))
    }
}
