//! Fields of a JSON object, read one by one. A field that nobody asks for is never parsed.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::RequestError;
use crate::schema::{MAX_SAFE_INTEGER, NumberField};

/// An object whose values are still text. Of two fields with one name the last one counts, as in JavaScript.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    raw: BTreeMap<String, &'a RawValue>,
    /// What comes before a field's name in `param`: nothing, or `inshore.`.
    prefix: String,
}

impl<'a> Fields<'a> {
    /// `None` if it is not an object.
    pub(crate) fn read(json: &'a str, prefix: &str) -> Option<Self> {
        json.starts_with('{')
            .then(|| serde_json::from_str(json).ok())
            .flatten()
            .map(|raw| Self { raw, prefix: prefix.to_owned() })
    }

    /// Names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.raw.keys().map(String::as_str)
    }

    /// `name` as errors write it.
    pub(crate) fn param(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The field's JSON; `None` if it is absent or null, which mean the same to OpenAI.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.raw.get(name).map(|raw| raw.get()).filter(|json| *json != "null")
    }

    /// A boolean; false where it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, RequestError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// A string.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, RequestError> {
        let Some(json) = self.get(name) else { return Ok(None) };
        text(json).map(Some).ok_or_else(|| self.wrong(name, "must be a string"))
    }

    /// An object; `what` says what it should be.
    pub(crate) fn object(&self, name: &str, what: &str) -> Result<Option<Fields<'a>>, RequestError> {
        let Some(json) = self.get(name) else { return Ok(None) };
        let prefix = format!("{}.", self.param(name));
        Fields::read(json, &prefix).map(Some).ok_or_else(|| self.wrong(name, what))
    }

    /// An array; `what` says what it should be.
    pub(crate) fn array(&self, name: &str, what: &str) -> Result<Option<Vec<&'a str>>, RequestError> {
        let Some(json) = self.get(name) else { return Ok(None) };
        array(json).map(Some).ok_or_else(|| self.wrong(name, what))
    }

    /// A number in the field's range.
    pub(crate) fn number(&self, field: NumberField) -> Result<Option<f64>, RequestError> {
        let Some(json) = self.get(field.name) else { return Ok(None) };
        let NumberField { low, high, .. } = field;
        number(json)
            .filter(|value| (low..=high).contains(value))
            .map(Some)
            .ok_or_else(|| self.wrong(field.name, &format!("must be a number in {low}..{high}")))
    }

    /// A whole number of at least `low`; `3.0` and `3e0` are whole.
    pub(crate) fn integer(&self, name: &str, low: i64, high: u64) -> Result<Option<i64>, RequestError> {
        let Some(json) = self.get(name) else { return Ok(None) };
        let high = i64::try_from(high).unwrap_or(i64::MAX);
        whole(json).filter(|value| (low..=high).contains(value)).map(Some).ok_or_else(|| {
            let range = if high as u64 == MAX_SAFE_INTEGER {
                format!("of at least {low}")
            } else {
                format!("in {low}..{high}")
            };
            self.wrong(name, &format!("must be a whole number {range}"))
        })
    }

    /// `invalid_value` for the field `name`.
    pub(crate) fn wrong(&self, name: &str, what: &str) -> RequestError {
        let param = self.param(name);
        RequestError::invalid(param.clone(), format!("{param} {what}."))
    }
}

/// The string that `json` is.
pub(crate) fn text(json: &str) -> Option<String> {
    json.starts_with('"').then(|| serde_json::from_str(json).ok()).flatten()
}

/// The elements of the array that `json` is.
pub(crate) fn array(json: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = json.starts_with('[').then(|| serde_json::from_str(json).ok()).flatten()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

/// The number that `json` is. One that is too large is infinite, as in JavaScript.
pub(crate) fn number(json: &str) -> Option<f64> {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then(|| json.parse().ok()).flatten()
}

/// The whole number that `json` is, if JavaScript holds it exactly.
pub(crate) fn whole(json: &str) -> Option<i64> {
    let value = number(json)?;
    (value.fract() == 0.0 && value.abs() <= MAX_SAFE_INTEGER as f64).then_some(value as i64)
}

/// The seed that `json` is: a 64-bit integer, signed or not; -1 is the same seed as 2^64 - 1. A number in another form
/// (`3.0`, `1e19`) must be whole.
pub(crate) fn seed(json: &str) -> Option<u64> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let value: i128 = json.parse().ok()?;
        return (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value as u64);
    }
    seed_of_number(number(json)?)
}

/// The seed that a JavaScript number is. The largest seeds round to 2^64, which counts as 2^64 - 1.
pub(crate) fn seed_of_number(value: f64) -> Option<u64> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let whole = value.fract() == 0.0 && (-TWO_TO_63..=2.0 * TWO_TO_63).contains(&value);
    // Conversions of floats saturate: at 2^64 this is u64::MAX.
    whole.then_some(if value < 0.0 { (value as i64).cast_unsigned() } else { value as u64 })
}
