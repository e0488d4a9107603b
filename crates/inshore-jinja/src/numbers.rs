//! Numbers as text, as Python's `format` and `%` write them.

use crate::error::{Result, runtime, unsupported};
use crate::print::float_repr;

/// More digits than any number has.
const MAX_PRECISION: usize = 1000;

/// How a number is written, without its padding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberStyle {
    /// `d`, `x`, `f`, `e`, `g`, `%` and their like; `None`: as `str` writes it.
    pub(crate) kind: Option<char>,
    pub(crate) precision: Option<usize>,
    /// `#`.
    pub(crate) alternate: bool,
    pub(crate) grouping: Option<char>,
}

/// A number in pieces: sign, prefix and digits.
pub(crate) struct Written {
    pub(crate) negative: bool,
    pub(crate) prefix: &'static str,
    pub(crate) digits: String,
}

pub(crate) fn integer(value: i128, style: NumberStyle) -> Result<Written> {
    let magnitude = value.unsigned_abs();
    let (prefix, digits, group) = match style.kind.unwrap_or('d') {
        'd' | 'i' | 'u' => ("", magnitude.to_string(), 3),
        'b' => ("0b", format!("{magnitude:b}"), 4),
        'o' => ("0o", format!("{magnitude:o}"), 4),
        'x' => ("0x", format!("{magnitude:x}"), 4),
        'X' => ("0X", format!("{magnitude:X}"), 4),
        _ => return float(value as f64, style),
    };
    let digits = match style.grouping {
        Some(',') if group != 3 => return Err(runtime("Cannot specify ',' with this type.")),
        Some(separator) => grouped(&digits, separator, group),
        None => digits,
    };
    Ok(Written { negative: value < 0, prefix: if style.alternate { prefix } else { "" }, digits })
}

pub(crate) fn float(value: f64, style: NumberStyle) -> Result<Written> {
    let negative = value.is_sign_negative() && !value.is_nan();
    let magnitude = value.abs();
    let upper = style.kind.is_some_and(char::is_uppercase);
    if !value.is_finite() {
        let mut digits = if value.is_nan() { "nan" } else { "inf" }.to_owned();
        if style.kind == Some('%') {
            digits.push('%');
        }
        return Ok(Written { negative, prefix: "", digits: if upper { digits.to_uppercase() } else { digits } });
    }
    let precision = style.precision.unwrap_or(6);
    if precision > MAX_PRECISION {
        return Err(unsupported(format!("a precision above {MAX_PRECISION} is not supported")));
    }
    let mut digits = match style.kind.map(|kind| kind.to_ascii_lowercase()) {
        None if style.precision.is_none() => float_repr(magnitude),
        None => general(magnitude, precision.max(1), false, true),
        Some('f') => fixed(magnitude, precision, style.alternate),
        Some('%') => fixed(magnitude * 100.0, precision, style.alternate) + "%",
        Some('e') => scientific(magnitude, precision, style.alternate),
        Some('g') => general(magnitude, precision.max(1), style.alternate, false),
        Some(other) => return Err(runtime(format!("Unknown format code '{other}' for object of type 'float'"))),
    };
    if let Some(separator) = style.grouping {
        let end = digits.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(digits.len());
        digits = grouped(&digits[..end], separator, 3) + &digits[end..];
    }
    Ok(Written { negative, prefix: "", digits: if upper { digits.to_uppercase() } else { digits } })
}

pub(crate) fn fixed(value: f64, precision: usize, point: bool) -> String {
    let mut digits = format!("{value:.precision$}");
    if point && precision == 0 {
        digits.push('.');
    }
    digits
}

fn scientific(value: f64, precision: usize, point: bool) -> String {
    let written = format!("{value:.precision$e}");
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = if point && precision == 0 { "." } else { "" };
    format!("{mantissa}{point}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(value: f64, precision: usize, keep_zeros: bool, add_point: bool) -> String {
    let written = format!("{value:.digits$e}", digits = precision - 1);
    let exponent: i32 = written.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let most = precision as i32 - i32::from(add_point);
    if exponent < -4 || exponent >= most {
        let written = scientific(value, precision - 1, keep_zeros);
        let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "+00"));
        let mantissa = if keep_zeros { mantissa } else { without_zeros(mantissa) };
        return format!("{mantissa}e{exponent}");
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    let written = fixed(value, decimals, keep_zeros);
    let digits = if keep_zeros { &written } else { without_zeros(&written) };
    if add_point && !digits.contains('.') { format!("{digits}.0") } else { digits.to_owned() }
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

fn grouped(digits: &str, separator: char, size: usize) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(size) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}
