//! Jinja's filters: `value|name`.

mod lists;
mod numeric;
pub(crate) mod sorting;
mod text;
mod wrap;

use std::rc::Rc;

use crate::arguments::{Bound, CallArgs};
use crate::attributes;
use crate::error::{Error, Result, runtime, unsupported};
use crate::interp::Interp;
use crate::iterate;
use crate::json;
use crate::print;
use crate::text::{Str, StrBuf};
use crate::value::Value;

const NAMES: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
];

/// Whether there is a filter of this name.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Applies a filter.
pub(crate) fn call(interp: &Interp<'_>, name: &str, value: &Value, args: CallArgs) -> Result<Value> {
    let meter = interp.meter();
    meter.enter()?;
    let filtered = dispatch(interp, name, value, args);
    meter.leave();
    filtered
}

fn dispatch(interp: &Interp<'_>, name: &str, value: &Value, args: CallArgs) -> Result<Value> {
    let meter = interp.meter();
    match name {
        "attr" => {
            let mut args = args.bind(name, &["name"], 1)?;
            let name = args.take(0);
            attributes::attribute_only(value, name.string()?.as_str(), meter)
        }
        "default" | "d" => {
            let mut args = args.bind(name, &["default_value", "boolean"], 0)?;
            if value.is_undefined() || args.is_true(1) && !value.is_true() {
                return match args.get(0) {
                    Some(_) => Ok(args.take(0)),
                    None => Value::template_str("", meter),
                };
            }
            Ok(value.clone())
        }
        "map" => map(interp, value, args),
        "select" | "reject" | "selectattr" | "rejectattr" => select(interp, name, value, args),
        "tojson" => to_json(value, args, interp),
        "random" => Err(unsupported("the filter 'random' is not supported: a prompt must not depend on chance")),
        "urlize" => Err(unsupported("the filter 'urlize' is not supported")),
        "abs" | "round" | "int" | "float" | "filesizeformat" | "sum" => numeric::call(name, value, args, meter),
        "dictsort" | "sort" | "unique" | "min" | "max" | "groupby" => sorting::call(name, value, args, meter),
        "batch" | "slice" | "first" | "last" | "length" | "count" | "list" | "items" | "reverse" | "join" => {
            lists::call(name, value, args, meter)
        }
        "indent" | "truncate" | "wordwrap" | "wordcount" | "pprint" => wrap::call(name, value, args, meter),
        _ if exists(name) => text::call(name, value, args, meter),
        _ => Err(runtime(format!("No filter named '{name}'."))),
    }
}

/// A path of attributes, as in `a.b.0`.
pub(crate) fn attribute_path(attribute: &Value, interp_meter: &crate::budget::Meter<'_>) -> Result<Vec<Value>> {
    match attribute {
        Value::None => Ok(Vec::new()),
        Value::Str(text) => text
            .as_str()
            .split('.')
            .map(|part| match part.parse::<u32>() {
                Ok(index) if part.bytes().all(|digit| digit.is_ascii_digit()) => Ok(Value::Int(index.into())),
                _ => Value::template_str(part, interp_meter),
            })
            .collect(),
        other => match other.defined()?.as_int() {
            Some(index) => Ok(vec![Value::Int(index)]),
            None => Err(runtime(format!("'{}' object has no attribute 'split'", other.type_name()))),
        },
    }
}

/// The value at the end of a path; `default` where an attribute is undefined.
pub(crate) fn follow(
    value: &Value,
    path: &[Value],
    default: Option<&Value>,
    meter: &crate::budget::Meter<'_>,
) -> Result<Value> {
    let mut value = value.clone();
    for part in path {
        value = attributes::item(&value, part, meter)?;
        if let Some(default) = default
            && value.is_undefined()
        {
            value = default.clone();
        }
    }
    Ok(value)
}

/// A generator over what `next` makes of the items; an error comes out when the generator reaches it.
fn generate(
    interp: &Interp<'_>,
    value: &Value,
    mut next: impl FnMut(&Value) -> Result<Option<Value>>,
) -> Result<Value> {
    let meter = interp.meter();
    let source = iterate::items(value, meter)?;
    let mut made = Vec::new();
    let mut error = source.error;
    for item in &source.items {
        meter.work(32)?;
        let depth = meter.depth();
        match next(item) {
            Ok(Some(item)) => made.push(item),
            Ok(None) => {}
            Err(found) if found.kind() == crate::ErrorKind::Budget => return Err(found),
            Err(found) => {
                meter.restore(depth);
                error = Some(found);
                break;
            }
        }
    }
    Value::generator(made, error, meter)
}

