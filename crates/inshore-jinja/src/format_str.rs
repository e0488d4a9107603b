//! `'{}'.format(value)`, and Python's format specifications.

use std::rc::Rc;

use crate::attributes;
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::numbers::{self, NumberStyle, Written};
use crate::print;
use crate::text::{Origin, Str, StrBuf};
use crate::value::Value;

/// What the fields of a format string refer to.
pub(crate) struct Fields<'v> {
    pub(crate) positional: &'v [Value],
    pub(crate) named: &'v [(String, Value)],
    /// For `format_map`.
    pub(crate) mapping: Option<&'v Value>,
    /// The next field without a number; `None` once a field had one.
    next: Option<usize>,
    numbered: bool,
}

impl<'v> Fields<'v> {
    pub(crate) fn new(positional: &'v [Value], named: &'v [(String, Value)], mapping: Option<&'v Value>) -> Self {
        Self { positional, named, mapping, next: Some(0), numbered: false }
    }

    fn automatic(&mut self) -> Result<usize> {
        match self.next {
            Some(index) if !self.numbered => {
                self.next = Some(index + 1);
                Ok(index)
            }
            _ => Err(runtime("cannot switch from manual field specification to automatic field numbering")),
        }
    }

    fn first(&mut self, name: &str, meter: &Meter<'_>) -> Result<Value> {
        let index = if name.is_empty() {
            Some(self.automatic()?)
        } else if name.bytes().all(|digit| digit.is_ascii_digit()) {
            if self.next.is_some_and(|next| next > 0) {
                return Err(runtime("cannot switch from automatic field numbering to manual field specification"));
            }
            self.numbered = true;
            Some(name.parse().map_err(|_| runtime("Too many decimal digits in format string"))?)
        } else {
            None
        };
        if self.mapping.is_some() && index.is_some() {
            return Err(runtime("Format string contains positional fields"));
        }
        match index {
            Some(index) => self
                .positional
                .get(index)
                .cloned()
                .ok_or_else(|| runtime(format!("Replacement index {index} out of range for positional args tuple"))),
            None => {
                let found = match self.mapping {
                    Some(mapping) => match mapping {
                        Value::Dict(dict) => dict.get_str(name, meter)?.cloned(),
                        other => Some(attributes::item(other, &Value::template_str(name, meter)?, meter)?),
                    },
                    None => self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
                };
                found.ok_or_else(|| runtime(format!("KeyError: '{name}'")))
            }
        }
    }
}

/// Writes `format` with its fields. `nested`: it is itself a specification, whose fields have none.
pub(crate) fn push(
    format: &Str,
    range: std::ops::Range<usize>,
    fields: &mut Fields<'_>,
    nested: bool,
    out: &mut StrBuf<'_, '_>,
) -> Result<()> {
    let text = &format.as_str()[..range.end];
    let mut at = range.start;
    while let Some(brace) = text[at..].find(['{', '}']).map(|found| found + at) {
        out.push_range(format, at..brace)?;
        let letter = &text[brace..=brace];
        if text[brace + 1..].starts_with(letter) && !nested {
            out.push_range(format, brace..brace + 1)?;
            at = brace + 2;
            continue;
        }
        if letter == "}" {
            return Err(runtime("Single '}' encountered in format string"));
        }
        let end = field_end(text, brace + 1)?;
        field(format, brace + 1..end, fields, nested, out)?;
        at = end + 1;
    }
    out.push_range(format, at..text.len())
}

/// Where the field that begins at `from` has its closing brace.
fn field_end(text: &str, from: usize) -> Result<usize> {
    let mut depth = 1;
    let end = text[from..].find(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        depth == 0
    });
    end.map(|end| end + from).ok_or_else(|| runtime("expected '}' before end of string"))
}

