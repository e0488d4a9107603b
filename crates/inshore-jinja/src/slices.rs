//! Python's slices and indices.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::text::{Str, StrBuf};
use crate::value::{Range, Seq, Value};

/// The largest step of a slice or a range.
const MAX_STEP: i128 = 1 << 62;

/// Start, stop and step of a slice over `length` items, as `slice.indices` computes them.
pub(crate) fn slice_indices(parts: &[Value; 3], length: usize) -> Result<(i128, i128, i128)> {
    let bound = |value: &Value| match value {
        Value::None => Ok(None),
        other => match other.defined()?.as_int() {
            Some(value) => Ok(Some(value)),
            None => Err(runtime("slice indices must be integers or None or have an __index__ method")),
        },
    };
    let length = length as i128;
    let step = bound(&parts[2])?.unwrap_or(1);
    if step == 0 {
        return Err(runtime("slice step cannot be zero"));
    }
    // Longer than anything that is cut, so that nothing changes.
    let step = step.clamp(-MAX_STEP, MAX_STEP);
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |value: i128| (if value < 0 { value.saturating_add(length) } else { value }).clamp(low, high);
    let start = bound(&parts[0])?.map_or(if step > 0 { low } else { high }, clamp);
    let stop = bound(&parts[1])?.map_or(if step > 0 { high } else { low }, clamp);
    Ok((start, stop, step))
}

/// The indices of a slice.
fn slice_positions(parts: &[Value; 3], length: usize, meter: &Meter<'_>) -> Result<Vec<usize>> {
    let (start, stop, step) = slice_indices(parts, length)?;
    let range = Range { start, stop, step };
    let _room = meter.allocate(range.len(), size_of::<usize>())?;
    Ok((0..range.len() as i128).map(|n| (start + n * step) as usize).collect())
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Value, parts: &[Value; 3], meter: &Meter<'_>) -> Result<Value> {
    match value.defined()? {
        Value::Str(text) => Ok(Value::Str(slice_str(text, parts, meter)?)),
        Value::List(items) => Ok(Value::List(slice_seq(items, parts, meter)?)),
        Value::Tuple(items) => Ok(Value::Tuple(slice_seq(items, parts, meter)?)),
        Value::Range(range) => {
            let (start, stop, step) = slice_indices(parts, range.len())?;
            let at = |index: i128| range.start + index * range.step;
            let step = range.step * step;
            if step.abs() > MAX_STEP {
                return Err(unsupported("a range with such a large step is not supported"));
            }
            let sliced = Range { start: at(start), stop: at(stop), step };
            Ok(Value::Range(Rc::new(sliced)))
        }
        other => Err(runtime(format!("'{}' object is not subscriptable", other.type_name()))),
    }
}

fn slice_seq(items: &Seq, parts: &[Value; 3], meter: &Meter<'_>) -> Result<Rc<Seq>> {
    let positions = slice_positions(parts, items.items.len(), meter)?;
    let _room = meter.allocate(positions.len(), size_of::<Value>())?;
    Seq::new(positions.into_iter().filter_map(|at| items.items.get(at).cloned()).collect(), meter)
}

fn slice_str(text: &Str, parts: &[Value; 3], meter: &Meter<'_>) -> Result<Rc<Str>> {
    if text.markup {
        return Err(unsupported("slicing an escaped string is not supported"));
    }
    let length = text.chars(meter)?;
    let (start, stop, step) = slice_indices(parts, length)?;
    if step == 1 {
        let (start, stop) = (start as usize, stop.max(start) as usize);
        return text.slice(text.byte_of(start, meter)?..text.byte_of(stop, meter)?, meter);
    }
    let positions = slice_positions(parts, length, meter)?;
    let _room = meter.allocate(length + 1, size_of::<usize>())?;
    let mut bytes: Vec<usize> = text.as_str().char_indices().map(|(at, _)| at).collect();
    bytes.push(text.as_str().len());
    let mut out = StrBuf::new(meter)?;
    for at in positions {
        out.push_range(text, bytes[at]..bytes[at + 1])?;
    }
    Ok(out.finish())
}

/// An index of Python into something of `length` items.
pub(crate) fn index(index: i128, length: usize) -> Option<usize> {
    let length = length as i128;
    let index = if index < 0 { index.checked_add(length)? } else { index };
    usize::try_from(index).ok().filter(|&index| (index as i128) < length)
}
