//! The metadata table of a GGUF file and its typed getters.

use std::borrow::Cow;

use crate::{Array, GgufError, Value};

/// Key-value pairs in file order; keys are unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
    /// Indices of `entries`, sorted by key.
    by_key: Vec<usize>,
}

/// A type that metadata can be read as; see [`Metadata::get_as`].
pub trait FromValue<'a>: Sized {
    /// What the type is called in messages, as in `"an unsigned 32-bit integer"`.
    const WANTED: &'static str;
    /// The value as this type, if it has that type and fits.
    fn from_value(value: &'a Value) -> Option<Self>;
}

impl Metadata {
    /// # Errors
    /// [`GgufError::DuplicateKey`].
    pub(crate) fn new(entries: Vec<(String, Value)>) -> Result<Self, GgufError> {
        let mut by_key: Vec<usize> = (0..entries.len()).collect();
        by_key.sort_unstable_by(|&a, &b| entries[a].0.cmp(&entries[b].0));
        for pair in by_key.windows(2) {
            if entries[pair[0]].0 == entries[pair[1]].0 {
                return Err(GgufError::DuplicateKey { key: entries[pair[0]].0.clone() });
            }
        }
        Ok(Self { entries, by_key })
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.by_key.binary_search_by(|&i| self.entries[i].0.as_str().cmp(key)).ok()?;
        Some(&self.entries[self.by_key[at]].1)
    }

    /// All pairs in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key` as a `T`, `None` if the key is not there.
    ///
    /// # Errors
    /// [`GgufError::WrongType`] if the value is not a `T`.
    pub fn get_as<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match T::from_value(value) {
            Some(value) => Ok(Some(value)),
            None => Err(GgufError::WrongType { key: key.to_owned(), wanted: T::WANTED, found: value.type_name() }),
        }
    }

    /// The value of `key` as a `T`.
    ///
    /// # Errors
    /// [`GgufError::MissingKey`] if the key is not there, [`GgufError::WrongType`] if its value is not a `T`.
    pub fn require<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<T, GgufError> {
        self.get_as(key)?.ok_or_else(|| GgufError::missing_key(key))
    }

    /// A string. Errors as [`get_as`](Self::get_as).
    pub fn string(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.get_as(key)
    }

    /// Any integer that fits in a u32. Errors as [`get_as`](Self::get_as).
    pub fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        self.get_as(key)
    }

    /// Any integer that fits in a u64. Errors as [`get_as`](Self::get_as).
    pub fn u64(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.get_as(key)
    }

    /// A floating-point number, f64 rounded. Errors as [`get_as`](Self::get_as).
    pub fn f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        self.get_as(key)
    }

    /// A bool. Errors as [`get_as`](Self::get_as).
    pub fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.get_as(key)
    }

    /// An array of strings. Errors as [`get_as`](Self::get_as).
    pub fn strings(&self, key: &str) -> Result<Option<&[String]>, GgufError> {
        self.get_as(key)
    }

    /// An array of f32. Errors as [`get_as`](Self::get_as).
    pub fn f32s(&self, key: &str) -> Result<Option<&[f32]>, GgufError> {
        self.get_as(key)
    }

    /// An array of any integer type whose elements all fit in an i32; borrowed if it is one of i32. Errors as
    /// [`get_as`](Self::get_as).
    pub fn i32s(&self, key: &str) -> Result<Option<Cow<'_, [i32]>>, GgufError> {
        self.get_as(key)
    }
}

impl<'a> FromValue<'a> for &'a str {
    const WANTED: &'static str = "a string";
    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue<'_> for u32 {
    const WANTED: &'static str = "an integer from 0 to 4294967295";
    fn from_value(value: &Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromValue<'_> for u64 {
    const WANTED: &'static str = "an integer from 0 to 18446744073709551615";
    fn from_value(value: &Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromValue<'_> for f32 {
    const WANTED: &'static str = "a floating-point number";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::F32(number) => Some(*number),
            Value::F64(number) => Some(*number as f32),
            _ => None,
        }
    }
}

impl FromValue<'_> for bool {
    const WANTED: &'static str = "a bool";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for &'a [String] {
    const WANTED: &'static str = "an array of strings";
    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Array(Array::String(texts)) => Some(texts),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for &'a [f32] {
    const WANTED: &'static str = "an array of f32";
    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Array(Array::F32(numbers)) => Some(numbers),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for Cow<'a, [i32]> {
    const WANTED: &'static str = "an array of 32-bit integers";
    fn from_value(value: &'a Value) -> Option<Self> {
        fn fit<T: Copy + TryInto<i32>>(numbers: &[T]) -> Option<Cow<'static, [i32]>> {
            let all: Option<Vec<i32>> = numbers.iter().map(|&n| n.try_into().ok()).collect();
            all.map(Cow::Owned)
        }
        let Value::Array(array) = value else { return None };
        match array {
            Array::I32(numbers) => Some(Cow::Borrowed(numbers)),
            Array::U8(numbers) => fit(numbers),
            Array::I8(numbers) => fit(numbers),
            Array::U16(numbers) => fit(numbers),
            Array::I16(numbers) => fit(numbers),
            Array::U32(numbers) => fit(numbers),
            Array::U64(numbers) => fit(numbers),
            Array::I64(numbers) => fit(numbers),
            _ => None,
        }
    }
}
