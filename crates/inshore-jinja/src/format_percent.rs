//! `'%s' % value`.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::numbers::{self, NumberStyle, Written};
use crate::print;
use crate::text::{Origin, Str, StrBuf};
use crate::value::Value;

#[derive(Default)]
struct Directive {
    left: bool,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

struct Arguments<'v> {
    values: &'v Value,
    next: usize,
    used_by_name: bool,
}

impl Arguments<'_> {
    fn next(&mut self) -> Result<Value> {
        let value = match self.values {
            Value::Tuple(items) => items.items.get(self.next).cloned(),
            other => (self.next == 0).then(|| other.clone()),
        };
        self.next += 1;
        value.ok_or_else(|| runtime("not enough arguments for format string"))
    }

    /// A number for `*`.
    fn number(&mut self) -> Result<i128> {
        self.next()?.as_int().ok_or_else(|| runtime("* wants int"))
    }

    fn all_used(&self) -> bool {
        match self.values {
            Value::Tuple(items) => self.next >= items.items.len(),
            Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_) => true,
            _ => self.next > 0 || self.used_by_name,
        }
    }
}

pub(crate) fn format(format: &Str, values: &Value, meter: &Meter<'_>) -> Result<Value> {
    if format.markup {
        return Err(unsupported("formatting an escaped string is not supported"));
    }
    let text = format.as_str();
    let mut out = StrBuf::new(meter)?;
    let mut arguments = Arguments { values, next: 0, used_by_name: false };
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|found| found + at) {
        out.push_range(format, at..percent)?;
        at = directive(format, percent + 1, &mut arguments, &mut out)?;
    }
    out.push_range(format, at..text.len())?;
    if !arguments.all_used() {
        return Err(runtime("not all arguments converted during string formatting"));
    }
    Ok(Value::Str(out.finish()))
}

/// Writes one directive, which begins behind its `%`; gives where it ends.
fn directive(format: &Str, from: usize, arguments: &mut Arguments<'_>, out: &mut StrBuf<'_, '_>) -> Result<usize> {
    let text = format.as_str();
    let incomplete = || runtime("incomplete format");
    let mut rest = text[from..].chars().peekable();
    let mut named = None;
    let mut at = from;
    if rest.peek() == Some(&'(') {
        let mut depth = 0;
        let end = text[from..].find(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth == 0
        });
        let end = from + end.ok_or_else(|| runtime("incomplete format key"))?;
        let Value::Dict(dict) = arguments.values else { return Err(runtime("format requires a mapping")) };
        let value = dict.get_str(&text[from + 1..end], out.meter())?;
        named = Some(value.cloned().ok_or_else(|| runtime("a key of the format is missing"))?);
        arguments.used_by_name = true;
        at = end + 1;
        rest = text[at..].chars().peekable();
    }
    let mut parsed = Directive::default();
    while let Some(&flag) = rest.peek() {
        match flag {
            '-' => parsed.left = true,
            '+' => parsed.sign = Some('+'),
            ' ' => parsed.sign = parsed.sign.or(Some(' ')),
            '#' => parsed.alternate = true,
            '0' => parsed.zero = true,
            _ => break,
        }
        rest.next();
        at += 1;
    }
    let mut number = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>, at: &mut usize| -> Result<Option<i128>> {
        if rest.peek() == Some(&'*') {
            rest.next();
            *at += 1;
            return arguments.number().map(Some);
        }
        let mut value = None;
        while let Some(digit) = rest.peek().and_then(|digit| digit.to_digit(10)) {
            let grown = value.unwrap_or(0i128) * 10 + i128::from(digit);
            value = Some(grown.min(i128::from(u32::MAX)));
            rest.next();
            *at += 1;
        }
        Ok(value)
    };
    if let Some(width) = number(&mut rest, &mut at)? {
        parsed.left |= width < 0;
        parsed.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
    }
    if rest.peek() == Some(&'.') {
        rest.next();
        at += 1;
        let precision = number(&mut rest, &mut at)?.unwrap_or(0);
        parsed.precision = Some(usize::try_from(precision).unwrap_or(0));
    }
    while rest.next_if(|letter| matches!(letter, 'h' | 'l' | 'L')).is_some() {
        at += 1;
    }
    let kind = rest.next().ok_or_else(incomplete)?;
    if kind == '%' {
        out.push_char('%', format.origin_at(at))?;
        return Ok(at + 1);
    }
    let value = match named {
        Some(value) => value,
        None => arguments.next()?,
    };
    write(kind, &value, &parsed, out)?;
    Ok(at + kind.len_utf8())
}

