//! The crate's one error type.

use std::fmt;

use crate::{GgmlType, ReadError};

/// Everything that can be wrong with a GGUF file or with a request made to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The given prefix ends before the header does; the file itself may be fine.
    #[error("the header needs at least {needed} bytes of the file; pass a longer prefix")]
    Incomplete {
        /// Length the prefix must have at least, in bytes from the start of the file; never more than the file has.
        needed: u64,
    },
    /// The file does not start with the GGUF magic.
    #[error("not a GGUF file: it starts with {found}; check the path or the download address")]
    NotGguf {
        /// The first bytes of the file.
        found: FoundMagic,
    },
    /// A GGUF file written for big-endian machines.
    #[error(
        "this GGUF file is big endian, only little endian is supported; convert it or download a little-endian one"
    )]
    BigEndian,
    /// A GGUF version other than 2 and 3.
    #[error("GGUF version {version} is not supported, only 2 and 3 are; convert the model with a current tool")]
    UnsupportedVersion {
        /// The version that the file names.
        version: u32,
    },
    /// The file has fewer bytes than its header says.
    #[error(
        "the file is cut short or damaged: {what} reaches to byte {expected}, the file has {got} bytes; download it again"
    )]
    Truncated {
        /// What does not fit: `"the tensor data"` or the part of the header that was being read.
        what: &'static str,
        /// Bytes that the file must have: exact for tensor data, a lower bound inside the header.
        expected: u64,
        /// Bytes that the file has.
        got: u64,
    },
    /// A size in the header is so large that computing with it overflows.
    #[error("the file is damaged: the size of {what} ({claimed}) is beyond any file; download it again")]
    AbsurdSize {
        /// What has that size.
        what: &'static str,
        /// The number in the header.
        claimed: u64,
    },
    /// A length is above this crate's limit although the file could hold it.
    #[error(
        "the file is damaged or hostile: {what} is {claimed}, at most {limit} is accepted; download it again from a source you trust"
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The number in the header.
        claimed: u64,
        /// The largest number accepted.
        limit: u64,
    },
    /// Text in the header is not UTF-8.
    #[error("the file is damaged: {what} at byte {offset} is not UTF-8; download it again")]
    InvalidUtf8 {
        /// Which text.
        what: &'static str,
        /// Where it starts in the file, in bytes.
        offset: u64,
    },
    /// A metadata type code outside 0..=12.
    #[error("metadata key `{key}` has unknown value type {code}; the file is damaged or newer than GGUF 3")]
    UnknownValueType {
        /// The metadata key.
        key: String,
        /// The code in the file.
        code: u32,
    },
    /// A metadata bool that is neither 0 nor 1.
    #[error(
        "metadata key `{key}` holds the byte {byte} where a bool (0 or 1) must be; the file is damaged, download it again"
    )]
    InvalidBool {
        /// The metadata key.
        key: String,
        /// The byte in the file.
        byte: u8,
    },
    /// Arrays nested deeper than this crate follows.
    #[error("metadata key `{key}` nests arrays more than {limit} deep; the file is damaged or hostile")]
    NestedTooDeep {
        /// The metadata key.
        key: String,
        /// Depth accepted.
        limit: u32,
    },
    /// The same metadata key twice.
    #[error("metadata key `{key}` occurs twice; the file is damaged, download it again")]
    DuplicateKey {
        /// The metadata key.
        key: String,
    },
    /// A metadata key that the model needs is not there.
    #[error("metadata key `{key}` is missing; the file is incomplete or for another kind of model, convert it again")]
    MissingKey {
        /// The metadata key.
        key: String,
    },
    /// A metadata value has another type, or does not fit in the wanted one.
    #[error("metadata key `{key}` must be {wanted} but is {found}; convert the model again")]
    WrongType {
        /// The metadata key.
        key: String,
        /// What was asked for.
        wanted: &'static str,
        /// What the file holds.
        found: &'static str,
    },
    /// `general.alignment` is not a power of two.
    #[error("general.alignment is {alignment}, it must be a power of two; the file is damaged, download it again")]
    InvalidAlignment {
        /// The value in the file.
        alignment: u64,
    },
    /// The same tensor name twice.
    #[error("tensor `{name}` occurs twice; the file is damaged, download it again")]
    DuplicateTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor that the model needs is not there.
    #[error("tensor `{name}` is missing; the file is incomplete or for another kind of model")]
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor is stored in a format that this crate cannot read.
    #[error(
        "tensor `{name}` has type {} ({code}), which is not supported; use a file quantised as one of {}",
        GgmlType::name_of_code(*.code),
        GgmlType::supported()
    )]
    UnsupportedTensorType {
        /// The tensor's name.
        name: String,
        /// The type code in the file.
        code: u32,
    },
    /// A tensor has no dimension or more than four.
    #[error(
        "tensor `{name}` has {n_dims} dimensions, one to four are possible; the file is damaged, download it again"
    )]
    InvalidDimensions {
        /// The tensor's name.
        name: String,
        /// The number in the file.
        n_dims: u32,
    },
    /// A tensor has an empty dimension, rows that are not whole blocks, or a size beyond u64.
    #[error(
        "tensor `{name}` of type {kind} has the impossible shape {shape:?}: {reason}; the file is damaged, download it again"
    )]
    InvalidShape {
        /// The tensor's name.
        name: String,
        /// The tensor's type.
        kind: GgmlType,
        /// The shape in GGUF order.
        shape: Vec<u64>,
        /// Which rule is broken.
        reason: &'static str,
    },
    /// A tensor does not start at a multiple of the file's alignment.
    #[error(
        "tensor `{name}` starts at data offset {offset}, not a multiple of {alignment}; the file is damaged, download it again"
    )]
    Misaligned {
        /// The tensor's name.
        name: String,
        /// Offset relative to the start of the tensor data, in bytes.
        offset: u64,
        /// The file's alignment, in bytes.
        alignment: u64,
    },
    /// Two tensors share bytes.
    #[error("tensors `{first}` and `{second}` overlap; the file is damaged, download it again")]
    OverlappingTensors {
        /// The one that starts first.
        first: String,
        /// The one that starts inside it.
        second: String,
    },
    /// A buffer given to a block function has the wrong length.
    #[error("{values} values of type {kind} do not take {bytes} bytes: a block of {} values takes {}", .kind.block_len(), .kind.block_bytes())]
    BlockSize {
        /// The tensor type.
        kind: GgmlType,
        /// Length of the packed bytes.
        bytes: usize,
        /// Length of the unpacked values.
        values: usize,
    },
    /// Rows were asked for that the tensor does not have.
    #[error("tensor `{name}` has {rows} rows, {count} from row {first} on were asked for")]
    RowRange {
        /// The tensor's name.
        name: String,
        /// Rows of the tensor.
        rows: u64,
        /// First row asked for.
        first: u64,
        /// Number of rows asked for.
        count: u64,
    },
    /// The memory for a tensor or the header could not be had.
    #[error("out of memory: {bytes} bytes for {what}; use a smaller model or free memory")]
    OutOfMemory {
        /// What the memory was for.
        what: &'static str,
        /// How much, in bytes.
        bytes: u64,
    },
    /// The source of the bytes failed.
    #[error("reading the model failed: {0}")]
    Read(#[from] ReadError),
}

