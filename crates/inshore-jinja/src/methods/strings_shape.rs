//! Case, padding, stripping, and questions about letters.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::lexer::is_space;
use crate::print::is_printable;
use crate::text::{Origin, Str, StrBuf};
use crate::value::Value;

pub(super) fn call(text: &Rc<Str>, name: &str, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "lower" => Ok(Value::Str(lower(text, meter)?)),
        "upper" => Ok(Value::Str(upper(text, meter)?)),
        "capitalize" => Ok(Value::Str(capitalize(text, meter)?)),
        "title" => title(text, meter),
        "swapcase" => swap_case(text, meter),
        "casefold" => casefold(text, meter),
        _ => asks(text.as_str(), name).map(Value::Bool),
    }
}

pub(crate) fn lower(text: &Str, meter: &Meter<'_>) -> Result<Rc<Str>> {
    meter.work(text.as_str().len())?;
    // The sigma at the end of a word has a form of its own, of the same length.
    let whole = text.as_str().to_lowercase();
    let mut out = StrBuf::new(meter)?;
    let mut from = 0;
    for (at, letter) in text.as_str().char_indices() {
        let length: usize = letter.to_lowercase().map(char::len_utf8).sum();
        let part = whole.get(from..from + length).ok_or_else(|| unsupported("this letter has no simple lower case"))?;
        out.push_str(part, text.origin_at(at))?;
        from += length;
    }
    Ok(out.finish())
}

pub(crate) fn upper(text: &Str, meter: &Meter<'_>) -> Result<Rc<Str>> {
    let mut out = StrBuf::new(meter)?;
    push_upper(text, 0..text.as_str().len(), &mut out)?;
    Ok(out.finish())
}

fn push_upper(text: &Str, range: std::ops::Range<usize>, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let start = range.start;
    for (at, letter) in text.as_str()[range].char_indices() {
        for letter in letter.to_uppercase() {
            out.push_char(letter, text.origin_at(start + at))?;
        }
    }
    Ok(())
}

/// The title case of a letter: that of its first form, for the few that have one.
fn title_case(letter: char) -> Result<String> {
    Ok(match u32::from(letter) {
        0x1c4..=0x1c6 => '\u{1c5}'.into(),
        0x1c7..=0x1c9 => '\u{1c8}'.into(),
        0x1ca..=0x1cc => '\u{1cb}'.into(),
        0x1f1..=0x1f3 => '\u{1f2}'.into(),
        // Georgian has capitals, but no titles.
        0x10d0..=0x10fa | 0x10fd..=0x10ff => letter.into(),
        0x1f80..=0x1fff => return Err(unsupported("the title case of polytonic Greek is not supported")),
        _ => {
            let mut upper = letter.to_uppercase();
            let first = upper.next().into_iter();
            first.chain(upper.flat_map(char::to_lowercase)).collect()
        }
    })
}

pub(crate) fn capitalize(text: &Str, meter: &Meter<'_>) -> Result<Rc<Str>> {
    let mut out = StrBuf::new(meter)?;
    let Some(first) = text.as_str().chars().next() else { return Ok(out.finish()) };
    out.push_str(&title_case(first)?, text.origin_at(0))?;
    let lowered = lower(text, meter)?;
    let skipped: usize = first.to_lowercase().map(char::len_utf8).sum();
    out.push_range(&lowered, skipped..lowered.as_str().len())?;
    Ok(out.finish())
}

fn is_cased(letter: char) -> bool {
    letter.is_lowercase() || letter.is_uppercase() || matches!(u32::from(letter), 0x1c5 | 0x1c8 | 0x1cb | 0x1f2)
}

fn title(text: &Str, meter: &Meter<'_>) -> Result<Value> {
    if text.as_str().contains('Σ') {
        return Err(unsupported("title() of a text with a capital sigma is not supported"));
    }
    let mut out = StrBuf::new(meter)?;
    let mut inside = false;
    for (at, letter) in text.as_str().char_indices() {
        let written = if inside { letter.to_lowercase().collect() } else { title_case(letter)? };
        out.push_str(&written, text.origin_at(at))?;
        inside = is_cased(letter);
    }
    Ok(Value::Str(out.finish()))
}

