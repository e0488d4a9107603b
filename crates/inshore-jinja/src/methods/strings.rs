//! Methods of strings: which there are, and what they take.

use std::rc::Rc;

pub(crate) use super::strings_shape::is_case;
use super::{strings_search as search, strings_shape as shape};
use crate::arguments::{Bound, CallArgs};
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::format_str;
use crate::iterate;
use crate::slices;
use crate::text::{Str, StrBuf};
use crate::value::Value;

pub(super) fn call(text: &Rc<Str>, name: &'static str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    meter.work(text.as_str().len())?;
    match name {
        "format" => {
            let mut fields = format_str::Fields::new(&args.positional, &args.named, None);
            formatted(text, &mut fields, meter)
        }
        "format_map" => {
            let mut args = args.bind(name, &["/mapping"], 1)?;
            let mapping = args.take(0);
            let mut fields = format_str::Fields::new(&[], &[], Some(&mapping));
            formatted(text, &mut fields, meter)
        }
        "startswith" | "endswith" => ends(text, name, args, meter),
        "find" | "rfind" | "index" | "rindex" | "count" => find(text, name, args, meter),
        "split" | "rsplit" => {
            let args = args.bind(name, &["sep", "maxsplit"], 0)?;
            let separator = args.some(0).map(Value::string).transpose()?;
            let most = usize::try_from(args.int_or(1, -1)?).unwrap_or(usize::MAX);
            let parts = match (separator, name) {
                (Some(separator), _) if separator.as_str().is_empty() => return Err(runtime("empty separator")),
                (Some(separator), "split") => search::split(text, separator.as_str(), most, meter)?,
                (Some(separator), _) => search::rsplit(text, separator.as_str(), most, meter)?,
                (None, "split") => search::split_spaces(text, most, meter)?,
                (None, _) => search::rsplit_spaces(text, most, meter)?,
            };
            Value::list(parts, meter)
        }
        "splitlines" => {
            let args = args.bind(name, &["keepends"], 0)?;
            let lines = search::lines(text.as_str(), args.is_true(0), meter)?;
            let lines = lines.into_iter().map(|range| text.slice(range, meter).map(Value::Str));
            Value::list(lines.collect::<Result<_>>()?, meter)
        }
        "partition" | "rpartition" => {
            let mut args = args.bind(name, &["/sep"], 1)?;
            search::partition(text, args.take(0).string()?, name == "rpartition", meter)
        }
        "replace" => {
            let mut args = args.bind(name, &["/old", "/new", "/count"], 2)?;
            let (old, new) = (args.take(0), args.take(1));
            let most = usize::try_from(args.int_or(2, -1)?).unwrap_or(usize::MAX);
            Ok(Value::Str(search::replace(text, old.string()?, new.string()?, most, meter)?))
        }
        "join" => {
            let mut args = args.bind(name, &["/iterable"], 1)?;
            join(text, &args.take(0), meter)
        }
        "strip" | "lstrip" | "rstrip" => {
            let args = args.bind(name, &["/chars"], 0)?;
            let letters = args.some(0).map(Value::string).transpose()?;
            shape::strip(text, letters.map(|letters| letters.as_str()), name != "rstrip", name != "lstrip", meter)
        }
        "removeprefix" | "removesuffix" => {
            let mut args = args.bind(name, &["/affix"], 1)?;
            let affix = args.take(0);
            let (whole, affix) = (text.as_str(), affix.string()?.as_str());
            let rest = if name == "removeprefix" {
                whole.strip_prefix(affix).map(|rest| whole.len() - rest.len()..whole.len())
            } else {
                whole.strip_suffix(affix).map(|rest| 0..rest.len())
            };
            Ok(Value::Str(text.slice(rest.unwrap_or(0..whole.len()), meter)?))
        }
        "center" | "ljust" | "rjust" | "zfill" | "expandtabs" => pad(text, name, args, meter),
        "encode" | "maketrans" | "translate" => {
            Err(unsupported(format!("the method '{name}' of a string is not supported")))
        }
        _ => {
            args.none(name)?;
            shape::call(text, name, meter)
        }
    }
}