fn field(
    format: &Str,
    range: std::ops::Range<usize>,
    fields: &mut Fields<'_>,
    nested: bool,
    out: &mut StrBuf<'_, '_>,
) -> Result<()> {
    let meter = out.meter();
    let text = &format.as_str()[..range.end];
    let mut bracket = false;
    let name_end = text[range.start..].find(|letter| {
        bracket = (bracket || letter == '[') && letter != ']';
        !bracket && matches!(letter, '!' | ':')
    });
    let name_end = name_end.map_or(text.len(), |end| end + range.start);
    let mut value = lookup(&text[range.start..name_end], fields, meter)?;
    let mut at = name_end;
    if text[at..].starts_with('!') {
        let kind = text[at + 1..].chars().next().ok_or_else(|| runtime("unmatched '{' in format spec"))?;
        value = converted(kind, &value, meter)?;
        at += 1 + kind.len_utf8();
        if at < text.len() && !text[at..].starts_with(':') {
            return Err(runtime("expected ':' after conversion specifier"));
        }
    }
    let mut spec = StrBuf::new(meter)?;
    if at < text.len() {
        if nested {
            return Err(runtime("Max string recursion exceeded"));
        }
        push(format, at + 1..text.len(), fields, true, &mut spec)?;
    }
    push_formatted(&value, &spec.finish(), out)
}

fn converted(kind: char, value: &Value, meter: &Meter<'_>) -> Result<Value> {
    match kind {
        's' => Ok(Value::Str(print::to_str(value, meter)?)),
        'r' | 'a' => {
            let mut out = StrBuf::new(meter)?;
            print::push_repr(value, &mut out)?;
            let text = out.finish();
            if kind == 'a' && !text.is_ascii() {
                return Err(unsupported("!a of text that is not ASCII is not supported"));
            }
            Ok(Value::Str(text))
        }
        other => Err(runtime(format!("Unknown conversion specifier '{other}'"))),
    }
}

/// `name`, `name.attribute`, `name[item]`.
fn lookup(name: &str, fields: &mut Fields<'_>, meter: &Meter<'_>) -> Result<Value> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let mut value = fields.first(&name[..end], meter)?;
    let mut rest = &name[end..];
    while !rest.is_empty() {
        if let Some(attribute) = rest.strip_prefix('.') {
            let end = attribute.find(['.', '[']).unwrap_or(attribute.len());
            if end == 0 {
                return Err(runtime("Empty attribute in format string"));
            }
            value = attributes::attribute(&value, &attribute[..end], meter)?;
            rest = &attribute[end..];
        } else if let Some(item) = rest.strip_prefix('[') {
            let end = item.find(']').ok_or_else(|| runtime("Missing ']' in format string"))?;
            let key = match item[..end].parse::<u32>() {
                Ok(index) if item.as_bytes()[0].is_ascii_digit() => Value::Int(i128::from(index)),
                _ => Value::template_str(&item[..end], meter)?,
            };
            value = attributes::item(&value, &key, meter)?;
            rest = &item[end + 1..];
        } else {
            return Err(runtime("Only '.' or '[' may follow ']' in format field specifier"));
        }
    }
    Ok(value)
}

struct Spec {
    fill: char,
    align: Option<char>,
    sign: Option<char>,
    zero: bool,
    width: usize,
    number: NumberStyle,
}

fn parse(text: &str) -> Result<Spec> {
    let letters: Vec<char> = text.chars().take(64).collect();
    if text.chars().nth(64).is_some() {
        return Err(unsupported("a format specification of more than 64 characters is not supported"));
    }
    let is_align = |at: usize| letters.get(at).is_some_and(|letter| matches!(letter, '<' | '>' | '=' | '^'));
    let (mut fill, mut align, mut at) = (None, None, 0);
    if is_align(1) {
        (fill, align, at) = (Some(letters[0]), Some(letters[1]), 2);
    } else if is_align(0) {
        (align, at) = (Some(letters[0]), 1);
    }
    let mut take = |accepted: &[char]| {
        let found = letters.get(at).copied().filter(|letter| accepted.contains(letter));
        at += usize::from(found.is_some());
        found
    };
    let sign = take(&['+', '-', ' ']);
    if take(&['z']).is_some() {
        return Err(unsupported("the format option 'z' is not supported"));
    }
    let alternate = take(&['#']).is_some();
    let zero = take(&['0']).is_some();
    let digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
    let number = |take: &mut dyn FnMut(&[char]) -> Option<char>| {
        let mut value = None;
        while let Some(digit) = take(&digits).and_then(|digit| digit.to_digit(10)) {
            value = Some((value.unwrap_or(0usize).saturating_mul(10)).saturating_add(digit as usize));
        }
        value
    };
    let width = number(&mut take).unwrap_or(0);
    let grouping = take(&[',', '_']);
    let mut precision = None;
    if take(&['.']).is_some() {
        precision = Some(number(&mut take).ok_or_else(|| runtime("Format specifier missing precision"))?);
    }
    let kind = letters.get(at).copied();
    if letters.len() > at + 1 {
        return Err(runtime("Invalid format specifier"));
    }
    let fill = fill.unwrap_or(if zero { '0' } else { ' ' });
    let number = NumberStyle { kind, precision, alternate, grouping };
    Ok(Spec { fill, align, sign, zero, width, number })
}

