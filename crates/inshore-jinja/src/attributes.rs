//! `value.name` and `value[key]`, with the immutable sandbox's rules.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::{Result, unsupported};
use crate::slices;
use crate::value::{Function, Value};

const STR: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const DICT: &[&str] = &["copy", "fromkeys", "get", "items", "keys", "values"];
const DICT_CHANGES: &[&str] = &["clear", "pop", "popitem", "setdefault", "update"];
const LIST: &[&str] = &["copy", "count", "index"];
const LIST_CHANGES: &[&str] = &["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];
const INT: &[&str] = &["as_integer_ratio", "bit_count", "bit_length", "conjugate", "from_bytes", "to_bytes"];
const FLOAT: &[&str] = &["as_integer_ratio", "conjugate", "fromhex", "hex", "is_integer"];
/// Attributes that every object of Python has, or most; the sandbox forbids them.
const OBJECT: &[&str] = &[
    "__add__",
    "__class__",
    "__contains__",
    "__delattr__",
    "__dict__",
    "__dir__",
    "__doc__",
    "__eq__",
    "__format__",
    "__ge__",
    "__getattribute__",
    "__getitem__",
    "__getstate__",
    "__gt__",
    "__hash__",
    "__init__",
    "__init_subclass__",
    "__iter__",
    "__le__",
    "__len__",
    "__lt__",
    "__ne__",
    "__new__",
    "__reduce__",
    "__reduce_ex__",
    "__repr__",
    "__setattr__",
    "__sizeof__",
    "__str__",
    "__subclasshook__",
];

fn named(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

/// Python's own attribute of a value, not one of its items.
fn own(value: &Value, name: &str, meter: &Meter<'_>) -> Result<Option<Value>> {
    let method = |names: &[&'static str]| {
        named(names, name).map(|name| {
            meter.allocate(1, 96)?;
            Ok(Value::Method(Rc::new((value.clone(), name))))
        })
    };
    let found = match value {
        Value::Str(_) => method(STR),
        Value::Dict(_) if named(DICT_CHANGES, name).is_some() => Some(Ok(Value::forbidden(value, name))),
        Value::Dict(_) => method(DICT),
        Value::List(_) if named(LIST_CHANGES, name).is_some() => Some(Ok(Value::forbidden(value, name))),
        Value::List(_) => method(LIST),
        Value::Tuple(items) if items.group && matches!(name, "grouper" | "list") => {
            Some(Ok(items.items[usize::from(name == "list")].clone()))
        }
        Value::Tuple(_) => method(&["count", "index"]),
        Value::Range(range) => match name {
            "start" => Some(Ok(Value::Int(range.start))),
            "stop" => Some(Ok(Value::Int(range.stop))),
            "step" => Some(Ok(Value::Int(range.step))),
            _ => method(&["count", "index"]),
        },
        Value::Int(_) | Value::Bool(_) => match name {
            "real" | "numerator" => value.as_int().map(|value| Ok(Value::Int(value))),
            "imag" => Some(Ok(Value::Int(0))),
            "denominator" => Some(Ok(Value::Int(1))),
            _ => method(INT),
        },
        Value::Float(_) => match name {
            "real" => Some(Ok(value.clone())),
            "imag" => Some(Ok(Value::Float(0.0))),
            _ => method(FLOAT),
        },
        Value::View(..) => method(&["isdisjoint", "mapping"]),
        Value::Cycler(cycler) => match name {
            "current" => cycler.items.items.get(cycler.position.get()).cloned().map(Ok),
            "pos" => Some(Ok(Value::Int(cycler.position.get() as i128))),
            "items" => Some(Ok(Value::Tuple(Rc::clone(&cycler.items)))),
            _ => method(&["next", "reset"]),
        },
        Value::Joiner(joiner) => match name {
            "sep" => Some(Ok(joiner.separator.clone())),
            "used" => Some(Ok(Value::Bool(joiner.used.get()))),
            _ => None,
        },
        Value::Namespace(namespace) => {
            let attributes = Rc::clone(&namespace.attributes.borrow());
            attributes.get_str(name, meter)?.cloned().map(Ok)
        }
        Value::Function(Function::Dict) if name == "fromkeys" => Some(Ok(Value::Function(Function::DictFromKeys))),
        Value::Macro(this) => match (name, &this.name) {
            ("name", Some(text)) => Some(Value::template_str(text, meter)),
            ("name", None) => Some(Ok(Value::None)),
            ("arguments" | "catch_kwargs" | "catch_varargs" | "caller" | "explicit_caller", _) => {
                return Err(unsupported(format!("the attribute '{name}' of a macro is not supported")));
            }
            _ => None,
        },
        _ => None,
    };
    match found {
        Some(found) => found.map(Some),
        None if named(OBJECT, name).is_some() => Ok(Some(Value::forbidden(value, name))),
        None => Ok(None),
    }
}

/// What an error calls a value.
fn describe(value: &Value) -> String {
    match value {
        Value::None => "None".into(),
        other => format!("{} object", other.type_name()),
    }
}

/// `value.name`: an attribute, or else an item of that name.
pub(crate) fn attribute(value: &Value, name: &str, meter: &Meter<'_>) -> Result<Value> {
    if let Some(found) = own(value, name, meter)? {
        return Ok(found);
    }
    value.defined()?;
    if let Value::Dict(dict) = value
        && let Some(found) = dict.get_str(name, meter)?
    {
        return Ok(found.clone());
    }
    Ok(Value::undefined(format!("'{}' has no attribute '{name}'", describe(value))))
}

/// `value|attr(name)`: an attribute only.
pub(crate) fn attribute_only(value: &Value, name: &str, meter: &Meter<'_>) -> Result<Value> {
    match own(value, name, meter)? {
        Some(found) => Ok(found),
        None => {
            value.defined()?;
            Ok(Value::undefined(format!("'{}' has no attribute '{name}'", describe(value))))
        }
    }
}

/// `value[key]`: an item, or else an attribute of that name.
pub(crate) fn item(value: &Value, key: &Value, meter: &Meter<'_>) -> Result<Value> {
    let found = match value {
        Value::Undefined(this) => return Err(this.error()),
        Value::Str(text) if text.markup && key.as_int().is_some() => {
            return Err(unsupported("indexing an escaped string is not supported"));
        }
        Value::Str(text) => match key.as_int() {
            Some(index) => match slices::index(index, text.chars(meter)?) {
                Some(at) => {
                    let start = text.byte_of(at, meter)?;
                    let length = text.as_str()[start..].chars().next().map_or(0, char::len_utf8);
                    Some(Value::Str(text.slice(start..start + length, meter)?))
                }
                None => None,
            },
            None => None,
        },
        Value::List(items) | Value::Tuple(items) => {
            key.as_int().and_then(|at| slices::index(at, items.items.len())).map(|at| items.items[at].clone())
        }
        Value::Range(range) => key
            .as_int()
            .and_then(|at| slices::index(at, range.len()))
            .map(|at| Value::Int(range.start + at as i128 * range.step)),
        Value::Dict(_) if matches!(key, Value::List(_) | Value::Dict(_)) => None,
        Value::Dict(dict) => dict.get(key, meter)?.cloned(),
        _ => None,
    };
    if let Some(found) = found {
        return Ok(found);
    }
    if let Value::Str(name) = key
        && let Some(found) = own(value, name.as_str(), meter)?
    {
        return Ok(found);
    }
    let mut written = crate::text::StrBuf::new(meter)?;
    if matches!(key, Value::Str(_) | Value::Int(_) | Value::None | Value::Bool(_)) {
        crate::print::push_repr(key, &mut written)?;
    }
    let (key, _) = written.into_parts();
    Ok(Value::undefined(format!("'{}' has no element {key}", describe(value))))
}
