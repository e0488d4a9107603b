//! `json.dumps`, as Transformers' `tojson` calls it.

use std::rc::Rc;

use crate::error::{Result, runtime, unsupported};
use crate::filters::sorting;
use crate::print::float_repr;
use crate::text::{Origin, Str, StrBuf};
use crate::value::{Dict, Value};

/// The arguments of `tojson`.
pub(crate) struct Style {
    pub(crate) indent: Option<Rc<Str>>,
    pub(crate) item_separator: Rc<Str>,
    pub(crate) key_separator: Rc<Str>,
    pub(crate) ensure_ascii: bool,
    pub(crate) sort_keys: bool,
}

/// Appends a value as JSON.
pub(crate) fn push(value: &Value, style: &Style, level: usize, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let meter = out.meter();
    meter.enter()?;
    let pushed = push_value(value, style, level, out);
    meter.leave();
    pushed
}

fn push_value(value: &Value, style: &Style, level: usize, out: &mut StrBuf<'_, '_>) -> Result<()> {
    match value {
        Value::Str(text) => push_string(text, style.ensure_ascii, out),
        Value::List(items) | Value::Tuple(items) => {
            out.push_str("[", Origin::Template)?;
            for (index, item) in items.items.iter().enumerate() {
                separate(index, style, level + 1, out)?;
                push(item, style, level + 1, out)?;
            }
            close(items.items.is_empty(), "]", style, level, out)
        }
        Value::Dict(dict) => push_dict(dict, style, level, out),
        other => match scalar(other) {
            Some(text) => out.push_str(&text, Origin::Template),
            None => {
                let name = other.type_name();
                Err(runtime(format!("Object of type {name} is not JSON serializable")))
            }
        },
    }
}

fn scalar(value: &Value) -> Option<String> {
    Some(match value {
        Value::None => "null".into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => "NaN".into(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        Value::Float(value) => float_repr(*value),
        _ => return None,
    })
}

fn push_dict(dict: &Dict, style: &Style, level: usize, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let meter = out.meter();
    let mut order: Vec<usize> = (0..dict.entries.len()).collect();
    if style.sort_keys {
        let keys: Vec<Value> = dict.entries.iter().map(|(key, _)| key.clone()).collect();
        order = sorting::order_of(&keys, false, meter)?;
    }
    out.push_str("{", Origin::Template)?;
    for (index, &at) in order.iter().enumerate() {
        let (key, value) = &dict.entries[at];
        separate(index, style, level + 1, out)?;
        match key {
            Value::Str(text) => push_string(text, style.ensure_ascii, out)?,
            other => match scalar(other) {
                Some(text) => out.push_str(&format!("\"{text}\""), Origin::Template)?,
                None => {
                    let name = other.type_name();
                    return Err(runtime(format!("keys must be str, int, float, bool or None, not {name}")));
                }
            },
        }
        out.push(&style.key_separator)?;
        push(value, style, level + 1, out)?;
    }
    close(dict.entries.is_empty(), "}", style, level, out)
}

fn separate(index: usize, style: &Style, level: usize, out: &mut StrBuf<'_, '_>) -> Result<()> {
    if index > 0 {
        out.push(&style.item_separator)?;
    }
    new_line(style, level, out)
}

fn close(empty: bool, bracket: &str, style: &Style, level: usize, out: &mut StrBuf<'_, '_>) -> Result<()> {
    if !empty {
        new_line(style, level, out)?;
    }
    out.push_str(bracket, Origin::Template)
}

fn new_line(style: &Style, level: usize, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let Some(indent) = &style.indent else { return Ok(()) };
    out.push_str("\n", Origin::Template)?;
    for _ in 0..level {
        out.push(indent)?;
    }
    Ok(())
}

fn push_string(text: &Str, ensure_ascii: bool, out: &mut StrBuf<'_, '_>) -> Result<()> {
    out.push_str("\"", Origin::Template)?;
    let mut plain = 0;
    for (at, letter) in text.as_str().char_indices() {
        let escaped = match letter {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\u{c}' => "\\f".to_owned(),
            '\u{8}' => "\\b".to_owned(),
            '\0'..='\u{1f}' => format!("\\u{:04x}", u32::from(letter)),
            '\u{7f}'.. if ensure_ascii => {
                letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
            _ => continue,
        };
        out.push_range(text, plain..at)?;
        out.push_str(&escaped, text.origin_at(at))?;
        plain = at + letter.len_utf8();
    }
    out.push_range(text, plain..text.as_str().len())?;
    out.push_str("\"", Origin::Template)
}

/// `indent` as `json.dumps` takes it: a number of spaces or a text.
pub(crate) fn indentation(value: &Value, out: &StrBuf<'_, '_>) -> Result<Option<Rc<Str>>> {
    let meter = out.meter();
    match value {
        Value::None => Ok(None),
        Value::Str(text) => Ok(Some(Rc::clone(text))),
        other => {
            let Some(width) = other.defined()?.as_int() else {
                return Err(unsupported("an indent that is no integer or string is not supported"));
            };
            let mut spaces = StrBuf::new(meter)?;
            spaces.push_repeated(' ', usize::try_from(width.max(0)).unwrap_or(usize::MAX), Origin::Template)?;
            Ok(Some(spaces.finish()))
        }
    }
}
