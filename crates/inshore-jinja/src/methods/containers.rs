//! Methods of dicts, lists, tuples, ranges, numbers and cyclers.

use std::rc::Rc;

use crate::arguments::CallArgs;
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::iterate;
use crate::ops;
use crate::slices;
use crate::value::{Dict, Value, ViewKind};

pub(super) fn call(value: &Value, name: &'static str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match value {
        Value::Dict(dict) => dict_method(dict, name, args, meter),
        Value::List(items) if name == "copy" => {
            args.none(name)?;
            Value::list(items.items.clone(), meter)
        }
        Value::List(_) | Value::Tuple(_) | Value::Range(_) => search(value, name, args, meter),
        Value::Cycler(cycler) => {
            args.none(name)?;
            let position = cycler.position.get();
            if name == "reset" {
                cycler.position.set(0);
                return Ok(Value::None);
            }
            cycler.position.set((position + 1) % cycler.items.items.len().max(1));
            Ok(cycler.items.items[position].clone())
        }
        other => number_method(other, name, args),
    }
}

fn number_method(value: &Value, name: &str, args: CallArgs) -> Result<Value> {
    let result = match (value, value.as_int(), name) {
        (Value::Float(float), _, "is_integer") => Value::Bool(float.is_finite() && *float == float.trunc()),
        (Value::Float(float), _, "conjugate") => Value::Float(*float),
        (_, Some(integer), "conjugate") => Value::Int(integer),
        (_, Some(integer), "bit_length") => Value::Int(i128::from(128 - integer.unsigned_abs().leading_zeros())),
        (_, Some(integer), "bit_count") => Value::Int(i128::from(integer.unsigned_abs().count_ones())),
        _ => {
            let kind = value.type_name();
            return Err(unsupported(format!("the method '{name}' of '{kind}' is not supported")));
        }
    };
    args.none(name)?;
    Ok(result)
}

fn dict_method(dict: &Rc<Dict>, name: &'static str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let view = match name {
        "keys" => Some(ViewKind::Keys),
        "values" => Some(ViewKind::Values),
        "items" => Some(ViewKind::Items),
        _ => None,
    };
    if let Some(kind) = view {
        args.none(name)?;
        return Ok(Value::View(kind, Rc::clone(dict)));
    }
    match name {
        "get" => {
            let mut args = args.bind(name, &["/key", "/default"], 1)?;
            match dict.get(&args.take(0), meter)? {
                Some(value) => Ok(value.clone()),
                None => Ok(args.take(1)),
            }
        }
        "copy" => {
            args.none(name)?;
            Ok(Value::Dict(Rc::new(dict.copy(meter)?)))
        }
        "fromkeys" => from_keys(args, meter),
        other => Err(unsupported(format!("the method '{other}' of a dict is not supported"))),
    }
}

/// `dict.fromkeys(keys, value)`.
pub(crate) fn from_keys(args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("fromkeys", &["/iterable", "/value"], 1)?;
    let (keys, value) = (args.take(0), args.take(1));
    let mut dict = Dict::new(meter)?;
    for key in iterate::list(&keys, meter)? {
        dict.insert(key, value.clone(), meter)?;
    }
    Ok(Value::Dict(Rc::new(dict)))
}

fn search(value: &Value, name: &'static str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let items = iterate::list(value, meter)?;
    let params: &[&str] = if name == "count" { &["/value"] } else { &["/value", "/start", "/stop"] };
    let mut args = args.bind(name, params, 1)?;
    let wanted = args.take(0);
    let is_match =
        |item: &Value| Ok::<_, crate::Error>(ops::same_object(item, &wanted) || ops::equal(item, &wanted, meter)?);
    if name == "count" {
        let mut count = 0;
        for item in &items {
            count += i128::from(is_match(item)?);
        }
        return Ok(Value::Int(count));
    }
    let bounds = [args.take(1), args.take(2), Value::None];
    let (start, stop, _) = slices::slice_indices(&bounds, items.len())?;
    for (at, item) in items.iter().enumerate() {
        if (start..stop).contains(&(at as i128)) && is_match(item)? {
            return Ok(Value::Int(at as i128));
        }
    }
    Err(runtime(format!("value is not in {}", value.type_name())))
}
