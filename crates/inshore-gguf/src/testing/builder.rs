//! Writes GGUF files into memory.

use super::quantize;
use crate::{Array, GgmlType, Value};

/// Builds a GGUF file: metadata and tensors are written in the order they are given.
///
/// Nothing is checked, so that broken files can be built too (duplicate keys, wrong lengths).
#[derive(Debug, Clone)]
pub struct GgufBuilder {
    version: u32,
    alignment: u64,
    entries: Vec<(String, Value)>,
    tensors: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    code: u32,
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

impl Default for GgufBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufBuilder {
    /// An empty file of version 3 with alignment 32.
    pub fn new() -> Self {
        Self { version: 3, alignment: 32, entries: Vec::new(), tensors: Vec::new() }
    }

    /// Sets the format version.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Sets the alignment of the tensor data and writes it as `general.alignment`.
    pub fn alignment(mut self, alignment: u32) -> Self {
        self.alignment = alignment.into();
        self.metadata("general.alignment", Value::U32(alignment))
    }

    /// Adds a metadata entry.
    pub fn metadata(mut self, key: &str, value: Value) -> Self {
        self.entries.push((key.to_owned(), value));
        self
    }

    /// Adds a string entry.
    pub fn string(self, key: &str, text: &str) -> Self {
        self.metadata(key, Value::String(text.to_owned()))
    }

    /// Gives `key` another value, or adds it.
    pub fn replace(mut self, key: &str, value: Value) -> Self {
        self.entries.retain(|(present, _)| present != key);
        self.metadata(key, value)
    }

    /// Leaves out a key.
    pub fn without_key(mut self, key: &str) -> Self {
        self.entries.retain(|(present, _)| present != key);
        self
    }

    /// Adds an array of strings.
    pub fn strings<T: AsRef<str>>(self, key: &str, texts: &[T]) -> Self {
        let texts = texts.iter().map(|text| text.as_ref().to_owned()).collect();
        self.metadata(key, Value::Array(Array::String(texts)))
    }

    /// Adds a tensor, quantised from f32. `shape` is in GGUF order, row length first.
    ///
    /// # Panics
    /// If `values` is not as long as the shape says or rows are not whole blocks.
    pub fn tensor(self, name: &str, kind: GgmlType, shape: &[u64], values: &[f32]) -> Self {
        assert_eq!(shape.iter().product::<u64>(), values.len() as u64, "values of tensor {name}");
        assert!(shape[0].is_multiple_of(kind.block_len() as u64), "row length of tensor {name}");
        self.raw_tensor(name, kind.code(), shape, quantize(kind, values))
    }

    /// Adds a tensor with any type code, shape and bytes.
    pub fn raw_tensor(mut self, name: &str, code: u32, shape: &[u64], bytes: Vec<u8>) -> Self {
        self.tensors.push(Entry { name: name.to_owned(), code, shape: shape.to_vec(), bytes });
        self
    }

    /// Leaves out a tensor.
    pub fn without_tensor(mut self, name: &str) -> Self {
        self.tensors.retain(|tensor| tensor.name != name);
        self
    }

    /// Changes the packed bytes of a tensor.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn with_bytes(mut self, name: &str, change: impl FnOnce(&mut [u8])) -> Self {
        let tensor = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        change(&mut tensor.unwrap_or_else(|| panic!("no tensor {name}")).bytes);
        self
    }

    /// The file's bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            put_string(&mut out, key);
            out.extend(value.code().to_le_bytes());
            put_value(&mut out, value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            put_string(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            put_numbers(&mut out, &tensor.shape, |dim| dim.to_le_bytes());
            out.extend(tensor.code.to_le_bytes());
            out.extend(u64::to_le_bytes(offset));
            offset = (offset + tensor.bytes.len() as u64).next_multiple_of(self.alignment);
        }
        for tensor in &self.tensors {
            self.pad(&mut out);
            out.extend(&tensor.bytes);
        }
        self.pad(&mut out);
        out
    }

    fn pad(&self, out: &mut Vec<u8>) {
        let len = (out.len() as u64).next_multiple_of(self.alignment);
        out.resize(len as usize, 0);
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_numbers<T: Copy, const N: usize>(out: &mut Vec<u8>, numbers: &[T], to_le_bytes: impl Fn(T) -> [u8; N]) {
    for &number in numbers {
        out.extend(to_le_bytes(number));
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(v) => out.extend(v.to_le_bytes()),
        Value::I8(v) => out.extend(v.to_le_bytes()),
        Value::U16(v) => out.extend(v.to_le_bytes()),
        Value::I16(v) => out.extend(v.to_le_bytes()),
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push((*v).into()),
        Value::String(v) => put_string(out, v),
        Value::Array(v) => put_array(out, v),
        Value::U64(v) => out.extend(v.to_le_bytes()),
        Value::I64(v) => out.extend(v.to_le_bytes()),
        Value::F64(v) => out.extend(v.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    out.extend(array.element_code().to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(v) => put_numbers(out, v, u8::to_le_bytes),
        Array::I8(v) => put_numbers(out, v, i8::to_le_bytes),
        Array::U16(v) => put_numbers(out, v, u16::to_le_bytes),
        Array::I16(v) => put_numbers(out, v, i16::to_le_bytes),
        Array::U32(v) => put_numbers(out, v, u32::to_le_bytes),
        Array::I32(v) => put_numbers(out, v, i32::to_le_bytes),
        Array::F32(v) => put_numbers(out, v, f32::to_le_bytes),
        Array::Bool(v) => put_numbers(out, v, |flag| [u8::from(flag)]),
        Array::String(v) => v.iter().for_each(|text| put_string(out, text)),
        Array::Array(v) => v.iter().for_each(|array| put_array(out, array)),
        Array::U64(v) => put_numbers(out, v, u64::to_le_bytes),
        Array::I64(v) => put_numbers(out, v, i64::to_le_bytes),
        Array::F64(v) => put_numbers(out, v, f64::to_le_bytes),
    }
}
