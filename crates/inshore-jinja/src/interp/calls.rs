//! Calls: arguments, macros, methods.

use std::rc::Rc;
use std::sync::Arc;

use super::Interp;
use super::scope::Frame;
use crate::arguments::CallArgs;
use crate::ast::{Args, Expr, ExprKind, MacroBody};
use crate::error::{Result, runtime};
use crate::iterate;
use crate::methods;
use crate::text::StrBuf;
use crate::value::{Dict, Macro, Value};

impl Interp<'_> {
    pub(super) fn arguments(&self, args: &Args, frame: &Rc<Frame>) -> Result<CallArgs> {
        let mut positional = Vec::with_capacity(args.positional.len());
        for value in &args.positional {
            positional.push(self.eval(value, frame)?);
        }
        let mut named = Vec::with_capacity(args.named.len());
        for (name, value) in &args.named {
            named.push((name.to_string(), self.eval(value, frame)?));
        }
        if let Some(star) = &args.star {
            positional.extend(iterate::list(&self.eval(star, frame)?, self.meter)?);
        }
        if let Some(star_star) = &args.star_star {
            let value = self.eval(star_star, frame)?;
            let Value::Dict(dict) = value.defined()? else {
                return Err(runtime("argument after ** must be a mapping"));
            };
            for (key, value) in &dict.entries {
                let Value::Str(key) = key else { return Err(runtime("keywords must be strings")) };
                self.meter.work(key.as_str().len() + 32 + named.len())?;
                if named.iter().any(|(name, _)| name == key.as_str()) {
                    return Err(runtime(format!("got multiple values for keyword argument '{}'", key.as_str())));
                }
                named.push((key.as_str().to_owned(), value.clone()));
            }
        }
        Ok(CallArgs { positional, named })
    }

    /// Calls a value.
    pub(crate) fn call(&self, callee: &Value, args: CallArgs) -> Result<Value> {
        match callee.defined()? {
            Value::Function(function) => self.call_function(*function, args),
            Value::Macro(this) => self.call_macro(this, args),
            Value::Method(method) => match &method.0 {
                Value::Loop(state) => self.loop_method(state, method.1, args),
                value => methods::call(value, method.1, args, self.meter),
            },
            Value::Loop(state) => self.loop_call(state, args),
            Value::Joiner(joiner) => {
                args.none("joiner")?;
                if joiner.used.replace(true) {
                    Ok(joiner.separator.clone())
                } else {
                    Value::template_str("", self.meter)
                }
            }
            other => Err(runtime(format!("'{}' object is not callable", other.type_name()))),
        }
    }

    /// `{% call f(...) %}`.
    pub(super) fn call_block(&self, call: &Expr, body: &Arc<MacroBody>, frame: &Rc<Frame>) -> Result<Value> {
        let ExprKind::Call(callee, args) = &call.kind else { return Err(runtime("expected call")) };
        let callee = self.eval(callee, frame)?;
        let mut args = self.arguments(args, frame)?;
        self.capture(frame)?;
        let caller = Macro { name: None, body: Arc::clone(body), frame: Rc::clone(frame) };
        args.named.push(("caller".to_owned(), Value::Macro(Rc::new(caller))));
        self.call(&callee, args)
    }

    fn call_macro(&self, this: &Macro, args: CallArgs) -> Result<Value> {
        let MacroBody { params, defaults, body, .. } = &*this.body;
        let frame = Frame::inside(&this.frame, self.meter)?;
        let mut named = args.named;
        let mut positional = args.positional.into_iter();
        let first_default = params.len() - defaults.len();
        let mut given = Vec::with_capacity(params.len());
        for param in params {
            given.push(positional.next().or_else(|| {
                let at = named.iter().position(|(name, _)| **name == **param);
                at.map(|at| named.remove(at).1)
            }));
        }
        let rest: Vec<Value> = positional.collect();
        self.special_arguments(this, &frame, named, rest)?;
        for (at, (param, value)) in params.iter().zip(given).enumerate() {
            let value = match value {
                Some(value) => value,
                None if at >= first_default => self.eval(&defaults[at - first_default], &frame)?,
                None => Value::undefined(format!("parameter '{param}' was not provided")),
            };
            frame.set(param, value);
        }
        let mut out = StrBuf::new(self.meter)?;
        self.body(body, &frame, &mut out)?;
        Ok(Value::Str(out.finish()))
    }

    /// `caller`, `kwargs` and `varargs`, for macros that use them.
    fn special_arguments(
        &self,
        this: &Macro,
        frame: &Frame,
        mut named: Vec<(String, Value)>,
        rest: Vec<Value>,
    ) -> Result<()> {
        let name = this.name.as_deref().unwrap_or("anonymous");
        if this.body.uses_caller {
            let at = named.iter().position(|(name, _)| name == "caller");
            let caller = at.map(|at| named.remove(at).1);
            frame.set(&"caller".into(), caller.unwrap_or_else(|| Value::undefined("No caller defined")));
        }
        if this.body.uses_kwargs {
            let mut dict = Dict::new(self.meter)?;
            for (name, value) in named {
                dict.insert(Value::template_str(&name, self.meter)?, value, self.meter)?;
            }
            frame.set(&"kwargs".into(), Value::Dict(Rc::new(dict)));
        } else if let Some((argument, _)) = named.first() {
            return Err(runtime(format!("macro '{name}' takes no keyword argument '{argument}'")));
        }
        if this.body.uses_varargs {
            frame.set(&"varargs".into(), Value::tuple(rest, self.meter)?);
        } else if !rest.is_empty() {
            let most = this.body.params.len();
            return Err(runtime(format!("macro '{name}' takes not more than {most} argument(s)")));
        }
        Ok(())
    }
}
