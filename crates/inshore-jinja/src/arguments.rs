//! Arguments of a call, bound to parameters as Python binds them.

use crate::error::{Result, runtime};
use crate::value::Value;

/// What a call passes.
#[derive(Debug, Default, Clone)]
pub(crate) struct CallArgs {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Vec<(String, Value)>,
}

/// Arguments by parameter.
pub(crate) struct Bound(Vec<Option<Value>>);

impl CallArgs {
    /// Binds to `params`. A parameter whose name begins with `/` takes no keyword. The first `required` must be given.
    pub(crate) fn bind(self, function: &str, params: &[&str], required: usize) -> Result<Bound> {
        if self.positional.len() > params.len() {
            let (most, given) = (params.len(), self.positional.len());
            return Err(runtime(format!("{function}() takes at most {most} arguments ({given} given)")));
        }
        let mut bound: Vec<Option<Value>> = self.positional.into_iter().map(Some).collect();
        bound.resize(params.len(), None);
        for (name, value) in self.named {
            let at = params.iter().position(|param| *param == name);
            match at.map(|at| &mut bound[at]) {
                Some(slot) if slot.is_none() => *slot = Some(value),
                Some(_) => return Err(runtime(format!("{function}() got multiple values for argument '{name}'"))),
                None => return Err(runtime(format!("{function}() got an unexpected keyword argument '{name}'"))),
            }
        }
        match bound.iter().take(required).position(Option::is_none) {
            Some(at) => {
                let name = params[at].trim_start_matches('/');
                Err(runtime(format!("{function}() missing required argument: '{name}'")))
            }
            None => Ok(Bound(bound)),
        }
    }

    /// Fails if anything was passed.
    pub(crate) fn none(self, function: &str) -> Result<()> {
        self.bind(function, &[], 0).map(|_| ())
    }
}

impl Bound {
    pub(crate) fn get(&self, at: usize) -> Option<&Value> {
        self.0.get(at).and_then(Option::as_ref)
    }

    /// The argument, unless it is absent or `None`.
    pub(crate) fn some(&self, at: usize) -> Option<&Value> {
        self.get(at).filter(|value| !matches!(value, Value::None))
    }

    /// A required argument.
    pub(crate) fn take(&mut self, at: usize) -> Value {
        self.0.get_mut(at).and_then(Option::take).unwrap_or(Value::None)
    }

    pub(crate) fn int_or(&self, at: usize, default: i128) -> Result<i128> {
        self.get(at).map_or(Ok(default), Value::int)
    }

    pub(crate) fn is_true(&self, at: usize) -> bool {
        self.get(at).is_some_and(Value::is_true)
    }
}
