//! Global functions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::Interp;
use crate::arguments::CallArgs;
use crate::error::{Error, ErrorKind, Result, runtime, security, unsupported};
use crate::iterate;
use crate::methods::containers::from_keys;
use crate::print;
use crate::text::{Origin, Str};
use crate::value::{Cycler, Dict, Function, Joiner, Namespace, Range, Seq, Value};

/// The longest range that Jinja's sandbox allows.
const MAX_RANGE: usize = 100_000;

/// The function of a name; `strftime_now` only where there is a clock.
pub(super) fn named(name: &str, clock: bool) -> Option<Function> {
    Some(match name {
        "range" => Function::Range,
        "dict" => Function::Dict,
        "namespace" => Function::Namespace,
        "cycler" => Function::Cycler,
        "joiner" => Function::Joiner,
        "lipsum" => Function::Lipsum,
        "raise_exception" => Function::RaiseException,
        "strftime_now" if clock => Function::StrftimeNow,
        _ => return None,
    })
}

/// Names that Transformers does not let a namespace have.
pub(super) fn check_attribute(name: &str) -> Result<()> {
    if name.starts_with('_') {
        return Err(security(format!("a namespace cannot have the underscore-prefixed attribute '{name}'")));
    }
    Ok(())
}

impl Interp<'_> {
    pub(super) fn call_function(&self, function: Function, args: CallArgs) -> Result<Value> {
        let meter = self.meter;
        match function {
            Function::Range => range(args),
            Function::Dict => Ok(Value::Dict(Rc::new(self.dict(args)?))),
            Function::DictFromKeys => from_keys(args, meter),
            Function::Namespace => {
                let attributes = self.dict(args)?;
                for (key, _) in &attributes.entries {
                    if let Value::Str(name) = key {
                        check_attribute(name.as_str())?;
                    }
                }
                let namespace = Rc::new(Namespace { attributes: RefCell::new(Rc::new(attributes)) });
                meter.work(64)?;
                self.namespaces.borrow_mut().push(Rc::clone(&namespace));
                Ok(Value::Namespace(namespace))
            }
            Function::Cycler => {
                if !args.named.is_empty() {
                    return Err(runtime("cycler() takes no keyword arguments"));
                }
                if args.positional.is_empty() {
                    return Err(runtime("at least one item has to be provided"));
                }
                let items = Seq::new(args.positional, meter)?;
                Ok(Value::Cycler(Rc::new(Cycler { items, position: Cell::new(0) })))
            }
            Function::Joiner => {
                let mut args = args.bind("joiner", &["sep"], 0)?;
                let separator = if args.get(0).is_some() { args.take(0) } else { Value::template_str(", ", meter)? };
                meter.check_depth(2 + separator.depth())?;
                Ok(Value::Joiner(Rc::new(Joiner { separator, used: Cell::new(false) })))
            }
            Function::Lipsum => Err(unsupported("lipsum is not supported: a prompt must not depend on chance")),
            Function::RaiseException => {
                let mut args = args.bind("raise_exception", &["message"], 1)?;
                let message = print::to_str(&args.take(0), meter)?;
                Err(Error::new(ErrorKind::Refused, message.as_str()))
            }
            Function::StrftimeNow => {
                let mut args = args.bind("strftime_now", &["format"], 1)?;
                let format = args.take(0);
                let format = format.string()?;
                let Some(clock) = self.clock else { return Err(runtime("there is no clock")) };
                // A directive is a few bytes, and writes at most its width.
                let _room = meter.allocate(format.as_str().len(), 64)?;
                let origin = format.origin();
                Ok(Value::Str(Str::new(&clock.format(format.as_str())?, origin, meter)?))
            }
        }
    }

    /// `dict(mapping_or_pairs, **named)`.
    fn dict(&self, args: CallArgs) -> Result<Dict> {
        let meter = self.meter;
        let mut dict = match args.positional.as_slice() {
            [] => Dict::new(meter)?,
            [Value::Dict(given)] => given.copy(meter)?,
            [pairs] => {
                let mut dict = Dict::new(meter)?;
                for pair in iterate::list(pairs, meter)? {
                    let pair = iterate::list(&pair, meter)?;
                    let [key, value] = pair.as_slice() else {
                        return Err(runtime("dictionary update sequence element has a length other than 2"));
                    };
                    dict.insert(key.clone(), value.clone(), meter)?;
                }
                dict
            }
            more => return Err(runtime(format!("dict expected at most 1 argument, got {}", more.len()))),
        };
        for (name, value) in args.named {
            dict.insert(Value::str(&name, Origin::Template, meter)?, value, meter)?;
        }
        Ok(dict)
    }
}

fn range(args: CallArgs) -> Result<Value> {
    if !args.named.is_empty() {
        return Err(runtime("range() takes no keyword arguments"));
    }
    let numbers = args.positional.iter().map(Value::int).collect::<Result<Vec<_>>>()?;
    let (start, stop, step) = match numbers.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        _ => return Err(runtime(format!("range expected 1 to 3 arguments, got {}", numbers.len()))),
    };
    if step == 0 {
        return Err(runtime("range() arg 3 must not be zero"));
    }
    if numbers.iter().any(|number| number.unsigned_abs() > 1 << 62) {
        return Err(unsupported("a range of such large numbers is not supported"));
    }
    let range = Range { start, stop, step };
    if range.len() > MAX_RANGE {
        return Err(runtime(format!("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MAX_RANGE}).")));
    }
    Ok(Value::Range(Rc::new(range)))
}
