//! Parsing the header: magic, counts, metadata, tensor table.

use crate::cursor::Cursor;
use crate::tensor::packed_bytes;
use crate::{Array, FoundMagic, GgmlType, GgufError, Metadata, TensorInfo, Tensors, Value};

const MAGIC: &[u8; 4] = b"GGUF";
/// What the format allows for a key.
const MAX_KEY_BYTES: u64 = 65_535;
/// The format says 64; some converters write longer names.
const MAX_TENSOR_NAME_BYTES: u64 = 512;
const MAX_DIMS: u32 = 4;
/// Large models have some 2,000 tensors and 100 entries; a limit keeps hostile tables from taking much memory.
const MAX_ENTRIES: u64 = 65_536;
const MAX_TENSORS: u64 = 65_536;
/// Arrays in arrays are rare; this is deeper than any known file goes.
const MAX_ARRAY_DEPTH: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;
const ALIGNMENT_KEY: &str = "general.alignment";

/// The header of a GGUF file: everything but the tensor data.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// Format version, 2 or 3.
    pub version: u32,
    /// The key-value pairs.
    pub metadata: Metadata,
    /// The tensor table.
    pub tensors: Tensors,
    /// First byte of the tensor data, counted from the start of the file.
    pub data_offset: u64,
}

/// What the first bytes of a file tell of it, before anything else is fetched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peek {
    /// The entries that lie whole in those bytes. Converters write hyperparameters before vocabularies.
    pub metadata: Metadata,
    /// Key and element count of the array that begins in those bytes and does not end there.
    pub cut_array: Option<(String, u64)>,
}