fn swap_case(text: &Str, meter: &Meter<'_>) -> Result<Value> {
    if text.as_str().contains('Σ') {
        return Err(unsupported("swapcase() of a text with a capital sigma is not supported"));
    }
    let mut out = StrBuf::new(meter)?;
    for (at, letter) in text.as_str().char_indices() {
        let written: String = if letter.is_uppercase() {
            letter.to_lowercase().collect()
        } else if letter.is_lowercase() {
            letter.to_uppercase().collect()
        } else {
            letter.into()
        };
        out.push_str(&written, text.origin_at(at))?;
    }
    Ok(Value::Str(out.finish()))
}

fn casefold(text: &Str, meter: &Meter<'_>) -> Result<Value> {
    let mut out = StrBuf::new(meter)?;
    for (at, letter) in text.as_str().char_indices() {
        match letter {
            'ß' | 'ẞ' => out.push_str("ss", text.origin_at(at))?,
            'µ' => out.push_str("μ", text.origin_at(at))?,
            '\0'..='\u{17e}' if letter != 'ŉ' && letter != 'İ' => {
                for letter in letter.to_lowercase() {
                    out.push_char(letter, text.origin_at(at))?;
                }
            }
            'А'..='я' | '\u{3000}'..='\u{9fff}' => {
                for letter in letter.to_lowercase() {
                    out.push_char(letter, text.origin_at(at))?;
                }
            }
            _ => return Err(unsupported("casefold() of letters outside Latin and Cyrillic is not supported")),
        }
    }
    Ok(Value::Str(out.finish()))
}

/// Letters whose properties Rust and Python name alike.
fn check_known(text: &str) -> Result<()> {
    let known = |letter: char| {
        matches!(u32::from(letter),
            0..=0x24f | 0x370..=0x3ff | 0x400..=0x481 | 0x48a..=0x52f | 0x1e00..=0x1eff | 0x2000..=0x206f
            | 0x3001..=0x3006 | 0x3041..=0x3096 | 0x30a1..=0x30fa | 0x4e00..=0x9fff | 0xac00..=0xd7a3 | 0x1f300..=0x1faff)
    };
    match text.chars().find(|letter| !known(*letter)) {
        None => Ok(()),
        Some(letter) => {
            Err(unsupported(format!("the properties of the letter U+{:04X} are not known here", u32::from(letter))))
        }
    }
}

/// A word's letter for `\w`.
pub(crate) fn is_word(letter: char) -> Result<bool> {
    check_known(letter.encode_utf8(&mut [0; 4]))?;
    Ok(letter == '_' || is_alphabetic(letter) || is_digit(letter) || letter.is_numeric())
}

fn is_alphabetic(letter: char) -> bool {
    letter.is_alphabetic()
}

/// Decimal digits and the superscripts of Latin 1.
fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, '²' | '³' | '¹')
}

fn asks(text: &str, name: &str) -> Result<bool> {
    let all = |test: &dyn Fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    if !matches!(name, "isascii" | "isspace" | "isprintable") {
        check_known(text)?;
    }
    Ok(match name {
        "isascii" => text.is_ascii(),
        "isspace" => all(&is_space),
        "isprintable" => text.chars().all(is_printable),
        "isalpha" => all(&is_alphabetic),
        "isdecimal" => all(&|letter| letter.is_ascii_digit()),
        "isdigit" => all(&is_digit),
        "isnumeric" => {
            if text.chars().any(|letter| u32::from(letter) >= 0x3000) {
                return Err(unsupported("isnumeric() of East Asian text is not supported"));
            }
            all(&char::is_numeric)
        }
        "isalnum" => all(&|letter| is_alphabetic(letter) || is_digit(letter) || letter.is_numeric()),
        "isidentifier" => {
            let first = text.chars().next().is_some_and(|letter| letter == '_' || is_alphabetic(letter));
            if !text.is_ascii() {
                return Err(unsupported("isidentifier() of text that is not ASCII is not supported"));
            }
            first && text.chars().all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
        }
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(is_not_lower),
        "isupper" => {
            text.chars().any(char::is_uppercase)
                && !text.chars().any(|letter| is_cased(letter) && !letter.is_uppercase())
        }
        "istitle" => is_title(text),
        other => return Err(unsupported(format!("the method '{other}' of a string is not supported"))),
    })
}

