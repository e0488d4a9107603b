//! Filters that lay text out in lines.

use std::ops::Range;
use std::rc::Rc;

use super::{soft_str, sorting};
use crate::arguments::CallArgs;
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::methods::strings_search::lines;
use crate::methods::strings_shape::is_word;
use crate::print;
use crate::tests;
use crate::text::{Origin, Str, StrBuf};
use crate::value::{Dict, Value};

/// The width of `pprint`.
const PRINT_WIDTH: usize = 80;

pub(super) fn call(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "indent" => indent(value, args, meter),
        "truncate" => truncate(value, args, meter),
        "wordwrap" => word_wrap(value, args, meter),
        "wordcount" => {
            args.none(name)?;
            let text = soft_str(value, meter)?;
            meter.work(text.as_str().len())?;
            let (mut count, mut inside) = (0, false);
            for letter in text.as_str().chars() {
                let word = is_word(letter)?;
                count += i128::from(word && !inside);
                inside = word;
            }
            Ok(Value::Int(count))
        }
        _ => {
            args.none(name)?;
            pretty(value, meter)
        }
    }
}

fn indent(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let args = args.bind("indent", &["width", "first", "blank"], 0)?;
    let text = value.string()?;
    if text.markup {
        return Err(unsupported("indenting an escaped string is not supported"));
    }
    let indentation = match args.get(0) {
        Some(Value::Str(text)) => Rc::clone(text),
        width => {
            let width = width.map_or(Ok(4), Value::int)?;
            let mut spaces = StrBuf::new(meter)?;
            spaces.push_repeated(' ', usize::try_from(width.max(0)).unwrap_or(usize::MAX), Origin::Template)?;
            spaces.finish()
        }
    };
    let (first, blank) = (args.is_true(1), args.is_true(2));
    // Jinja appends a line break before it cuts the lines.
    let mut with_end = StrBuf::new(meter)?;
    with_end.push(text)?;
    with_end.push_str("\n", Origin::Template)?;
    let text = with_end.finish();
    let mut out = StrBuf::new(meter)?;
    for (index, line) in lines(text.as_str(), false, meter)?.into_iter().enumerate() {
        if index > 0 {
            out.push_str("\n", Origin::Template)?;
        }
        let indents = if index == 0 { first } else { blank || !line.is_empty() };
        if indents {
            out.push(&indentation)?;
        }
        out.push_range(&text, line)?;
    }
    Ok(Value::Str(out.finish()))
}

fn truncate(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let args = args.bind("truncate", &["length", "killwords", "end", "leeway"], 0)?;
    let length = args.int_or(0, 255)?;
    let end = match args.get(2) {
        Some(end) => Rc::clone(end.string()?),
        None => Str::template("...", meter)?,
    };
    let end_length = end.chars(meter)? as i128;
    let leeway = match args.some(3) {
        Some(leeway) => leeway.int()?,
        None => 5,
    };
    if length < end_length || leeway < 0 {
        return Err(runtime(format!("expected length >= {end_length}, got {length}")));
    }
    let Value::Str(text) = value else {
        if tests::length(value, meter)? as i128 <= length.saturating_add(leeway) {
            return Ok(value.clone());
        }
        return Err(runtime(format!("'{}' object cannot be truncated", value.type_name())));
    };
    if text.chars(meter)? as i128 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    if text.markup {
        return Err(unsupported("truncating an escaped string is not supported"));
    }
    let mut cut = text.byte_of(usize::try_from(length - end_length).unwrap_or(0), meter)?;
    if !args.is_true(1) {
        cut = text.as_str()[..cut].rfind(' ').unwrap_or(cut);
    }
    let mut out = StrBuf::new(meter)?;
    out.push_range(text, 0..cut)?;
    out.push(&end)?;
    Ok(Value::Str(out.finish()))
}

/// What `textwrap` calls white space.
fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

