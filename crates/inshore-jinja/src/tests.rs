//! Jinja's tests: `value is name`.

use crate::arguments::CallArgs;
use crate::ast::{BinaryOp, CompareOp};
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::filters;
use crate::methods::strings;
use crate::ops;
use crate::print;
use crate::value::{Key, Value, ViewKind};

const NAMES: &[&str] = &[
    "odd",
    "even",
    "divisibleby",
    "defined",
    "undefined",
    "filter",
    "test",
    "none",
    "boolean",
    "false",
    "true",
    "integer",
    "float",
    "lower",
    "upper",
    "string",
    "mapping",
    "number",
    "sequence",
    "iterable",
    "callable",
    "sameas",
    "escaped",
    "in",
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    "ge",
    ">=",
    "<",
    "lt",
    "lessthan",
    "<=",
    "le",
];

/// Whether there is a test of this name.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

fn comparison(name: &str) -> Option<CompareOp> {
    Some(match name {
        "==" | "eq" | "equalto" => CompareOp::Eq,
        "!=" | "ne" => CompareOp::Ne,
        ">" | "gt" | "greaterthan" => CompareOp::Gt,
        ">=" | "ge" => CompareOp::Ge,
        "<" | "lt" | "lessthan" => CompareOp::Lt,
        "<=" | "le" => CompareOp::Le,
        "in" => CompareOp::In,
        _ => return None,
    })
}

/// Runs a test.
pub(crate) fn call(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<bool> {
    if let Some(operator) = comparison(name) {
        let params: &[&str] = if name == "in" { &["seq"] } else { &["/other"] };
        let mut args = args.bind(name, params, 1)?;
        return ops::compare(operator, value, &args.take(0), meter);
    }
    match name {
        "divisibleby" => {
            let mut args = args.bind(name, &["num"], 1)?;
            return is_remainder(value, &args.take(0), 0, meter);
        }
        "sameas" => {
            let mut args = args.bind(name, &["other"], 1)?;
            return same(value, &args.take(0));
        }
        _ => {}
    }
    if !exists(name) {
        return Err(runtime(format!("No test named '{name}'.")));
    }
    args.none(name)?;
    Ok(match name {
        "odd" => is_remainder(value, &Value::Int(2), 1, meter)?,
        "even" => is_remainder(value, &Value::Int(2), 0, meter)?,
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "filter" => filters::exists(hashable_name(value, meter)?),
        "test" => exists(hashable_name(value, meter)?),
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "false" => matches!(value, Value::Bool(false)),
        "true" => matches!(value, Value::Bool(true)),
        "integer" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "lower" | "upper" => {
            let text = print::to_str(value, meter)?;
            strings::is_case(text.as_str(), if name == "lower" { "islower" } else { "isupper" })?
        }
        "string" => matches!(value, Value::Str(_)),
        "mapping" => matches!(value, Value::Dict(_)),
        "number" => matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_)),
        "sequence" => matches!(
            value,
            Value::Undefined(_) | Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Range(_)
        ),
        "iterable" => match value {
            Value::Loop(_) => true,
            Value::Iter(_) => true,
            other => is_iterable(other),
        },
        "callable" => matches!(
            value,
            Value::Undefined(_)
                | Value::Function(_)
                | Value::Macro(_)
                | Value::Method(_)
                | Value::Joiner(_)
                | Value::Loop(_)
        ),
        _ => matches!(value, Value::Str(text) if text.markup),
    })
}

fn is_iterable(value: &Value) -> bool {
    !matches!(
        value,
        Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Namespace(_)
            | Value::Macro(_)
            | Value::Cycler(_)
            | Value::Joiner(_)
            | Value::Method(_)
            | Value::Function(_)
    )
}

fn hashable_name<'v>(value: &'v Value, meter: &Meter<'_>) -> Result<&'v str> {
    match value {
        Value::Str(text) => Ok(text.as_str()),
        Value::List(_) | Value::Dict(_) | Value::View(ViewKind::Keys | ViewKind::Items, _) => {
            Err(runtime(format!("unhashable type: '{}'", value.type_name())))
        }
        Value::Tuple(_) => Key::of(value, meter).map(|_| ""),
        _ => Ok(""),
    }
}

fn is_remainder(value: &Value, divisor: &Value, rest: i128, meter: &Meter<'_>) -> Result<bool> {
    let found = ops::binary(BinaryOp::Mod, value, divisor, meter)?;
    ops::equal(&found, &Value::Int(rest), meter)
}

/// `value is other` of Python, where it does not depend on how objects are kept.
fn same(value: &Value, other: &Value) -> Result<bool> {
    let unknown = || unsupported("sameas of equal numbers or strings is not supported");
    match (value, other) {
        (Value::Int(a), Value::Int(b)) if a != b => Ok(false),
        (Value::Int(a), Value::Int(_)) if (-5..=256).contains(a) => Ok(true),
        (Value::Int(_), Value::Int(_)) | (Value::Float(_), Value::Float(_)) => Err(unknown()),
        (Value::Str(a), Value::Str(b)) if a.as_str() != b.as_str() => Ok(false),
        (Value::Str(_), Value::Str(_)) if !ops::same_object(value, other) => Err(unknown()),
        (Value::Tuple(a), Value::Tuple(b)) if a.items.is_empty() && b.items.is_empty() => Ok(true),
        _ => Ok(ops::same_object(value, other)),
    }
}

/// Number of items, for `length` and `loop.length`.
pub(crate) fn length(value: &Value, meter: &Meter<'_>) -> Result<usize> {
    Ok(match value {
        Value::Undefined(_) => 0,
        Value::Str(text) => text.chars(meter)?,
        Value::List(items) | Value::Tuple(items) => items.items.len(),
        Value::Dict(dict) | Value::View(_, dict) => dict.entries.len(),
        Value::Range(range) => range.len(),
        other => return Err(runtime(format!("object of type '{}' has no len()", other.type_name()))),
    })
}