fn write(kind: char, value: &Value, directive: &Directive, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let meter = out.meter();
    match kind {
        's' => write_text(&print::to_str(value, meter)?, directive, out),
        'r' | 'a' => {
            let mut text = StrBuf::new(meter)?;
            print::push_repr(value, &mut text)?;
            let text = text.finish();
            if kind == 'a' && !text.is_ascii() {
                return Err(unsupported("%a of text that is not ASCII is not supported"));
            }
            write_text(&text, directive, out)
        }
        'c' => match value {
            Value::Str(text) if text.as_str().chars().count() == 1 => write_text(text, directive, out),
            other => {
                let code = other.as_int().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
                let letter = code.ok_or_else(|| runtime("%c requires int or char"))?;
                let text = Str::new(&letter.to_string(), Origin::Content, meter)?;
                write_text(&text, directive, out)
            }
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let integer = match value.defined()? {
                Value::Float(float) if matches!(kind, 'd' | 'i' | 'u') && float.is_finite() => {
                    if float.abs() >= 1e38 {
                        return Err(unsupported("the integer is too large"));
                    }
                    Some(float.trunc() as i128)
                }
                other => other.as_int(),
            };
            let name = value.type_name();
            let integer =
                integer.ok_or_else(|| runtime(format!("%{kind} format: a real number is required, not {name}")))?;
            let style =
                NumberStyle { kind: Some(kind), precision: None, alternate: directive.alternate, grouping: None };
            let mut written = numbers::integer(integer, style)?;
            if let Some(precision) = directive.precision {
                let missing = precision.saturating_sub(written.digits.len());
                let _room = meter.allocate(missing, 1)?;
                written.digits.insert_str(0, &"0".repeat(missing));
            }
            write_number(&written, directive, out)
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let name = value.defined()?.type_name();
            let float = crate::ops::number(value).ok_or_else(|| runtime(format!("must be real number, not {name}")))?;
            let precision = Some(directive.precision.unwrap_or(6));
            let style = NumberStyle { kind: Some(kind), precision, alternate: directive.alternate, grouping: None };
            write_number(&numbers::float(float, style)?, directive, out)
        }
        other => Err(runtime(format!("unsupported format character '{other}'"))),
    }
}

fn write_text(text: &Rc<Str>, directive: &Directive, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let meter = out.meter();
    let length = text.chars(meter)?;
    let shown = directive.precision.map_or(length, |precision| precision.min(length));
    let padding = directive.width.saturating_sub(shown);
    if !directive.left {
        out.push_repeated(' ', padding, Origin::Template)?;
    }
    out.push_range(text, 0..text.byte_of(shown, meter)?)?;
    if directive.left {
        out.push_repeated(' ', padding, Origin::Template)?;
    }
    Ok(())
}

fn write_number(written: &Written, directive: &Directive, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let sign = if written.negative { Some('-') } else { directive.sign };
    let length = usize::from(sign.is_some()) + written.prefix.len() + written.digits.len();
    let padding = directive.width.saturating_sub(length);
    let zeros = directive.zero && !directive.left;
    if !directive.left && !zeros {
        out.push_repeated(' ', padding, Origin::Template)?;
    }
    if let Some(sign) = sign {
        out.push_char(sign, Origin::Template)?;
    }
    out.push_str(written.prefix, Origin::Template)?;
    if zeros {
        out.push_repeated('0', padding, Origin::Template)?;
    }
    out.push_str(&written.digits, Origin::Template)?;
    if directive.left {
        out.push_repeated(' ', padding, Origin::Template)?;
    }
    Ok(())
}