fn late(error: Error, interp: &Interp<'_>) -> Result<Value> {
    Value::generator(Vec::new(), Some(error), interp.meter())
}

fn map(interp: &Interp<'_>, value: &Value, mut args: CallArgs) -> Result<Value> {
    let meter = interp.meter();
    if !value.is_true() {
        return Value::generator(Vec::new(), None, meter);
    }
    if args.positional.is_empty() && args.named.iter().any(|(name, _)| name == "attribute") {
        let bound = args.bind("map", &["attribute", "default"], 1);
        let mut bound = match bound {
            Ok(bound) => bound,
            Err(error) => return late(error, interp),
        };
        let path = attribute_path(&bound.take(0), meter)?;
        let default = bound.some(1).cloned();
        return generate(interp, value, |item| follow(item, &path, default.as_ref(), meter).map(Some));
    }
    if args.positional.is_empty() {
        return late(runtime("map requires a filter argument"), interp);
    }
    let name = args.positional.remove(0);
    let name = name.string()?.as_str().to_owned();
    generate(interp, value, |item| {
        if !exists(&name) {
            return Err(runtime(format!("No filter named '{name}'.")));
        }
        call(interp, &name, item, args.clone()).map(Some)
    })
}

fn select(interp: &Interp<'_>, filter: &str, value: &Value, mut args: CallArgs) -> Result<Value> {
    let meter = interp.meter();
    if !value.is_true() {
        return Value::generator(Vec::new(), None, meter);
    }
    let mut path = Vec::new();
    if filter.ends_with("attr") {
        if args.positional.is_empty() {
            return late(runtime("Missing parameter for attribute name"), interp);
        }
        path = attribute_path(&args.positional.remove(0), meter)?;
    }
    let test = if args.positional.is_empty() { None } else { Some(args.positional.remove(0)) };
    let test = test.map(|name| name.string().map(|name| name.as_str().to_owned())).transpose()?;
    let wanted = filter.starts_with("select");
    generate(interp, value, |item| {
        let tested = follow(item, &path, None, meter)?;
        let is = match &test {
            Some(name) => crate::tests::call(name, &tested, args.clone(), meter)?,
            None => tested.is_true(),
        };
        Ok((is == wanted).then(|| item.clone()))
    })
}

fn to_json(value: &Value, args: CallArgs, interp: &Interp<'_>) -> Result<Value> {
    let meter = interp.meter();
    let args = args.bind("tojson", &["ensure_ascii", "indent", "separators", "sort_keys"], 0)?;
    let mut out = StrBuf::new(meter)?;
    let indent = match args.get(1) {
        Some(indent) => json::indentation(indent, &out)?,
        None => None,
    };
    let (item_separator, key_separator) = separators(&args, indent.is_some(), meter)?;
    let style = json::Style {
        indent,
        item_separator,
        key_separator,
        ensure_ascii: args.is_true(0),
        sort_keys: args.is_true(3),
    };
    json::push(value, &style, 0, &mut out)?;
    Ok(Value::Str(out.finish()))
}

fn separators(args: &Bound, indented: bool, meter: &crate::budget::Meter<'_>) -> Result<(Rc<Str>, Rc<Str>)> {
    if let Some(given) = args.some(2) {
        return match iterate::list(given, meter)?.as_slice() {
            [Value::Str(item), Value::Str(key)] => Ok((Rc::clone(item), Rc::clone(key))),
            _ => Err(runtime("separators must be two strings")),
        };
    }
    Ok((Str::template(if indented { "," } else { ", " }, meter)?, Str::template(": ", meter)?))
}

/// `soft_str`: strings as they are, anything else printed.
pub(crate) fn soft_str(value: &Value, meter: &crate::budget::Meter<'_>) -> Result<Rc<Str>> {
    match value {
        Value::Str(text) if text.markup => Err(unsupported("this filter of an escaped string is not supported")),
        other => print::to_str(other, meter),
    }
}
