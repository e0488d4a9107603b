//! Filters on strings.

use std::rc::Rc;

use super::soft_str;
use crate::arguments::CallArgs;
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::format_percent;
use crate::iterate;
use crate::lexer::is_space;
use crate::methods::{strings_search, strings_shape};
use crate::print;
use crate::text::{Origin, Str, StrBuf};
use crate::value::{Dict, Value};

pub(super) fn call(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "center" => {
            let args = args.bind(name, &["width"], 0)?;
            let width = usize::try_from(args.int_or(0, 80)?).unwrap_or(0);
            strings_shape::justify(&soft_str(value, meter)?, name, width, (' ', Origin::Template), meter)
        }
        "trim" => {
            let args = args.bind(name, &["chars"], 0)?;
            let letters = args.some(0).map(Value::string).transpose()?;
            let letters = letters.map(|letters| letters.as_str());
            strings_shape::strip(&soft_str(value, meter)?, letters, true, true, meter)
        }
        "format" => {
            if !args.positional.is_empty() && !args.named.is_empty() {
                return Err(runtime("can't handle positional and keyword arguments at the same time"));
            }
            let values = if args.named.is_empty() {
                Value::tuple(args.positional, meter)?
            } else {
                let mut dict = Dict::new(meter)?;
                for (name, value) in args.named {
                    dict.insert(Value::template_str(&name, meter)?, value, meter)?;
                }
                Value::Dict(Rc::new(dict))
            };
            format_percent::format(&*soft_str(value, meter)?, &values, meter)
        }
        "replace" => {
            let mut args = args.bind(name, &["old", "new", "count"], 2)?;
            let most = match args.some(2) {
                Some(count) => usize::try_from(count.int()?).unwrap_or(usize::MAX),
                None => usize::MAX,
            };
            let old = print::to_str(&args.take(0), meter)?;
            let new = print::to_str(&args.take(1), meter)?;
            let text = print::to_str(value, meter)?;
            Ok(Value::Str(strings_search::replace(&text, &old, &new, most, meter)?))
        }
        "xmlattr" => xml_attributes(value, args, meter),
        _ => {
            args.none(name)?;
            plain(name, value, meter)
        }
    }
}

fn plain(name: &str, value: &Value, meter: &Meter<'_>) -> Result<Value> {
    Ok(Value::Str(match name {
        "capitalize" => strings_shape::capitalize(&*soft_str(value, meter)?, meter)?,
        "lower" => strings_shape::lower(&*soft_str(value, meter)?, meter)?,
        "upper" => strings_shape::upper(&*soft_str(value, meter)?, meter)?,
        "title" => title(&soft_str(value, meter)?, meter)?,
        "string" => match value {
            Value::Str(text) => Rc::clone(text),
            other => print::to_str(other, meter)?,
        },
        "escape" | "e" => match value {
            Value::Str(text) if text.markup => Rc::clone(text),
            other => escaped(other, meter)?,
        },
        "forceescape" => escaped(value, meter)?,
        "safe" => {
            let mut out = StrBuf::new(meter)?;
            print::push_str(value, &mut out)?;
            out.finish_as(true)
        }
        "striptags" => strip_tags(&print::to_str(value, meter)?, meter)?,
        _ => return url_encode(value, meter),
    }))
}

fn escaped(value: &Value, meter: &Meter<'_>) -> Result<Rc<Str>> {
    let text = print::to_str(value, meter)?;
    let mut out = StrBuf::new(meter)?;
    print::push_escaped(&text, &mut out)?;
    Ok(out.finish_as(true))
}

