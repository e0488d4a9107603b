//! Splitting and replacing.

use std::ops::Range;
use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Result, runtime};
use crate::lexer::is_space;
use crate::text::{Str, StrBuf};
use crate::value::Value;

fn slices(text: &Str, ranges: Vec<Range<usize>>, meter: &Meter<'_>) -> Result<Vec<Value>> {
    let _room = meter.allocate(ranges.len(), size_of::<Value>())?;
    ranges.into_iter().map(|range| text.slice(range, meter).map(Value::Str)).collect()
}

pub(crate) fn split(text: &Str, separator: &str, most: usize, meter: &Meter<'_>) -> Result<Vec<Value>> {
    meter.work(text.as_str().len() + separator.len())?;
    let mut ranges = Vec::new();
    let mut from = 0;
    for (at, found) in text.as_str().match_indices(separator).take(most) {
        meter.work(size_of::<Range<usize>>())?;
        ranges.push(from..at);
        from = at + found.len();
    }
    ranges.push(from..text.as_str().len());
    slices(text, ranges, meter)
}

pub(crate) fn rsplit(text: &Str, separator: &str, most: usize, meter: &Meter<'_>) -> Result<Vec<Value>> {
    meter.work(text.as_str().len() + separator.len())?;
    let mut ranges = Vec::new();
    let mut to = text.as_str().len();
    for (at, found) in text.as_str().rmatch_indices(separator).take(most) {
        meter.work(size_of::<Range<usize>>())?;
        ranges.push(at + found.len()..to);
        to = at;
    }
    ranges.push(0..to);
    ranges.reverse();
    slices(text, ranges, meter)
}

pub(crate) fn split_spaces(text: &Str, most: usize, meter: &Meter<'_>) -> Result<Vec<Value>> {
    let whole = text.as_str();
    meter.work(whole.len())?;
    let mut ranges = Vec::new();
    let skip = |at: usize| whole.len() - whole[at..].trim_start_matches(is_space).len();
    let mut at = skip(0);
    while at < whole.len() {
        let end = whole[at..].find(is_space).map_or(whole.len(), |end| end + at);
        if ranges.len() == most {
            ranges.push(at..whole.len());
            break;
        }
        ranges.push(at..end);
        at = skip(end);
    }
    slices(text, ranges, meter)
}

pub(crate) fn rsplit_spaces(text: &Str, most: usize, meter: &Meter<'_>) -> Result<Vec<Value>> {
    let whole = text.as_str();
    meter.work(whole.len())?;
    let mut ranges = Vec::new();
    let mut end = whole.trim_end_matches(is_space).len();
    while end > 0 {
        if ranges.len() == most {
            ranges.push(0..end);
            break;
        }
        let start = whole[..end].trim_end_matches(|letter| !is_space(letter)).len();
        ranges.push(start..end);
        end = whole[..start].trim_end_matches(is_space).len();
    }
    ranges.reverse();
    slices(text, ranges, meter)
}

/// The lines of a text, as `splitlines` cuts them.
pub(crate) fn lines(text: &str, keep_ends: bool, meter: &Meter<'_>) -> Result<Vec<Range<usize>>> {
    meter.work(text.len())?;
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let breaks = matches!(
            letter,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        );
        if !breaks {
            continue;
        }
        meter.work(size_of::<Range<usize>>())?;
        let mut end = at + letter.len_utf8();
        if letter == '\r' && letters.next_if(|next| next.1 == '\n').is_some() {
            end += 1;
        }
        ranges.push(start..if keep_ends { end } else { at });
        start = end;
    }
    if start < text.len() {
        ranges.push(start..text.len());
    }
    Ok(ranges)
}

pub(crate) fn partition(text: &Rc<Str>, separator: &Str, last: bool, meter: &Meter<'_>) -> Result<Value> {
    let (whole, separator) = (text.as_str(), separator.as_str());
    if separator.is_empty() {
        return Err(runtime("empty separator"));
    }
    meter.work(whole.len() + separator.len())?;
    let found = if last { whole.rfind(separator) } else { whole.find(separator) };
    let end = whole.len();
    let ranges = match (found, last) {
        (Some(at), _) => [0..at, at..at + separator.len(), at + separator.len()..end],
        (None, false) => [0..end, end..end, end..end],
        (None, true) => [0..0, 0..0, 0..end],
    };
    Value::tuple(slices(text, ranges.into(), meter)?, meter)
}

pub(crate) fn replace(text: &Str, old: &Str, new: &Str, most: usize, meter: &Meter<'_>) -> Result<Rc<Str>> {
    let whole = text.as_str();
    meter.work(whole.len() + old.as_str().len())?;
    let mut out = StrBuf::new(meter)?;
    let mut from = 0;
    if old.as_str().is_empty() {
        // Between all letters, and at both ends.
        let ends = whole.char_indices().map(|(at, _)| at).chain([whole.len()]);
        for at in ends.take(most) {
            meter.work(1)?;
            out.push_range(text, from..at)?;
            out.push(new)?;
            from = at;
        }
    } else {
        for (at, found) in whole.match_indices(old.as_str()).take(most) {
            meter.work(1)?;
            out.push_range(text, from..at)?;
            out.push(new)?;
            from = at + found.len();
        }
    }
    out.push_range(text, from..whole.len())?;
    Ok(out.finish())
}