fn formatted(text: &Rc<Str>, fields: &mut format_str::Fields<'_>, meter: &Meter<'_>) -> Result<Value> {
    let mut out = StrBuf::new(meter)?;
    format_str::push(text, 0..text.as_str().len(), fields, false, &mut out)?;
    Ok(Value::Str(out.finish()))
}

/// The bytes of `text[start:stop]`, with the bounds in arguments `at` and `at + 1`; `None` if start lies behind the end.
fn bounds(text: &Str, args: &mut Bound, at: usize, meter: &Meter<'_>) -> Result<Option<std::ops::Range<usize>>> {
    let parts = [args.take(at), args.take(at + 1), Value::None];
    let length = text.chars(meter)?;
    if parts[0].as_int().is_some_and(|start| start > length as i128) {
        return Ok(None);
    }
    let (start, stop, _) = slices::slice_indices(&parts, length)?;
    if start > stop {
        return Ok(None);
    }
    Ok(Some(text.byte_of(start as usize, meter)?..text.byte_of(stop as usize, meter)?))
}

fn ends(text: &Rc<Str>, name: &str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind(name, &["/affix", "/start", "/stop"], 1)?;
    let affix = args.take(0);
    let affixes = match &affix {
        Value::Tuple(items) => items.items.clone(),
        Value::Str(_) => vec![affix],
        other => {
            let kind = other.type_name();
            return Err(runtime(format!("{name} first arg must be str or a tuple of str, not {kind}")));
        }
    };
    let Some(range) = bounds(text, &mut args, 1, meter)? else { return Ok(Value::Bool(false)) };
    let part = &text.as_str()[range];
    let mut found = false;
    for affix in &affixes {
        let affix = affix.string()?.as_str();
        meter.work(affix.len())?;
        found |= if name == "startswith" { part.starts_with(affix) } else { part.ends_with(affix) };
    }
    Ok(Value::Bool(found))
}

fn find(text: &Rc<Str>, name: &str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind(name, &["/sub", "/start", "/stop"], 1)?;
    let wanted = args.take(0);
    let wanted = wanted.string()?.as_str();
    let range = bounds(text, &mut args, 1, meter)?;
    if name == "count" {
        let Some(range) = range else { return Ok(Value::Int(0)) };
        let part = &text.as_str()[range];
        meter.work(part.len() + wanted.len())?;
        let count = if wanted.is_empty() { part.chars().count() + 1 } else { part.matches(wanted).count() };
        return Ok(Value::Int(count as i128));
    }
    let found = range.and_then(|range| {
        let part = &text.as_str()[range.clone()];
        let at = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
        at.map(|at| range.start + at)
    });
    match found {
        Some(at) if text.is_ascii() => Ok(Value::Int(at as i128)),
        Some(at) => Ok(Value::Int(text.as_str()[..at].chars().count() as i128)),
        None if name.ends_with("find") => Ok(Value::Int(-1)),
        None => Err(runtime("substring not found")),
    }
}

fn join(separator: &Rc<Str>, parts: &Value, meter: &Meter<'_>) -> Result<Value> {
    let mut out = StrBuf::new(meter)?;
    for (index, part) in iterate::list(parts, meter)?.iter().enumerate() {
        let Value::Str(part) = part else {
            let kind = part.type_name();
            return Err(runtime(format!("sequence item {index}: expected str instance, {kind} found")));
        };
        if index > 0 {
            out.push(separator)?;
        }
        out.push(part)?;
    }
    Ok(Value::Str(out.finish()))
}

fn pad(text: &Rc<Str>, name: &str, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    if name == "expandtabs" {
        let args = args.bind(name, &["tabsize"], 0)?;
        return shape::expand_tabs(text, args.int_or(0, 8)?, meter);
    }
    let args = args.bind(name, &["/width", "/fillchar"], 1)?;
    let width = usize::try_from(args.int_or(0, 0)?).unwrap_or(0);
    if name == "zfill" {
        return shape::zfill(text, width, meter);
    }
    let fill = match args.get(1) {
        None => ' ',
        Some(value) => {
            let mut letters = value.string()?.as_str().chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => letter,
                _ => return Err(runtime("The fill character must be exactly one character long")),
            }
        }
    };
    let origin =
        args.get(1).and_then(|value| value.string().ok()).map_or(crate::Origin::Template, |text| text.origin());
    shape::justify(text, name, width, (fill, origin), meter)
}
