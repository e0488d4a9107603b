//! Filters about numbers.

use crate::arguments::CallArgs;
use crate::ast::BinaryOp;
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::iterate;
use crate::lexer::is_space;
use crate::numbers::fixed;
use crate::ops;
use crate::value::Value;

use super::{attribute_path, follow};

pub(super) fn call(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "abs" => {
            args.none(name)?;
            match (value.defined()?, value.as_int()) {
                (Value::Float(value), _) => Ok(Value::Float(value.abs())),
                (_, Some(value)) => Ok(Value::Int(value.checked_abs().ok_or_else(too_large)?)),
                _ => Err(runtime(format!("bad operand type for abs(): '{}'", value.type_name()))),
            }
        }
        "round" => round(value, args),
        "int" => {
            let mut args = args.bind(name, &["default", "base"], 0)?;
            let base = args.int_or(1, 10)?;
            let default = if args.get(0).is_some() { args.take(0) } else { Value::Int(0) };
            int(value, default, base)
        }
        "float" => {
            let mut args = args.bind(name, &["default"], 0)?;
            let parsed = match value.defined()? {
                Value::Str(text) => parse_float(text.as_str()),
                other => ops::number(other),
            };
            match parsed {
                Some(value) => Ok(Value::Float(value)),
                None if args.get(0).is_some() => Ok(args.take(0)),
                None => Ok(Value::Float(0.0)),
            }
        }
        "filesizeformat" => file_size(value, args, meter),
        _ => sum(value, args, meter),
    }
}

fn too_large() -> crate::Error {
    unsupported("the integer is too large")
}