/// `format(value, spec)`.
pub(crate) fn push_formatted(value: &Value, spec: &Rc<Str>, out: &mut StrBuf<'_, '_>) -> Result<()> {
    if spec.as_str().is_empty() {
        return print::push_str(value, out);
    }
    let parsed = parse(spec.as_str())?;
    match value {
        Value::Str(text) => push_text(text, &parsed, spec.origin(), out),
        Value::Int(_) | Value::Bool(_) => push_integer(value.as_int().unwrap_or(0), &parsed, spec.origin(), out),
        Value::Float(float) => {
            let written = numbers::float(*float, parsed.number)?;
            push_number(&written, &parsed, spec.origin(), out)
        }
        other => Err(runtime(format!("unsupported format string passed to {}.__format__", other.type_name()))),
    }
}

fn push_text(text: &Rc<Str>, spec: &Spec, origin: Origin, out: &mut StrBuf<'_, '_>) -> Result<()> {
    if let Some(kind) = spec.number.kind.filter(|kind| *kind != 's') {
        return Err(runtime(format!("Unknown format code '{kind}' for object of type 'str'")));
    }
    if spec.sign.is_some() || spec.align == Some('=') || spec.number.grouping.is_some() || spec.number.alternate {
        return Err(runtime("this format option is not allowed for a string"));
    }
    let meter = out.meter();
    let length = text.chars(meter)?;
    let shown = spec.number.precision.map_or(length, |precision| precision.min(length));
    let padding = spec.width.saturating_sub(shown);
    let before = match spec.align {
        Some('>') => padding,
        Some('^') => padding / 2,
        _ => 0,
    };
    out.push_repeated(spec.fill, before, origin)?;
    out.push_range(text, 0..text.byte_of(shown, meter)?)?;
    out.push_repeated(spec.fill, padding - before, origin)
}

fn push_integer(value: i128, spec: &Spec, origin: Origin, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let kind = spec.number.kind.unwrap_or('d');
    if matches!(kind, 'n' | 'c') {
        return Err(unsupported(format!("the format code '{kind}' is not supported")));
    }
    if kind == 's' || !"dboxXeEfFgG%".contains(kind) {
        return Err(runtime(format!("Unknown format code '{kind}' for object of type 'int'")));
    }
    if "dboxX".contains(kind) && spec.number.precision.is_some() {
        return Err(runtime("Precision not allowed in integer format specifier"));
    }
    push_number(&numbers::integer(value, spec.number)?, spec, origin, out)
}

fn push_number(written: &Written, spec: &Spec, origin: Origin, out: &mut StrBuf<'_, '_>) -> Result<()> {
    let sign = if written.negative { Some('-') } else { spec.sign.filter(|sign| *sign != '-') };
    let length = usize::from(sign.is_some()) + written.prefix.len() + written.digits.chars().count();
    let padding = spec.width.saturating_sub(length);
    let align = spec.align.unwrap_or(if spec.zero { '=' } else { '>' });
    if align == '=' && spec.number.grouping.is_some() && padding > 0 && spec.fill == '0' {
        return Err(unsupported("zeros before grouped digits are not supported"));
    }
    let before = match align {
        '>' => padding,
        '^' => padding / 2,
        _ => 0,
    };
    out.push_repeated(spec.fill, before, origin)?;
    if let Some(sign) = sign {
        out.push_char(sign, Origin::Template)?;
    }
    out.push_str(written.prefix, Origin::Template)?;
    if align == '=' {
        out.push_repeated(spec.fill, padding, origin)?;
    }
    out.push_str(&written.digits, Origin::Template)?;
    if matches!(align, '<' | '^') {
        out.push_repeated(spec.fill, padding - before, origin)?;
    }
    Ok(())
}
