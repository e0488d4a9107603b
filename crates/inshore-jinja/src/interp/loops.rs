//! `for`, and the `loop` inside it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::scope::Frame;
use super::{Flow, Interp};
use crate::arguments::CallArgs;
use crate::ast::For;
use crate::error::{Result, runtime, unsupported};
use crate::iterate;
use crate::ops;
use crate::text::StrBuf;
use crate::value::{LoopState, Value, depth_of};

const METHODS: [&str; 2] = ["cycle", "changed"];

impl Interp<'_> {
    pub(super) fn for_loop(&self, this: &Arc<For>, frame: &Rc<Frame>, out: &mut StrBuf<'_, '_>) -> Result<Flow> {
        let items = self.eval(&this.iterable, frame)?;
        self.run_loop(this, &items, 0, frame, out)
    }

    fn run_loop(
        &self,
        this: &Arc<For>,
        items: &Value,
        depth0: usize,
        frame: &Rc<Frame>,
        out: &mut StrBuf<'_, '_>,
    ) -> Result<Flow> {
        let source = iterate::items(items, self.meter)?;
        let state = Rc::new(LoopState {
            value_depth: depth_of(&source.items, self.meter)?,
            _charge: self.meter.allocate(source.items.len() + 4, 2 * size_of::<Value>())?,
            sized: (source.sized && this.filter.is_none()).then_some(source.items.len()),
            source: RefCell::new(source.items.into()),
            ready: RefCell::default(),
            error: RefCell::new(source.error),
            begun: Cell::new(0),
            depth0,
            before: RefCell::default(),
            current: RefCell::default(),
            last_changed: RefCell::default(),
            statement: Arc::clone(this),
            frame: Rc::clone(frame),
        });
        let flow = self.iterate_loop(&state, frame, out);
        // What `changed` compared may refer to the loop itself.
        state.last_changed.take();
        flow
    }

    fn iterate_loop(&self, state: &Rc<LoopState>, frame: &Rc<Frame>, out: &mut StrBuf<'_, '_>) -> Result<Flow> {
        let name: Arc<str> = "loop".into();
        let mut finished_one = false;
        while let Some(item) = self.next_item(state)? {
            self.meter.work(64)?;
            state.begun.set(state.begun.get() + 1);
            state.before.replace(state.current.replace(Some(item.clone())));
            let inner = Frame::inside(frame, self.meter)?;
            self.assign(&state.statement.target, item, &inner)?;
            inner.set(&name, Value::Loop(Rc::clone(state)));
            match self.body(&state.statement.body, &inner, out)? {
                Flow::Break => break,
                Flow::Continue => {}
                // Jinja2 notes an iteration at its end, so one that is left early does not count here.
                Flow::Normal => finished_one = true,
            }
        }
        if finished_one || state.statement.otherwise.is_empty() {
            return Ok(Flow::Normal);
        }
        let inner = Frame::inside(frame, self.meter)?;
        self.body(&state.statement.otherwise, &inner, out)
    }

    fn next_item(&self, state: &LoopState) -> Result<Option<Value>> {
        let ready = state.ready.borrow_mut().pop_front();
        match ready {
            Some(item) => Ok(Some(item)),
            None => self.pull(state),
        }
    }

    /// The next item of the source that passes the filter.
    fn pull(&self, state: &LoopState) -> Result<Option<Value>> {
        loop {
            let next = state.source.borrow_mut().pop_front();
            let Some(item) = next else {
                return match state.error.take() {
                    Some(error) => Err(error),
                    None => Ok(None),
                };
            };
            let Some(filter) = &state.statement.filter else { return Ok(Some(item)) };
            self.meter.work(64)?;
            let inner = Frame::inside(&state.frame, self.meter)?;
            self.assign(&state.statement.target, item.clone(), &inner)?;
            if self.eval(filter, &inner)?.is_true() {
                return Ok(Some(item));
            }
        }
    }

    fn peek(&self, state: &LoopState) -> Result<Option<Value>> {
        let ready = state.ready.borrow().front().cloned();
        if ready.is_some() {
            return Ok(ready);
        }
        let item = self.pull(state)?;
        state.ready.borrow_mut().extend(item.clone());
        Ok(item)
    }

    pub(super) fn loop_length(&self, state: &LoopState) -> Result<usize> {
        if let Some(length) = state.sized {
            return Ok(length);
        }
        let mut rest = VecDeque::new();
        while let Some(item) = self.pull(state)? {
            rest.push_back(item);
        }
        state.ready.borrow_mut().append(&mut rest);
        let ready = state.ready.borrow().len();
        Ok(state.begun.get() + ready)
    }

    /// `loop.name`.
    pub(super) fn loop_attribute(&self, state: &Rc<LoopState>, name: &str) -> Result<Value> {
        let index = state.begun.get() as i128;
        Ok(match name {
            "index" => Value::Int(index),
            "index0" => Value::Int(index - 1),
            "revindex" => Value::Int(self.loop_length(state)? as i128 - index + 1),
            "revindex0" => Value::Int(self.loop_length(state)? as i128 - index),
            "first" => Value::Bool(index == 1),
            "last" => Value::Bool(self.peek(state)?.is_none()),
            "length" => Value::Int(self.loop_length(state)? as i128),
            "depth" => Value::Int(state.depth0 as i128 + 1),
            "depth0" => Value::Int(state.depth0 as i128),
            "previtem" => {
                let before = state.before.borrow().clone();
                before.unwrap_or_else(|| Value::undefined("there is no previous item"))
            }
            "nextitem" => self.peek(state)?.unwrap_or_else(|| Value::undefined("there is no next item")),
            _ => match METHODS.iter().find(|method| **method == name) {
                Some(method) => Value::Method(Rc::new((Value::Loop(Rc::clone(state)), *method))),
                None if name.starts_with('_') => Value::forbidden(&Value::Loop(Rc::clone(state)), name),
                None => Value::undefined(format!("'jinja2.runtime.LoopContext object' has no attribute '{name}'")),
            },
        })
    }

    /// `loop.cycle(...)` and `loop.changed(...)`.
    pub(super) fn loop_method(&self, state: &LoopState, name: &str, args: CallArgs) -> Result<Value> {
        if !args.named.is_empty() {
            return Err(runtime(format!("{name}() takes no keyword arguments")));
        }
        let values = args.positional;
        if name == "cycle" {
            if values.is_empty() {
                return Err(runtime("no items for cycling given"));
            }
            return Ok(values[state.begun.get().saturating_sub(1) % values.len()].clone());
        }
        let before = state.last_changed.take();
        let mut same = before.as_ref().is_some_and(|before| before.len() == values.len());
        for (before, value) in before.iter().flatten().zip(&values) {
            same = same && (ops::same_object(before, value) || ops::equal(before, value, self.meter)?);
        }
        state.last_changed.replace(Some(values));
        Ok(Value::Bool(!same))
    }

    /// `loop(items)` in a recursive loop.
    pub(super) fn loop_call(&self, state: &Rc<LoopState>, args: CallArgs) -> Result<Value> {
        if !state.statement.recursive {
            return Err(runtime("The loop must have the 'recursive' marker to be called recursively."));
        }
        let mut args = args.bind("loop", &["iterable"], 1)?;
        let mut out = StrBuf::new(self.meter)?;
        let flow = self.run_loop(&state.statement, &args.take(0), state.depth0 + 1, &state.frame, &mut out)?;
        if flow != Flow::Normal {
            return Err(unsupported("leaving a loop from the else of a recursive one is not supported"));
        }
        Ok(Value::Str(out.finish()))
    }
}