fn sum(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("sum", &["attribute", "start"], 0)?;
    let path = attribute_path(&args.take(0), meter)?;
    let mut total = if args.get(1).is_some() { args.take(1) } else { Value::Int(0) };
    if matches!(total, Value::Str(_)) {
        return Err(runtime("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    for item in iterate::list(value, meter)? {
        total = ops::binary(BinaryOp::Add, &total, &follow(&item, &path, None, meter)?, meter)?;
    }
    Ok(total)
}

fn round(value: &Value, args: CallArgs) -> Result<Value> {
    let args = args.bind("round", &["precision", "method"], 0)?;
    let precision = args.int_or(0, 0)?;
    let method = match args.get(1) {
        None => "common",
        Some(method) => method.string()?.as_str(),
    };
    value.defined()?;
    match method {
        "common" => match (value, value.as_int()) {
            (_, Some(value)) if precision >= 0 => Ok(Value::Int(value)),
            (_, Some(value)) => round_integer(value, precision),
            (Value::Float(value), _) => round_float(*value, precision),
            _ => Err(runtime(format!("type {} doesn't define __round__ method", value.type_name()))),
        },
        "ceil" | "floor" => {
            let precision = i32::try_from(precision).ok().filter(|precision| (-300..=300).contains(precision));
            let precision = precision.ok_or_else(|| unsupported("rounding to so many digits is not supported"))?;
            let Some(number) = ops::number(value) else {
                return Err(runtime(format!("can't multiply a {} by a power of ten", value.type_name())));
            };
            if value.as_int().is_some() && precision > 15 {
                return Err(unsupported("rounding an integer to so many digits is not supported"));
            }
            let scale = 10f64.powi(precision);
            let scaled = number * scale;
            if !scaled.is_finite() {
                return Err(runtime("cannot convert float infinity or nan to integer"));
            }
            let whole = if method == "ceil" { scaled.ceil() } else { scaled.floor() };
            Ok(Value::Float((whole + 0.0) / scale))
        }
        _ => Err(runtime("method must be common, ceil or floor")),
    }
}

fn round_integer(value: i128, precision: i128) -> Result<Value> {
    let digits = precision.checked_neg().and_then(|digits| u32::try_from(digits).ok());
    let Some(scale) = digits.and_then(|digits| 10i128.checked_pow(digits)) else {
        return Err(too_large());
    };
    let rest = value.rem_euclid(scale);
    let down = value.checked_sub(rest).ok_or_else(too_large)?;
    let up = match rest.cmp(&(scale - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => (down / scale) % 2 != 0,
    };
    if !up {
        return Ok(Value::Int(down));
    }
    down.checked_add(scale).map(Value::Int).ok_or_else(too_large)
}

fn round_float(value: f64, precision: i128) -> Result<Value> {
    if !value.is_finite() || precision > 330 {
        return Ok(Value::Float(value));
    }
    if precision < -308 {
        return Ok(Value::Float(0f64.copysign(value)));
    }
    if precision < 0 {
        let scale = 10f64.powi(-precision as i32);
        let scaled = value / scale;
        return Ok(Value::Float(round_half_even(scaled) * scale));
    }
    let written = fixed(value, precision as usize, false);
    Ok(Value::Float(written.parse().unwrap_or(value)))
}

fn round_half_even(value: f64) -> f64 {
    value.round_ties_even()
}

/// `int(text, base)`; `None` if it is none.
fn parse_int(text: &str, base: i128) -> Result<Option<i128>> {
    if base != 0 && !(2..=36).contains(&base) {
        return Ok(None);
    }
    let text = text.trim_matches(is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixed = |radix: i128, letter: char| {
        let rest = digits.strip_prefix('0')?.strip_prefix([letter, letter.to_ascii_uppercase()])?;
        (base == radix || base == 0).then_some((radix, rest.strip_prefix('_').unwrap_or(rest)))
    };
    let found = prefixed(16, 'x').or_else(|| prefixed(8, 'o')).or_else(|| prefixed(2, 'b'));
    let (radix, digits) = found.unwrap_or((if base == 0 { 10 } else { base }, digits));
    let single = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let plain = digits.replace('_', "");
    let valid = single && !plain.is_empty() && plain.chars().all(|digit| digit.is_digit(radix as u32));
    if !valid {
        if !text.is_ascii() && plain.chars().any(char::is_numeric) {
            return Err(unsupported("digits that are not ASCII are not supported"));
        }
        return Ok(None);
    }
    if base == 0 && found.is_none() && plain.starts_with('0') && !plain.trim_start_matches('0').is_empty() {
        return Ok(None);
    }
    let value = i128::from_str_radix(&plain, radix as u32).map_err(|_| too_large())?;
    Ok(Some(if negative { -value } else { value }))
}

/// `float(text)`; `None` if it is none.
fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_space);
    let between = |at: usize| {
        let digit = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    if !text.match_indices('_').all(|(at, _)| between(at)) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn int(value: &Value, default: Value, base: i128) -> Result<Value> {
    let truncated = |value: f64| {
        if value.abs() >= 1.7e38 { Err(too_large()) } else { Ok(Value::Int(value.trunc() as i128)) }
    };
    match value.defined()? {
        Value::Str(text) => {
            if let Some(value) = parse_int(text.as_str(), base)? {
                return Ok(Value::Int(value));
            }
            match parse_float(text.as_str()) {
                Some(value) if value.is_finite() => truncated(value),
                _ => Ok(default),
            }
        }
        Value::Float(value) if value.is_nan() => Ok(default),
        Value::Float(value) if value.is_infinite() => Err(runtime("cannot convert float infinity to integer")),
        Value::Float(value) => truncated(*value),
        other => Ok(other.as_int().map_or(default, Value::Int)),
    }
}

fn file_size(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let args = args.bind("filesizeformat", &["binary"], 0)?;
    let binary = args.is_true(0);
    let bytes = match value.defined()? {
        Value::Str(text) => parse_float(text.as_str()).ok_or_else(|| runtime("could not convert string to float"))?,
        other => ops::number(other).ok_or_else(|| runtime("float() argument must be a string or a real number"))?,
    };
    if !bytes.is_finite() {
        return Err(unsupported("the size of infinity is not supported"));
    }
    let base = if binary { 1024f64 } else { 1000f64 };
    let text = if bytes == 1.0 {
        "1 Byte".to_owned()
    } else if bytes < base {
        format!("{} Bytes", bytes.trunc() as i128)
    } else {
        let middle = if binary { "i" } else { "" };
        let letters = if binary { "KMGTPEZY" } else { "kMGTPEZY" };
        let mut unit = base;
        let mut chosen = 'Y';
        for letter in letters.chars() {
            unit *= base;
            chosen = letter;
            if bytes < unit {
                break;
            }
        }
        format!("{:.1} {chosen}{middle}B", base * bytes / unit)
    };
    Value::template_str(&text, meter)
}
