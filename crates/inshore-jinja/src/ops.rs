//! Python's operators.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::ast::{BinaryOp, CompareOp};
use crate::budget::Meter;
use crate::error::{Result, runtime, unsupported};
use crate::format_percent;
use crate::iterate;
use crate::print;
use crate::text::StrBuf;
use crate::value::{Seq, Value};

pub(crate) fn binary(operator: BinaryOp, left: &Value, right: &Value, meter: &Meter<'_>) -> Result<Value> {
    left.defined()?;
    match (operator, left) {
        // A string formats whatever stands on its right, also nothing.
        (BinaryOp::Mod, Value::Str(format)) => return format_percent::format(format, right, meter),
        _ => right.defined()?,
    };
    match operator {
        BinaryOp::Add => add(left, right, meter),
        BinaryOp::Mul => multiply(left, right, meter),
        BinaryOp::Sub | BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod | BinaryOp::Pow => {
            arithmetic(operator, left, right)
        }
    }
}

fn name_of(operator: BinaryOp) -> &'static str {
    match operator {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::FloorDiv => "//",
        BinaryOp::Mod => "%",
        BinaryOp::Pow => "** or pow()",
    }
}

fn mismatch(operator: BinaryOp, left: &Value, right: &Value) -> crate::Error {
    let (left, right) = (left.type_name(), right.type_name());
    runtime(format!("unsupported operand type(s) for {}: '{left}' and '{right}'", name_of(operator)))
}

fn add(left: &Value, right: &Value, meter: &Meter<'_>) -> Result<Value> {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => {
            let markup = a.markup || b.markup;
            let mut out = StrBuf::new(meter)?;
            for part in [a, b] {
                if markup && !part.markup { print::push_escaped(part, &mut out)? } else { out.push(part)? }
            }
            Ok(Value::Str(out.finish_as(markup)))
        }
        (Value::List(a), Value::List(b)) => Ok(Value::List(join(a, b, meter)?)),
        (Value::Tuple(a), Value::Tuple(b)) => Ok(Value::Tuple(join(a, b, meter)?)),
        _ => arithmetic(BinaryOp::Add, left, right),
    }
}

fn join(a: &Seq, b: &Seq, meter: &Meter<'_>) -> Result<Rc<Seq>> {
    // Counted before it is made.
    let _room = meter.allocate(a.items.len() + b.items.len(), size_of::<Value>())?;
    Seq::new(a.items.iter().chain(&b.items).cloned().collect(), meter)
}

fn multiply(left: &Value, right: &Value, meter: &Meter<'_>) -> Result<Value> {
    match (left, right) {
        (Value::Str(_) | Value::List(_) | Value::Tuple(_), _) if right.as_int().is_some() => {
            repeat(left, right.as_int().unwrap_or(0), meter)
        }
        (_, Value::Str(_) | Value::List(_) | Value::Tuple(_)) if left.as_int().is_some() => {
            repeat(right, left.as_int().unwrap_or(0), meter)
        }
        _ => arithmetic(BinaryOp::Mul, left, right),
    }
}

fn repeat(value: &Value, count: i128, meter: &Meter<'_>) -> Result<Value> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    let repeated = |items: &Rc<Seq>| {
        let total = items.items.len().saturating_mul(count);
        let _room = meter.allocate(total, size_of::<Value>())?;
        let count = if total == 0 { 0 } else { count };
        let all = std::iter::repeat_n(&items.items, count).flatten().cloned().collect();
        Seq::new(all, meter)
    };
    match value {
        Value::List(items) => Ok(Value::List(repeated(items)?)),
        Value::Tuple(items) => Ok(Value::Tuple(repeated(items)?)),
        Value::Str(text) => {
            let total = text.as_str().len().saturating_mul(count);
            let _room = meter.allocate(total, 1)?;
            let mut out = StrBuf::new(meter)?;
            for _ in 0..if total == 0 { 0 } else { count } {
                out.push(text)?;
            }
            Ok(Value::Str(out.finish_as(text.markup)))
        }
        other => Err(mismatch(BinaryOp::Mul, other, &Value::Int(0))),
    }
}

fn too_large() -> crate::Error {
    unsupported("the integer is too large")
}

fn arithmetic(operator: BinaryOp, left: &Value, right: &Value) -> Result<Value> {
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return integers(operator, a, b);
    }
    match (number(left), number(right)) {
        (Some(a), Some(b)) => floats(operator, a, b),
        _ => Err(mismatch(operator, left, right)),
    }
}

/// A number as a float.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        other => other.as_int().map(|value| value as f64),
    }
}