fn is_not_lower(letter: char) -> bool {
    is_cased(letter) && !letter.is_lowercase()
}

/// `str.islower` and `str.isupper`, for the tests of those names.
pub(crate) fn is_case(text: &str, name: &str) -> Result<bool> {
    asks(text, name)
}

fn is_title(text: &str) -> bool {
    let (mut cased, mut inside) = (false, false);
    for letter in text.chars() {
        let starts = is_cased(letter) && !letter.is_lowercase();
        if starts && inside || letter.is_lowercase() && !inside {
            return false;
        }
        inside = is_cased(letter);
        cased |= inside;
    }
    cased
}

pub(crate) fn strip(
    text: &Rc<Str>,
    letters: Option<&str>,
    left: bool,
    right: bool,
    meter: &Meter<'_>,
) -> Result<Value> {
    let whole = text.as_str();
    meter.work(whole.len().saturating_mul(letters.map_or(1, |letters| letters.len().max(1))))?;
    let strips = |letter: char| letters.map_or_else(|| is_space(letter), |letters| letters.contains(letter));
    let start = if left { whole.len() - whole.trim_start_matches(strips).len() } else { 0 };
    let end = if right { start + whole[start..].trim_end_matches(strips).len() } else { whole.len() };
    if start == 0 && end == whole.len() {
        return Ok(Value::Str(Rc::clone(text)));
    }
    Ok(Value::Str(text.slice(start..end, meter)?))
}

pub(crate) fn justify(
    text: &Rc<Str>,
    name: &str,
    width: usize,
    (fill, origin): (char, Origin),
    meter: &Meter<'_>,
) -> Result<Value> {
    let padding = width.saturating_sub(text.chars(meter)?);
    let before = match name {
        "rjust" => padding,
        // The odd one stands on the left only if the width is odd too.
        "center" => padding / 2 + (padding & width & 1),
        _ => 0,
    };
    let mut out = StrBuf::new(meter)?;
    out.push_repeated(fill, before, origin)?;
    out.push(text)?;
    out.push_repeated(fill, padding - before, origin)?;
    Ok(Value::Str(out.finish()))
}

pub(super) fn zfill(text: &Rc<Str>, width: usize, meter: &Meter<'_>) -> Result<Value> {
    let zeros = width.saturating_sub(text.chars(meter)?);
    let sign = usize::from(text.as_str().starts_with(['+', '-']));
    let mut out = StrBuf::new(meter)?;
    out.push_range(text, 0..sign)?;
    out.push_repeated('0', zeros, Origin::Template)?;
    out.push_range(text, sign..text.as_str().len())?;
    Ok(Value::Str(out.finish()))
}

pub(super) fn expand_tabs(text: &Rc<Str>, size: i128, meter: &Meter<'_>) -> Result<Value> {
    let size = usize::try_from(size.max(0)).map_err(|_| runtime("new string is too long"))?;
    let mut out = StrBuf::new(meter)?;
    let mut column = 0usize;
    for (at, letter) in text.as_str().char_indices() {
        match letter {
            '\t' => {
                let spaces = if size == 0 { 0 } else { size - column % size };
                out.push_repeated(' ', spaces, text.origin_at(at))?;
                column = column.saturating_add(spaces);
            }
            '\n' | '\r' => {
                column = 0;
                out.push_char(letter, text.origin_at(at))?;
            }
            _ => {
                column += 1;
                out.push_char(letter, text.origin_at(at))?;
            }
        }
    }
    Ok(Value::Str(out.finish()))
}
