//! Methods of Python's built-in types.

pub(crate) mod containers;
pub(crate) mod strings;
pub(crate) mod strings_search;
pub(crate) mod strings_shape;

use crate::arguments::CallArgs;
use crate::budget::Meter;
use crate::error::{Result, unsupported};
use crate::value::Value;

/// Calls `value.name(...)`.
pub(crate) fn call(value: &Value, name: &'static str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match value {
        Value::Str(text) if text.markup => {
            Err(unsupported(format!("the method '{name}' of an escaped string is not supported")))
        }
        Value::Str(text) => strings::call(text, name, args, meter),
        other => containers::call(other, name, args, meter),
    }
}