fn integers(operator: BinaryOp, a: i128, b: i128) -> Result<Value> {
    let by_zero = || runtime("integer division or modulo by zero");
    let value = match operator {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div if b == 0 => return Err(runtime("division by zero")),
        BinaryOp::Div => return divide(a, b),
        BinaryOp::FloorDiv | BinaryOp::Mod if b == 0 => return Err(by_zero()),
        BinaryOp::FloorDiv => floor_div(a, b),
        BinaryOp::Mod => Some(modulo(a, b)),
        BinaryOp::Pow if b < 0 => return floats(operator, a as f64, b as f64),
        BinaryOp::Pow => match (a, u32::try_from(b)) {
            (0 | 1, _) => Some(if b == 0 { 1 } else { a }),
            (-1, _) => Some(if b % 2 == 0 { 1 } else { -1 }),
            (_, Ok(b)) => a.checked_pow(b),
            _ => None,
        },
    };
    value.map(Value::Int).ok_or_else(too_large)
}

fn floor_div(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

fn modulo(a: i128, b: i128) -> i128 {
    let rest = a.checked_rem(b).unwrap_or(0);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

/// True division of integers, correctly rounded.
fn divide(a: i128, b: i128) -> Result<Value> {
    const EXACT: u128 = 1 << 53;
    if a.unsigned_abs() <= EXACT && b.unsigned_abs() <= EXACT {
        return Ok(Value::Float(a as f64 / b as f64));
    }
    match a.checked_rem(b) {
        Some(0) => Ok(Value::Float(a.checked_div(b).ok_or_else(too_large)? as f64)),
        _ => Err(unsupported("dividing integers above 2**53 that leave a rest is not supported")),
    }
}

fn floats(operator: BinaryOp, a: f64, b: f64) -> Result<Value> {
    let value = match operator {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod if b == 0.0 => {
            return Err(runtime("float division by zero"));
        }
        BinaryOp::Div => a / b,
        BinaryOp::FloorDiv => float_floor_div(a, b),
        BinaryOp::Mod => float_modulo(a, b),
        BinaryOp::Pow => return power(a, b),
    };
    Ok(Value::Float(value))
}

fn float_modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        return 0f64.copysign(b);
    }
    if (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}

/// As CPython's `float_divmod`.
fn float_floor_div(a: f64, b: f64) -> f64 {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    let _ = rest;
    if quotient == 0.0 {
        return 0f64.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

fn power(a: f64, b: f64) -> Result<Value> {
    if a == 0.0 && b < 0.0 {
        return Err(runtime("0.0 cannot be raised to a negative power"));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b != b.trunc() {
        return Err(unsupported("complex numbers are not supported"));
    }
    let value = a.powf(b);
    if value.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(runtime("Numerical result out of range"));
    }
    Ok(Value::Float(value))
}

pub(crate) fn negative(value: &Value) -> Result<Value> {
    match value.defined()? {
        Value::Float(value) => Ok(Value::Float(-value)),
        other => match other.as_int() {
            Some(value) => value.checked_neg().map(Value::Int).ok_or_else(too_large),
            None => Err(runtime(format!("bad operand type for unary -: '{}'", other.type_name()))),
        },
    }
}

pub(crate) fn positive(value: &Value) -> Result<Value> {
    match value.defined()? {
        Value::Float(value) => Ok(Value::Float(*value)),
        other => match other.as_int() {
            Some(value) => Ok(Value::Int(value)),
            None => Err(runtime(format!("bad operand type for unary +: '{}'", other.type_name()))),
        },
    }
}

pub(crate) fn compare(operator: CompareOp, left: &Value, right: &Value, meter: &Meter<'_>) -> Result<bool> {
    Ok(match operator {
        CompareOp::Eq => equal(left, right, meter)?,
        CompareOp::Ne => !equal(left, right, meter)?,
        CompareOp::Lt => order("<", left, right, meter)? == Some(Ordering::Less),
        CompareOp::Gt => order(">", left, right, meter)? == Some(Ordering::Greater),
        CompareOp::Le => matches!(order("<=", left, right, meter)?, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Ge => matches!(order(">=", left, right, meter)?, Some(Ordering::Greater | Ordering::Equal)),
        CompareOp::In => contains(right, left, meter)?,
        CompareOp::NotIn => !contains(right, left, meter)?,
    })
}

/// `==`.
pub(crate) fn equal(left: &Value, right: &Value, meter: &Meter<'_>) -> Result<bool> {
    meter.enter()?;
    let equal = equal_of(left, right, meter);
    meter.leave();
    equal
}

fn equal_of(left: &Value, right: &Value, meter: &Meter<'_>) -> Result<bool> {
    Ok(match (left, right) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::Str(a), Value::Str(b)) => {
            meter.work(a.as_str().len().min(b.as_str().len()))?;
            a.as_str() == b.as_str()
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            if a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Dict(a), Value::Dict(b)) => {
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, value) in &a.entries {
                match b.get(key, meter)? {
                    Some(other) if equal(value, other, meter)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Range(a), Value::Range(b)) => {
            let same = |length| length == 0 || a.start == b.start && (length == 1 || a.step == b.step);
            a.len() == b.len() && same(a.len())
        }
        (Value::View(..), Value::View(..)) => {
            return Err(unsupported("comparing views of dicts is not supported"));
        }
        (Value::Float(_), _) | (_, Value::Float(_)) => numeric_order(left, right) == Some(Ordering::Equal),
        _ => match (left.as_int(), right.as_int()) {
            (Some(a), Some(b)) => a == b,
            _ => same_object(left, right),
        },
    })
}

/// Whether both are the same object in memory.
pub(crate) fn same_object(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(a, b),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Iter(a), Value::Iter(b)) => Rc::ptr_eq(a, b),
        (Value::Namespace(a), Value::Namespace(b)) => Rc::ptr_eq(a, b),
        (Value::Macro(a), Value::Macro(b)) => Rc::ptr_eq(a, b),
        (Value::Loop(a), Value::Loop(b)) => Rc::ptr_eq(a, b),
        (Value::Cycler(a), Value::Cycler(b)) => Rc::ptr_eq(a, b),
        (Value::Joiner(a), Value::Joiner(b)) => Rc::ptr_eq(a, b),
        (Value::Method(a), Value::Method(b)) => a.1 == b.1 && same_object(&a.0, &b.0),
        (Value::Function(a), Value::Function(b)) => a == b,
        _ => false,
    }
}

/// The order of two numbers; `None` if one is not a number or is nan.
fn numeric_order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return Some(a.cmp(&b));
    }
    match (left, right) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(a), _) => int_order(right.as_int()?, *a).map(Ordering::reverse),
        (_, Value::Float(b)) => int_order(left.as_int()?, *b),
        _ => None,
    }
}