fn word_wrap(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let args = args.bind("wordwrap", &["width", "break_long_words", "wrapstring", "break_on_hyphens"], 0)?;
    let width = args.int_or(0, 79)?;
    let break_words = args.get(1).is_none_or(Value::is_true);
    let newline = match args.some(2) {
        Some(text) => Rc::clone(text.string()?),
        None => Str::template("\n", meter)?,
    };
    let text = value.string()?;
    if args.get(3).is_none_or(Value::is_true) && text.as_str().contains('-') {
        return Err(unsupported("wrapping words with hyphens is not supported"));
    }
    let width = usize::try_from(width).unwrap_or(0);
    let mut out = StrBuf::new(meter)?;
    let mut first = true;
    for line in lines(text.as_str(), false, meter)? {
        if !line.is_empty() && width == 0 {
            return Err(runtime("invalid width (must be > 0)"));
        }
        let mut wrapped = wrap_line(text, line, width, break_words, meter)?;
        if wrapped.is_empty() {
            wrapped.push(0..0);
        }
        for part in wrapped {
            if !std::mem::take(&mut first) {
                out.push(&newline)?;
            }
            out.push_range(text, part)?;
        }
    }
    Ok(Value::Str(out.finish()))
}

/// The parts of one line, as `textwrap.wrap` cuts it where no word has a hyphen.
fn wrap_line(
    text: &Str,
    line: Range<usize>,
    width: usize,
    break_words: bool,
    meter: &Meter<'_>,
) -> Result<Vec<Range<usize>>> {
    let mut chunks: Vec<(Range<usize>, usize, bool)> = Vec::new();
    for (at, letter) in text.as_str()[line.clone()].char_indices() {
        let at = line.start + at;
        let end = at + letter.len_utf8();
        match chunks.last_mut() {
            Some((range, letters, blank)) if *blank == is_blank(letter) => {
                range.end = end;
                *letters += 1;
            }
            _ => {
                meter.work(32)?;
                chunks.push((at..end, 1, is_blank(letter)));
            }
        }
    }
    chunks.reverse();
    let mut wrapped: Vec<Range<usize>> = Vec::new();
    while let Some(last) = chunks.last() {
        if last.2 && !wrapped.is_empty() {
            chunks.pop();
            if chunks.is_empty() {
                break;
            }
        }
        let mut current: Vec<(Range<usize>, usize, bool)> = Vec::new();
        let mut length = 0;
        while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.1 <= width) {
            length += chunk.1;
            current.push(chunk);
        }
        if let Some((range, letters, blank)) = chunks.last_mut().filter(|chunk| chunk.1 > width) {
            let room = width - length;
            if break_words {
                let start = range.start;
                let cut = text.as_str()[range.clone()].char_indices().nth(room).map_or(range.end, |(at, _)| start + at);
                meter.work(room + 8)?;
                current.push((start..cut, room, *blank));
                range.start = cut;
                *letters -= room;
            } else if current.is_empty() {
                current.extend(chunks.pop());
            }
        }
        if current.last().is_some_and(|chunk| chunk.2) {
            current.pop();
        }
        if let (Some(first), Some(last)) = (current.first(), current.last()) {
            wrapped.push(first.0.start..last.0.end);
        }
    }
    Ok(wrapped)
}

/// `pprint.pformat`, as long as one line holds it.
fn pretty(value: &Value, meter: &Meter<'_>) -> Result<Value> {
    let mut out = StrBuf::new(meter)?;
    print::push_repr(&sorted(value, meter)?, &mut out)?;
    let text = out.finish();
    if text.chars(meter)? > PRINT_WIDTH {
        return Err(unsupported(format!("pprint of more than {PRINT_WIDTH} characters is not supported")));
    }
    Ok(Value::Str(text))
}

fn sorted(value: &Value, meter: &Meter<'_>) -> Result<Value> {
    meter.enter()?;
    let copied = match value {
        Value::Dict(dict) => {
            let mut copy = Dict::new(meter)?;
            for (key, value) in sorting::sorted_dict(dict, meter)? {
                copy.insert(key, sorted(&value, meter)?, meter)?;
            }
            Value::Dict(Rc::new(copy))
        }
        Value::List(items) => {
            Value::list(items.items.iter().map(|item| sorted(item, meter)).collect::<Result<_>>()?, meter)?
        }
        Value::Tuple(items) => {
            Value::tuple(items.items.iter().map(|item| sorted(item, meter)).collect::<Result<_>>()?, meter)?
        }
        other => other.clone(),
    };
    meter.leave();
    Ok(copied)
}
