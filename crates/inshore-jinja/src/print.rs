//! Values as text: Python's `str` and `repr`.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Result, unsupported};
use crate::text::{Origin, Str, StrBuf};
use crate::value::{Dict, Value, ViewKind};

/// `str(value)`.
pub(crate) fn to_str(value: &Value, meter: &Meter<'_>) -> Result<Rc<Str>> {
    match value {
        Value::Str(text) if !text.markup => Ok(Rc::clone(text)),
        _ => {
            let mut out = StrBuf::new(meter)?;
            push_str(value, &mut out)?;
            Ok(out.finish())
        }
    }
}

/// Appends `str(value)`.
pub(crate) fn push_str(value: &Value, out: &mut StrBuf<'_, '_>) -> Result<()> {
    match value {
        Value::Str(text) => out.push(text),
        Value::Undefined(_) => Ok(()),
        other => push_repr(other, out),
    }
}

/// Appends `repr(value)`.
pub(crate) fn push_repr(value: &Value, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let meter = out.meter();
    meter.enter()?;
    let pushed = push_repr_of(value, out);
    meter.leave();
    pushed
}

fn push_repr_of(value: &Value, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let by_template = Origin::Template;
    match value {
        Value::Undefined(_) => out.push_str("Undefined", by_template),
        Value::None => out.push_str("None", by_template),
        Value::Bool(true) => out.push_str("True", by_template),
        Value::Bool(false) => out.push_str("False", by_template),
        Value::Int(value) => out.push_str(&value.to_string(), by_template),
        Value::Float(value) => out.push_str(&float_repr(*value), by_template),
        Value::Str(text) if text.markup => {
            out.push_str("Markup(", by_template)?;
            push_str_repr(text, out)?;
            out.push_str(")", by_template)
        }
        Value::Str(text) => push_str_repr(text, out),
        Value::List(items) => push_items(&items.items, "[", "]", out),
        Value::Tuple(items) if items.items.len() == 1 => push_items(&items.items, "(", ",)", out),
        Value::Tuple(items) => push_items(&items.items, "(", ")", out),
        Value::Dict(dict) => push_dict(dict, out),
        Value::View(kind, dict) => push_view(*kind, dict, out),
        Value::Range(range) if range.step == 1 => {
            out.push_str(&format!("range({}, {})", range.start, range.stop), by_template)
        }
        Value::Range(range) => {
            out.push_str(&format!("range({}, {}, {})", range.start, range.stop, range.step), by_template)
        }
        Value::Namespace(namespace) => {
            out.push_str("<Namespace ", by_template)?;
            let attributes = Rc::clone(&namespace.attributes.borrow());
            push_repr(&Value::Dict(attributes), out)?;
            out.push_str(">", by_template)
        }
        Value::Macro(this) => match &this.name {
            Some(name) => out.push_str(&format!("<Macro '{name}'>"), by_template),
            None => out.push_str("<Macro anonymous>", by_template),
        },
        Value::Loop(state) if state.sized.is_some() => {
            let length = state.sized.unwrap_or(0);
            out.push_str(&format!("<LoopContext {}/{length}>", state.begun.get()), by_template)
        }
        other => Err(unsupported(format!(
            "printing a {} is not supported: Python would print an address in memory",
            other.type_name()
        ))),
    }
}

fn push_items(items: &[Value], open: &str, close: &str, out: &mut StrBuf<'_, '_>) -> Result<()> {
    out.push_str(open, Origin::Template)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ", Origin::Template)?;
        }
        push_repr(item, out)?;
    }
    out.push_str(close, Origin::Template)
}

fn push_dict(dict: &Dict, out: &mut StrBuf<'_, '_>) -> Result<()> {
    out.push_str("{", Origin::Template)?;
    for (index, (key, value)) in dict.entries.iter().enumerate() {
        if index > 0 {
            out.push_str(", ", Origin::Template)?;
        }
        push_repr(key, out)?;
        out.push_str(": ", Origin::Template)?;
        push_repr(value, out)?;
    }
    out.push_str("}", Origin::Template)
}

fn push_view(kind: ViewKind, dict: &Dict, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let name = match kind {
        ViewKind::Keys => "dict_keys([",
        ViewKind::Values => "dict_values([",
        ViewKind::Items => "dict_items([",
    };
    out.push_str(name, Origin::Template)?;
    for (index, (key, value)) in dict.entries.iter().enumerate() {
        if index > 0 {
            out.push_str(", ", Origin::Template)?;
        }
        match kind {
            ViewKind::Keys => push_repr(key, out)?,
            ViewKind::Values => push_repr(value, out)?,
            ViewKind::Items => {
                out.push_str("(", Origin::Template)?;
                push_repr(key, out)?;
                out.push_str(", ", Origin::Template)?;
                push_repr(value, out)?;
                out.push_str(")", Origin::Template)?;
            }
        }
    }
    out.push_str("])", Origin::Template)
}

fn push_str_repr(text: &Str, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let quote = if text.as_str().contains('\'') && !text.as_str().contains('"') { '"' } else { '\'' };
    out.push_char(quote, Origin::Template)?;
    let mut plain = 0;
    for (at, letter) in text.as_str().char_indices() {
        let code = u32::from(letter);
        let escaped = match letter {
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            _ if letter == quote => format!("\\{quote}"),
            ' '..='~' => continue,
            _ if is_printable(letter) => continue,
            _ if code <= 0xff => format!("\\x{code:02x}"),
            _ if code <= 0xffff => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        out.push_range(text, plain..at)?;
        out.push_str(&escaped, text.origin_at(at))?;
        plain = at + letter.len_utf8();
    }
    out.push_range(text, plain..text.as_str().len())?;
    out.push_char(quote, Origin::Template)
}

/// Whether Python prints a character as it is inside `repr`.
pub(crate) fn is_printable(letter: char) -> bool {
    if letter.is_ascii() {
        return matches!(letter, ' '..='~');
    }
    // As the second letter of a text, so that combining marks are not taken for the beginning of one.
    let mut text = String::from("x");
    text.push(letter);
    text.escape_debug().nth(1) == Some(letter)
}

/// `repr` of a float: the shortest digits that read back as the same number.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `html.escape` as MarkupSafe does it.
pub(crate) fn push_escaped(text: &Str, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let mut plain = 0;
    for (at, letter) in text.as_str().char_indices() {
        let escaped = match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\'' => "&#39;",
            '"' => "&#34;",
            _ => continue,
        };
        out.push_range(text, plain..at)?;
        out.push_str(escaped, text.origin_at(at))?;
        plain = at + 1;
    }
    out.push_range(text, plain..text.as_str().len())
}