fn int_order(a: i128, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    if b.abs() >= 1.7e38 {
        return Some(if b > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let floor = b.floor();
    Some(a.cmp(&(floor as i128)).then(if b > floor { Ordering::Less } else { Ordering::Equal }))
}

/// The order of two values that Python can compare.
pub(crate) fn order(operator: &str, left: &Value, right: &Value, meter: &Meter<'_>) -> Result<Option<Ordering>> {
    meter.enter()?;
    let order = order_of(operator, left, right, meter);
    meter.leave();
    order
}

fn order_of(operator: &str, left: &Value, right: &Value, meter: &Meter<'_>) -> Result<Option<Ordering>> {
    match (left.defined()?, right.defined()?) {
        (Value::Str(a), Value::Str(b)) => {
            meter.work(a.as_str().len().min(b.as_str().len()))?;
            Ok(Some(a.as_str().cmp(b.as_str())))
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, meter)? {
                    return order(operator, a, b, meter);
                }
            }
            Ok(Some(a.items.len().cmp(&b.items.len())))
        }
        (Value::View(..), Value::View(..)) => Err(unsupported("comparing views of dicts is not supported")),
        (a, b) if number(a).is_some() && number(b).is_some() => Ok(numeric_order(a, b)),
        (a, b) => {
            let (a, b) = (a.type_name(), b.type_name());
            Err(runtime(format!("'{operator}' not supported between instances of '{a}' and '{b}'")))
        }
    }
}

/// `item in container`.
pub(crate) fn contains(container: &Value, item: &Value, meter: &Meter<'_>) -> Result<bool> {
    match container {
        Value::Undefined(_) => Ok(false),
        Value::Str(text) => match item {
            Value::Str(part) => {
                meter.work(text.as_str().len() + part.as_str().len())?;
                Ok(text.as_str().contains(part.as_str()))
            }
            other => {
                let name = other.type_name();
                Err(runtime(format!("'in <string>' requires string as left operand, not {name}")))
            }
        },
        Value::Dict(dict) | Value::View(crate::value::ViewKind::Keys, dict) => Ok(dict.get(item, meter)?.is_some()),
        Value::List(items) | Value::Tuple(items) => any_equal(&items.items, item, meter),
        Value::Range(range) => {
            let whole = match item {
                Value::Float(value) if *value == value.trunc() && value.abs() < 1e30 => Some(*value as i128),
                other => other.as_int(),
            };
            let (low, high) =
                if range.step > 0 { (range.start, range.stop) } else { (range.stop + 1, range.start + 1) };
            Ok(whole.is_some_and(|value| (low..high).contains(&value) && (value - range.start) % range.step == 0))
        }
        Value::View(..) | Value::Iter(_) => {
            let items = iterate::items(container, meter)?;
            any_equal(&items.all()?, item, meter)
        }
        other => Err(runtime(format!("argument of type '{}' is not iterable", other.type_name()))),
    }
}

fn any_equal(items: &[Value], item: &Value, meter: &Meter<'_>) -> Result<bool> {
    for other in items {
        if same_object(other, item) || equal(other, item, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}