/// Jinja's own title case: words begin behind white space, hyphens and opening brackets.
fn title(text: &Rc<Str>, meter: &Meter<'_>) -> Result<Rc<Str>> {
    let lowered = strings_shape::lower(text, meter)?;
    let simple = lowered.as_str().len() == text.as_str().len() && !text.as_str().contains('Σ');
    if !simple {
        return Err(unsupported("the filter 'title' of these letters is not supported"));
    }
    let mut out = StrBuf::new(meter)?;
    let mut at_start = true;
    for (at, letter) in text.as_str().char_indices() {
        if at_start {
            for upper in letter.to_uppercase() {
                out.push_char(upper, text.origin_at(at))?;
            }
        } else {
            out.push_range(&lowered, at..at + letter.len_utf8())?;
        }
        at_start = is_space(letter) || matches!(letter, '-' | '(' | '{' | '[' | '<');
    }
    Ok(out.finish())
}

fn strip_tags(text: &Rc<Str>, meter: &Meter<'_>) -> Result<Rc<Str>> {
    let mut text = Rc::clone(text);
    for (open, close) in [("<!--", "-->"), ("<", ">")] {
        while let Some(start) = text.as_str().find(open) {
            meter.work(text.as_str().len())?;
            let Some(end) = text.as_str()[start..].find(close) else { break };
            let mut out = StrBuf::new(meter)?;
            out.push_range(&text, 0..start)?;
            out.push_range(&text, start + end + close.len()..text.as_str().len())?;
            text = out.finish();
        }
    }
    if text.as_str().contains('&') {
        return Err(unsupported("striptags of text with an ampersand is not supported"));
    }
    let mut out = StrBuf::new(meter)?;
    for (index, word) in strings_search::split_spaces(&text, usize::MAX, meter)?.iter().enumerate() {
        if index > 0 {
            out.push_str(" ", Origin::Template)?;
        }
        out.push(word.string()?)?;
    }
    Ok(out.finish())
}

fn xml_attributes(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let args = args.bind("xmlattr", &["autospace"], 0)?;
    let spaced = args.get(0).is_none_or(Value::is_true);
    let Value::Dict(dict) = value.defined()? else {
        return Err(runtime(format!("'{}' object has no attribute 'items'", value.type_name())));
    };
    let mut out = StrBuf::new(meter)?;
    for (key, value) in &dict.entries {
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        let key = key.string()?;
        if key.as_str().contains(|letter: char| matches!(letter, ' ' | '\t'..='\r' | '/' | '>' | '=')) {
            return Err(runtime("Invalid character in attribute name"));
        }
        if !out.is_empty() || spaced {
            out.push_str(" ", Origin::Template)?;
        }
        print::push_escaped(key, &mut out)?;
        out.push_str("=\"", Origin::Template)?;
        match value {
            Value::Str(text) if text.markup => out.push(text)?,
            other => print::push_escaped(&*print::to_str(other, meter)?, &mut out)?,
        }
        out.push_str("\"", Origin::Template)?;
    }
    Ok(Value::Str(out.finish()))
}

fn url_encode(value: &Value, meter: &Meter<'_>) -> Result<Value> {
    let mut out = StrBuf::new(meter)?;
    let pairs = match value {
        Value::Str(_) | Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => None,
        Value::Dict(dict) => Some(dict.entries.clone()),
        other => {
            let mut pairs = Vec::new();
            for item in iterate::list(other, meter)? {
                let pair = iterate::list(&item, meter)?;
                let [key, value] = pair.as_slice() else { return Err(runtime("pairs of key and value are expected")) };
                pairs.push((key.clone(), value.clone()));
            }
            Some(pairs)
        }
    };
    match pairs {
        None => quote(value, false, &mut out)?,
        Some(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push_str("&", Origin::Template)?;
                }
                quote(key, true, &mut out)?;
                out.push_str("=", Origin::Template)?;
                quote(value, true, &mut out)?;
            }
        }
    }
    Ok(Value::Str(out.finish()))
}

fn quote(value: &Value, in_query: bool, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let text = print::to_str(value, out.meter())?;
    for (at, byte) in text.as_str().bytes().enumerate() {
        let origin = text.origin_at(at);
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push_char(byte.into(), origin)?
            }
            b'/' if !in_query => out.push_char('/', origin)?,
            b' ' if in_query => out.push_char('+', origin)?,
            _ => out.push_str(&format!("%{byte:02X}"), origin)?,
        }
    }
    Ok(())
}