impl GgufError {
    /// [`GgufError::MissingKey`] for `key`.
    pub fn missing_key(key: &str) -> Self {
        Self::MissingKey { key: key.to_owned() }
    }
}

/// The first bytes of a file that is not a GGUF file; displays them and names a few things that get mistaken for models.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FoundMagic {
    bytes: [u8; 9],
    len: u8,
}

impl FoundMagic {
    pub(crate) fn new(file: &[u8]) -> Self {
        let mut bytes = [0; 9];
        let len = file.len().min(bytes.len());
        bytes[..len].copy_from_slice(&file[..len]);
        Self { bytes, len: len as u8 }
    }

    /// The bytes, at most nine.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn guess(&self) -> Option<&'static str> {
        let found = self.bytes();
        let starts = |magic: &[u8]| found.len() >= magic.len() && found[..magic.len()].eq_ignore_ascii_case(magic);
        if found.is_empty() {
            Some("an empty file")
        } else if starts(b"version h") {
            Some("a Git LFS pointer, not the model itself")
        } else if starts(b"<!doctype") || starts(b"<html") {
            Some("a web page, perhaps an error page")
        } else if starts(b"PK\x03\x04") {
            Some("a zip archive or PyTorch checkpoint")
        } else if starts(b"lmgg") || starts(b"fmgg") || starts(b"tjgg") || starts(b"algg") {
            Some("a GGML file older than GGUF")
        } else if found.len() == 9 && found[8] == b'{' {
            Some("probably a safetensors file")
        } else if starts(b"{") {
            Some("JSON, perhaps an error message")
        } else {
            None
        }
    }
}

impl fmt::Display for FoundMagic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())?;
        match self.guess() {
            Some(guess) => write!(f, " ({guess})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FoundMagic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoundMagic({self})")
    }
}
