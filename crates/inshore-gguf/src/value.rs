//! Metadata values: the thirteen types of GGUF.

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Type code 0.
    U8(u8),
    /// Type code 1.
    I8(i8),
    /// Type code 2.
    U16(u16),
    /// Type code 3.
    I16(i16),
    /// Type code 4.
    U32(u32),
    /// Type code 5.
    I32(i32),
    /// Type code 6.
    F32(f32),
    /// Type code 7.
    Bool(bool),
    /// Type code 8, UTF-8.
    String(String),
    /// Type code 9.
    Array(Array),
    /// Type code 10.
    U64(u64),
    /// Type code 11.
    I64(i64),
    /// Type code 12.
    F64(f64),
}

/// A metadata array; its elements have one type and lie packed.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Elements of type code 0.
    U8(Vec<u8>),
    /// Elements of type code 1.
    I8(Vec<i8>),
    /// Elements of type code 2.
    U16(Vec<u16>),
    /// Elements of type code 3.
    I16(Vec<i16>),
    /// Elements of type code 4.
    U32(Vec<u32>),
    /// Elements of type code 5.
    I32(Vec<i32>),
    /// Elements of type code 6.
    F32(Vec<f32>),
    /// Elements of type code 7.
    Bool(Vec<bool>),
    /// Elements of type code 8.
    String(Vec<String>),
    /// Elements of type code 9, nested arrays.
    Array(Vec<Array>),
    /// Elements of type code 10.
    U64(Vec<u64>),
    /// Elements of type code 11.
    I64(Vec<i64>),
    /// Elements of type code 12.
    F64(Vec<f64>),
}

impl Value {
    /// The value as an integer, whatever its integer type.
    pub fn as_integer(&self) -> Option<i128> {
        Some(match self {
            Self::U8(v) => (*v).into(),
            Self::I8(v) => (*v).into(),
            Self::U16(v) => (*v).into(),
            Self::I16(v) => (*v).into(),
            Self::U32(v) => (*v).into(),
            Self::I32(v) => (*v).into(),
            Self::U64(v) => (*v).into(),
            Self::I64(v) => (*v).into(),
            _ => return None,
        })
    }

    /// The number that stands for this type in a GGUF file.
    pub const fn code(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    /// The type's name for messages, as in `"u32"` or `"array of string"`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::U8(_) => "u8",
            Self::I8(_) => "i8",
            Self::U16(_) => "u16",
            Self::I16(_) => "i16",
            Self::U32(_) => "u32",
            Self::I32(_) => "i32",
            Self::F32(_) => "f32",
            Self::Bool(_) => "bool",
            Self::String(_) => "string",
            Self::Array(array) => array.type_name(),
            Self::U64(_) => "u64",
            Self::I64(_) => "i64",
            Self::F64(_) => "f64",
        }
    }
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::String(v) => v.len(),
            Self::Array(v) => v.len(),
            Self::U64(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements' type code in a GGUF file.
    pub const fn element_code(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    /// The array's type for messages, as in `"array of string"`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::U8(_) => "array of u8",
            Self::I8(_) => "array of i8",
            Self::U16(_) => "array of u16",
            Self::I16(_) => "array of i16",
            Self::U32(_) => "array of u32",
            Self::I32(_) => "array of i32",
            Self::F32(_) => "array of f32",
            Self::Bool(_) => "array of bool",
            Self::String(_) => "array of string",
            Self::Array(_) => "array of array",
            Self::U64(_) => "array of u64",
            Self::I64(_) => "array of i64",
            Self::F64(_) => "array of f64",
        }
    }
}
