//! What the caller passes to a template.

use std::rc::Rc;

use crate::budget::Meter;
use crate::error::Result;
use crate::text::Origin;
use crate::value::{Dict, Value};

/// A value for a template, with the origin of its texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A value whose texts, keys included, all have one origin.
    Json(serde_json::Value, Origin),
    /// A list.
    List(Vec<Input>),
    /// A dict. Its keys count as content.
    Dict(Vec<(String, Input)>),
}

impl Input {
    /// A text of the caller's own, such as the name of a special token.
    pub fn trusted(text: impl Into<String>) -> Self {
        Self::Json(serde_json::Value::String(text.into()), Origin::Template)
    }

    /// A value from a conversation.
    pub fn content(value: impl Into<serde_json::Value>) -> Self {
        Self::Json(value.into(), Origin::Content)
    }

    /// Bytes of all texts.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Json(value, _) => json_bytes(value),
            Self::List(items) => items.iter().map(|item| item.text_bytes().saturating_add(16)).sum(),
            Self::Dict(pairs) => pairs.iter().map(|(key, value)| key.len() + value.text_bytes()).sum(),
        }
    }

    pub(crate) fn to_value(&self, meter: &Meter<'_>) -> Result<Value> {
        match self {
            Self::Json(value, origin) => from_json(value, *origin, meter),
            Self::List(items) => {
                Value::list(items.iter().map(|item| item.to_value(meter)).collect::<Result<_>>()?, meter)
            }
            Self::Dict(pairs) => {
                let mut dict = Dict::new(meter)?;
                for (key, value) in pairs {
                    dict.insert(Value::str(key, Origin::Content, meter)?, value.to_value(meter)?, meter)?;
                }
                Ok(Value::Dict(Rc::new(dict)))
            }
        }
    }
}

/// Nesting beyond this is not counted: such a value is refused when it is converted.
fn json_bytes(value: &serde_json::Value) -> usize {
    let mut bytes = 0usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        bytes = bytes.saturating_add(8);
        match value {
            serde_json::Value::String(text) => bytes = bytes.saturating_add(text.len()),
            serde_json::Value::Array(items) => open.extend(items),
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    bytes = bytes.saturating_add(key.len());
                    open.push(value);
                }
            }
            _ => {}
        }
    }
    bytes
}

fn from_json(value: &serde_json::Value, origin: Origin, meter: &Meter<'_>) -> Result<Value> {
    meter.enter()?;
    let converted = match value {
        serde_json::Value::Null => Value::None,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value.into()),
            (None, Some(value)) => Value::Int(value.into()),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::str(text, origin, meter)?,
        serde_json::Value::Array(items) => {
            Value::list(items.iter().map(|item| from_json(item, origin, meter)).collect::<Result<_>>()?, meter)?
        }
        serde_json::Value::Object(map) => {
            let mut dict = Dict::new(meter)?;
            for (key, value) in map {
                dict.insert(Value::str(key, origin, meter)?, from_json(value, origin, meter)?, meter)?;
            }
            Value::Dict(Rc::new(dict))
        }
    };
    meter.leave();
    Ok(converted)
}
