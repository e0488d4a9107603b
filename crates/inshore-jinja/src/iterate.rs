//! What a `for` goes over.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Error, Result, runtime, unsupported};
use crate::text::Str;
use crate::value::{Value, ViewKind};

/// The items of something iterable, with the error that a generator ends with.
pub(crate) struct Items {
    pub(crate) items: Vec<Value>,
    pub(crate) error: Option<Error>,
    /// Whether Python knows their number without going over them.
    pub(crate) sized: bool,
}

impl Items {
    /// The items, if there is no error.
    pub(crate) fn all(self) -> Result<Vec<Value>> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.items),
        }
    }
}

/// All items; a generator is used up.
pub(crate) fn items(value: &Value, meter: &Meter<'_>) -> Result<Items> {
    let mut error = None;
    let items = match value {
        Value::Undefined(_) => Vec::new(),
        Value::Str(text) => letters(text, meter)?,
        Value::List(items) | Value::Tuple(items) => copied(&items.items, meter)?,
        Value::Dict(dict) | Value::View(ViewKind::Keys, dict) => {
            meter.work(32 * dict.entries.len())?;
            dict.entries.iter().map(|(key, _)| key.clone()).collect()
        }
        Value::View(ViewKind::Values, dict) => {
            meter.work(32 * dict.entries.len())?;
            dict.entries.iter().map(|(_, value)| value.clone()).collect()
        }
        Value::View(ViewKind::Items, dict) => pairs(dict, meter)?,
        Value::Range(range) => {
            let _room = meter.allocate(range.len(), size_of::<Value>())?;
            (0..range.len() as i128).map(|n| Value::Int(range.start + n * range.step)).collect()
        }
        Value::Iter(iter) => {
            let rest = iter.items.get(iter.next.get()..).unwrap_or_default();
            let rest = copied(rest, meter)?;
            let used = iter.next.replace(iter.items.len() + 1);
            error = iter.error.clone().filter(|_| used <= iter.items.len());
            rest
        }
        Value::Loop(_) => return Err(unsupported("iterating over a loop is not supported")),
        other => return Err(runtime(format!("'{}' object is not iterable", other.type_name()))),
    };
    Ok(Items { items, error, sized: !matches!(value, Value::Iter(_)) })
}

/// All items as a list.
pub(crate) fn list(value: &Value, meter: &Meter<'_>) -> Result<Vec<Value>> {
    items(value, meter)?.all()
}

fn copied(items: &[Value], meter: &Meter<'_>) -> Result<Vec<Value>> {
    let _room = meter.allocate(items.len(), size_of::<Value>())?;
    Ok(items.to_vec())
}

/// The characters of a string, each a string.
pub(crate) fn letters(text: &Str, meter: &Meter<'_>) -> Result<Vec<Value>> {
    let mut letters = Vec::new();
    for (at, letter) in text.as_str().char_indices() {
        letters.push(Value::Str(text.slice(at..at + letter.len_utf8(), meter)?));
    }
    Ok(letters)
}

fn pairs(dict: &Rc<crate::value::Dict>, meter: &Meter<'_>) -> Result<Vec<Value>> {
    dict.entries.iter().map(|(key, value)| Value::tuple(vec![key.clone(), value.clone()], meter)).collect()
}

/// `next(iter(value))`.
pub(crate) fn first(value: &Value, meter: &Meter<'_>) -> Result<Option<Value>> {
    match value {
        Value::Iter(iter) => {
            let at = iter.next.get();
            if let Some(item) = iter.items.get(at) {
                iter.next.set(at + 1);
                return Ok(Some(item.clone()));
            }
            Ok(items(value, meter)?.all()?.into_iter().next())
        }
        Value::List(items) | Value::Tuple(items) => Ok(items.items.first().cloned()),
        Value::Str(text) => {
            let Some(letter) = text.as_str().chars().next() else { return Ok(None) };
            Ok(Some(Value::Str(text.slice(0..letter.len_utf8(), meter)?)))
        }
        other => Ok(list(other, meter)?.into_iter().next()),
    }
}

/// `list(reversed(value))`, for what Python can reverse.
pub(crate) fn reversed(value: &Value, meter: &Meter<'_>) -> Result<Option<Vec<Value>>> {
    let reversible = matches!(
        value,
        Value::Undefined(_)
            | Value::Str(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Dict(_)
            | Value::View(..)
            | Value::Range(_)
    );
    if !reversible {
        return Ok(None);
    }
    let mut items = list(value, meter)?;
    items.reverse();
    Ok(Some(items))
}
