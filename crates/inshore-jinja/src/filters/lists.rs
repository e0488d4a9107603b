//! Filters that take lists apart and join them.

use crate::arguments::CallArgs;
use crate::budget::Meter;
use crate::error::{Result, runtime};
use crate::iterate;
use crate::print;
use crate::slices;
use crate::tests;
use crate::text::StrBuf;
use crate::value::{Value, ViewKind};

use super::{attribute_path, follow};

pub(super) fn call(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "batch" => batch(value, args, meter),
        "slice" => slice(value, args, meter),
        "join" => join(value, args, meter),
        _ => {
            args.none(name)?;
            plain(name, value, meter)
        }
    }
}

fn plain(name: &str, value: &Value, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "first" => {
            Ok(iterate::first(value, meter)?.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
        }
        "last" => match iterate::reversed(value, meter)? {
            Some(items) => {
                let last = items.into_iter().next();
                Ok(last.unwrap_or_else(|| Value::undefined("No last item, sequence was empty.")))
            }
            None => Err(runtime(format!("'{}' object is not reversible", value.type_name()))),
        },
        "length" | "count" => Ok(Value::Int(tests::length(value, meter)? as i128)),
        "list" => Value::list(iterate::list(value, meter)?, meter),
        "items" => match value {
            Value::Undefined(_) => Value::generator(Vec::new(), None, meter),
            Value::Dict(dict) => {
                let pairs = iterate::list(&Value::View(ViewKind::Items, dict.clone()), meter)?;
                Value::generator(pairs, None, meter)
            }
            _ => Value::generator(Vec::new(), Some(runtime("Can only get item pairs from a mapping.")), meter),
        },
        _ => match (value, iterate::reversed(value, meter)?) {
            (Value::Str(_), _) => slices::slice(value, &[Value::None, Value::None, Value::Int(-1)], meter),
            (_, Some(items)) => Value::generator(items, None, meter),
            (_, None) => {
                let mut items = iterate::list(value, meter)?;
                items.reverse();
                Value::list(items, meter)
            }
        },
    }
}

fn batch(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("batch", &["linecount", "fill_with"], 1)?;
    let size = args.take(0).int()?;
    let fill = args.some(1).cloned();
    let items = iterate::list(value, meter)?;
    let mut batches = Vec::new();
    let mut current = Vec::new();
    for item in items {
        if current.len() as i128 == size {
            batches.push(Value::list(std::mem::take(&mut current), meter)?);
        }
        current.push(item);
    }
    if !current.is_empty() {
        if let Some(fill) = fill {
            let missing = usize::try_from(size.saturating_sub(current.len() as i128)).unwrap_or(0);
            let _room = meter.allocate(missing, size_of::<Value>())?;
            current.extend(std::iter::repeat_n(fill, missing));
        }
        batches.push(Value::list(current, meter)?);
    }
    Value::generator(batches, None, meter)
}

fn slice(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("slice", &["slices", "fill_with"], 1)?;
    let slices = args.take(0).int()?;
    let fill = args.some(1).cloned();
    let items = iterate::list(value, meter)?;
    if slices == 0 {
        let error = runtime("integer division or modulo by zero");
        return Value::generator(Vec::new(), Some(error), meter);
    }
    let count = usize::try_from(slices).unwrap_or(0);
    let _room = meter.allocate(count, 2 * size_of::<Value>())?;
    let each = items.len().checked_div(count).unwrap_or(0);
    let extra = items.len().checked_rem(count).unwrap_or(0);
    let mut made = Vec::new();
    let mut at = 0;
    for number in 0..count {
        let end = at + each + usize::from(number < extra);
        let mut part = items[at..end].to_vec();
        if let Some(fill) = fill.as_ref().filter(|_| number >= extra) {
            part.push(fill.clone());
        }
        made.push(Value::list(part, meter)?);
        at = end;
    }
    Value::generator(made, None, meter)
}

fn join(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("join", &["d", "attribute"], 0)?;
    let separator = match args.get(0) {
        Some(separator) => print::to_str(separator, meter)?,
        None => crate::text::Str::template("", meter)?,
    };
    let path = attribute_path(&args.take(1), meter)?;
    let mut out = StrBuf::new(meter)?;
    for (index, item) in iterate::list(value, meter)?.iter().enumerate() {
        if index > 0 {
            out.push(&separator)?;
        }
        print::push_str(&follow(item, &path, None, meter)?, &mut out)?;
    }
    Ok(Value::Str(out.finish()))
}