impl Gguf {
    /// Reads what metadata `prefix`, the first bytes of a file of any length, holds.
    ///
    /// # Errors
    /// [`GgufError`] if these are no first bytes of a GGUF file. A header that goes on behind them is none.
    pub fn peek(prefix: &[u8]) -> Result<Peek, GgufError> {
        let mut cursor = Cursor::new(prefix, u64::MAX);
        preamble(&mut cursor, prefix)?;
        let (mut entries, mut cut_array) = (Vec::new(), None);
        // Behind the counts of tensors and of entries.
        let n_entries = cursor.u64("the header").and_then(|_| cursor.u64("the header"));
        for _ in 0..n_entries.unwrap_or(0).min(MAX_ENTRIES) {
            let start = cursor.clone();
            match entry(&mut cursor) {
                Ok(entry) => entries.push(entry),
                Err(GgufError::Incomplete { .. }) => {
                    cut_array = array_heading(start).ok().flatten();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Peek { metadata: Metadata::new(entries)?, cut_array })
    }

    /// Parses the header from `prefix`, the first bytes of a file of `file_len` bytes.
    ///
    /// Memory taken is bounded by a small multiple of the prefix, whatever sizes the header claims.
    ///
    /// # Errors
    /// [`GgufError::Incomplete`] if the header goes beyond the prefix but may lie within the file; any other error is
    /// final.
    pub fn parse(prefix: &[u8], file_len: u64) -> Result<Self, GgufError> {
        Header::parse(prefix, file_len)?.into_gguf(file_len)
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`GgufError::MissingTensor`].
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, GgufError> {
        self.tensors.get(name).ok_or_else(|| GgufError::MissingTensor { name: name.to_owned() })
    }
}

/// A parsed header whose tensors are not checked yet.
pub(crate) struct Header {
    pub version: u32,
    pub metadata: Metadata,
    pub tensors: Vec<TensorEntry>,
    pub data_offset: u64,
    alignment: u64,
}

impl Header {
    /// Parses everything up to the tensor data. Errors as [`Gguf::parse`], except for those of single tensors.
    pub fn parse(prefix: &[u8], file_len: u64) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(prefix, file_len);
        let version = preamble(&mut cursor, prefix)?;
        let n_tensors = cursor.u64("the header")?;
        let n_entries = cursor.u64("the header")?;
        let metadata = metadata(&mut cursor, n_entries)?;
        let alignment = alignment(&metadata)?;
        let tensors = tensor_table(&mut cursor, n_tensors)?;
        let claimed = cursor.pos();
        let data_offset =
            claimed.checked_next_multiple_of(alignment).ok_or(GgufError::AbsurdSize { what: "the header", claimed })?;
        Ok(Self { version, metadata, tensors, data_offset, alignment })
    }

    /// Checks the tensors: types, shapes, and that all of them lie in the file, aligned and apart.
    pub fn into_gguf(self, file_len: u64) -> Result<Gguf, GgufError> {
        let Self { version, metadata, tensors, data_offset, alignment } = self;
        let tensors = place_tensors(tensors, alignment, data_offset, file_len)?;
        Ok(Gguf { version, metadata, tensors, data_offset })
    }
}

/// Magic and version. A wrong magic is reported even if the file is shorter than a header.
fn preamble(cursor: &mut Cursor<'_>, prefix: &[u8]) -> Result<u32, GgufError> {
    let start = &prefix[..prefix.len().min(MAGIC.len())];
    if !MAGIC.starts_with(start) || cursor.file_len() == 0 {
        return Err(GgufError::NotGguf { found: FoundMagic::new(prefix) });
    }
    // Of a file that is too short for a magic, all bytes are judged, so that the answer does not depend on the prefix.
    let needed = cursor.file_len().min(MAGIC.len() as u64);
    if (start.len() as u64) < needed {
        return Err(GgufError::Incomplete { needed });
    }
    cursor.bytes("the magic", MAGIC.len() as u64)?;
    match cursor.u32("the version")? {
        version @ (2 | 3) => Ok(version),
        version if matches!(version.swap_bytes(), 1..=3) => Err(GgufError::BigEndian),
        version => Err(GgufError::UnsupportedVersion { version }),
    }
}

fn metadata(cursor: &mut Cursor<'_>, n_entries: u64) -> Result<Metadata, GgufError> {
    // A key's length, a value's type and one byte of value.
    let n_entries = cursor.expect_at_most("the number of metadata entries", n_entries, 8 + 4 + 1, MAX_ENTRIES)?;
    let mut entries = Vec::new();
    for _ in 0..n_entries {
        entries.push(entry(cursor)?);
    }
    Metadata::new(entries)
}

fn entry(cursor: &mut Cursor<'_>) -> Result<(String, Value), GgufError> {
    let key = cursor.string("a metadata key", MAX_KEY_BYTES)?;
    let code = cursor.u32("a metadata type")?;
    let value = value(cursor, &key, code)?;
    Ok((key, value))
}

/// Key and element count of an entry, if it is an array.
fn array_heading(mut cursor: Cursor<'_>) -> Result<Option<(String, u64)>, GgufError> {
    const WHAT: &str = "a metadata array";
    let key = cursor.string("a metadata key", MAX_KEY_BYTES)?;
    if cursor.u32("a metadata type")? != ARRAY {
        return Ok(None);
    }
    cursor.u32(WHAT)?;
    Ok(Some((key, cursor.u64(WHAT)?)))
}

/// Type code of an array.
const ARRAY: u32 = 9;

fn value(cursor: &mut Cursor<'_>, key: &str, code: u32) -> Result<Value, GgufError> {
    const WHAT: &str = "a metadata value";
    Ok(match code {
        0 => Value::U8(u8::from_le_bytes(cursor.array(WHAT)?)),
        1 => Value::I8(i8::from_le_bytes(cursor.array(WHAT)?)),
        2 => Value::U16(u16::from_le_bytes(cursor.array(WHAT)?)),
        3 => Value::I16(i16::from_le_bytes(cursor.array(WHAT)?)),
        4 => Value::U32(u32::from_le_bytes(cursor.array(WHAT)?)),
        5 => Value::I32(i32::from_le_bytes(cursor.array(WHAT)?)),
        6 => Value::F32(f32::from_le_bytes(cursor.array(WHAT)?)),
        7 => Value::Bool(to_bool(cursor.array::<1>(WHAT)?[0], key)?),
        8 => Value::String(cursor.string("a metadata string", u64::MAX)?),
        ARRAY => Value::Array(array(cursor, key, 1)?),
        10 => Value::U64(u64::from_le_bytes(cursor.array(WHAT)?)),
        11 => Value::I64(i64::from_le_bytes(cursor.array(WHAT)?)),
        12 => Value::F64(f64::from_le_bytes(cursor.array(WHAT)?)),
        _ => return Err(GgufError::UnknownValueType { key: key.to_owned(), code }),
    })
}

/// An array: element type as u32, count as u64, elements.
fn array(cursor: &mut Cursor<'_>, key: &str, depth: u32) -> Result<Array, GgufError> {
    const WHAT: &str = "a metadata array";
    if depth > MAX_ARRAY_DEPTH {
        return Err(GgufError::NestedTooDeep { key: key.to_owned(), limit: MAX_ARRAY_DEPTH });
    }
    let code = cursor.u32(WHAT)?;
    let count = cursor.u64(WHAT)?;
    Ok(match code {
        0 => Array::U8(numbers(cursor, count, u8::from_le_bytes)?),
        1 => Array::I8(numbers(cursor, count, i8::from_le_bytes)?),
        2 => Array::U16(numbers(cursor, count, u16::from_le_bytes)?),
        3 => Array::I16(numbers(cursor, count, i16::from_le_bytes)?),
        4 => Array::U32(numbers(cursor, count, u32::from_le_bytes)?),
        5 => Array::I32(numbers(cursor, count, i32::from_le_bytes)?),
        6 => Array::F32(numbers(cursor, count, f32::from_le_bytes)?),
        7 => {
            let bytes = cursor.bytes(WHAT, count)?;
            Array::Bool(bytes.iter().map(|&byte| to_bool(byte, key)).collect::<Result<_, _>>()?)
        }
        8 => {
            let count = cursor.expect(WHAT, count, 8)?;
            let mut texts = Vec::with_capacity(count);
            for _ in 0..count {
                texts.push(cursor.string("a metadata string", u64::MAX)?);
            }
            Array::String(texts)
        }
        9 => {
            // An empty array is its element type and count.
            let count = cursor.expect(WHAT, count, 4 + 8)?;
            let mut arrays = Vec::new();
            for _ in 0..count {
                arrays.push(array(cursor, key, depth + 1)?);
            }
            Array::Array(arrays)
        }
        10 => Array::U64(numbers(cursor, count, u64::from_le_bytes)?),
        11 => Array::I64(numbers(cursor, count, i64::from_le_bytes)?),
        12 => Array::F64(numbers(cursor, count, f64::from_le_bytes)?),
        _ => return Err(GgufError::UnknownValueType { key: key.to_owned(), code }),
    })
}

fn numbers<T, const N: usize>(
    cursor: &mut Cursor<'_>,
    count: u64,
    from_le_bytes: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, GgufError> {
    const WHAT: &str = "a metadata array";
    cursor.expect(WHAT, count, N as u64)?;
    // `expect` has shown that the product fits.
    let bytes = cursor.bytes(WHAT, count * N as u64)?;
    let (elements, _) = bytes.as_chunks::<N>();
    Ok(elements.iter().map(|&element| from_le_bytes(element)).collect())
}

fn to_bool(byte: u8, key: &str) -> Result<bool, GgufError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(GgufError::InvalidBool { key: key.to_owned(), byte }),
    }
}

fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
    let alignment = metadata.u64(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() { Ok(alignment) } else { Err(GgufError::InvalidAlignment { alignment }) }
}

/// An entry of the tensor table as it is in the file, not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    /// Name.
    pub name: String,
    /// Type code; may be that of a type that this crate cannot read.
    pub code: u32,
    /// Dimensions in GGUF order.
    pub shape: Vec<u64>,
    /// First byte, counted from the start of the tensor data.
    pub relative_offset: u64,
}

impl TensorEntry {
    /// Returns the usual name of the type, or its code if the type is unknown.
    pub fn type_name(&self) -> String {
        match GgmlType::name_of_code(self.code) {
            "unknown" => format!("unknown type {}", self.code),
            name => name.to_owned(),
        }
    }

    /// Number of values; saturates on overflow.
    pub fn values(&self) -> u64 {
        self.shape.iter().fold(1, |values, &dim| values.saturating_mul(dim))
    }

    /// Length in bytes; `None` for types that this crate cannot read, and for shapes that the type does not allow.
    pub fn bytes(&self) -> Option<u64> {
        packed_bytes(GgmlType::from_code(self.code)?, &self.shape).ok()
    }
}

fn tensor_table(cursor: &mut Cursor<'_>, n_tensors: u64) -> Result<Vec<TensorEntry>, GgufError> {
    const WHAT: &str = "the tensor table";
    // Name length, number of dimensions, one dimension, type, offset.
    let n_tensors = cursor.expect_at_most("the number of tensors", n_tensors, 8 + 4 + 8 + 4 + 8, MAX_TENSORS)?;
    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        let name = cursor.string("a tensor name", MAX_TENSOR_NAME_BYTES)?;
        let n_dims = cursor.u32(WHAT)?;
        if !(1..=MAX_DIMS).contains(&n_dims) {
            return Err(GgufError::InvalidDimensions { name, n_dims });
        }
        let mut shape = Vec::with_capacity(n_dims as usize);
        for _ in 0..n_dims {
            shape.push(cursor.u64(WHAT)?);
        }
        let code = cursor.u32(WHAT)?;
        let relative_offset = cursor.u64(WHAT)?;
        tensors.push(TensorEntry { name, code, shape, relative_offset });
    }
    Ok(tensors)
}

/// Makes offsets absolute and checks that all tensors lie in the file, aligned and apart.
fn place_tensors(raw: Vec<TensorEntry>, alignment: u64, data_offset: u64, file_len: u64) -> Result<Tensors, GgufError> {
    let mut expected = 0;
    let mut infos = Vec::with_capacity(raw.len());
    for TensorEntry { name, code, shape, relative_offset } in raw {
        let Some(kind) = GgmlType::from_code(code) else {
            return Err(GgufError::UnsupportedTensorType { name, code });
        };
        let absurd = GgufError::AbsurdSize { what: "a tensor's offset", claimed: relative_offset };
        if !relative_offset.is_multiple_of(alignment) {
            return Err(GgufError::Misaligned { name, offset: relative_offset, alignment });
        }
        let Some(offset) = data_offset.checked_add(relative_offset) else { return Err(absurd) };
        let info = TensorInfo::new(name, kind, shape, offset)?;
        let Some(end) = offset.checked_add(info.bytes) else { return Err(absurd) };
        expected = expected.max(end);
        infos.push(info);
    }
    // Only after all tensors, so that the message names the length that the whole file must have.
    if expected > file_len {
        return Err(GgufError::Truncated { what: "the tensor data", expected, got: file_len });
    }
    Tensors::new(infos)
}
