//! GGUF bytes to header, metadata, tensor table and block layouts.
//!
//! The crate reads GGUF versions 2 and 3 (little endian) from untrusted bytes: every size is checked against the bytes
//! that are left before anything is allocated, arithmetic is checked, and every refusal is a [`GgufError`] that says what
//! is wrong and what to do. It does no I/O of its own: a file, HTTP byte ranges and OPFS all serve through [`ReadAt`].
//!
//! ```
//! use inshore_gguf::{GgmlType, Gguf, Value, block, testing::{GgufBuilder, block_on}};
//!
//! let file = GgufBuilder::new()
//!     .metadata("general.architecture", Value::String("llama".into()))
//!     .tensor("w", GgmlType::Q8_0, &[32, 2], &[0.5; 64])
//!     .build();
//! let gguf = block_on(Gguf::read(&file))?;
//! let w = gguf.tensor("w")?;
//! let packed = block_on(Gguf::read_tensor(&file, w))?;
//! let mut values = vec![0.0; 64];
//! block::dequantize(w.kind, &packed, &mut values)?;
//! # assert!(values.iter().all(|v| (v - 0.5).abs() < 1e-3));
//! # Ok::<(), inshore_gguf::GgufError>(())
//! ```
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>; block layouts: `ggml-common.h` in the same
//! repository.

pub mod block;
mod cursor;
mod error;
mod ggml_type;
mod header;
mod metadata;
mod read;
mod source;
mod survey;
mod tensor;
#[cfg(feature = "testing")]
pub mod testing;
mod value;

pub use error::{FoundMagic, GgufError};
pub use ggml_type::GgmlType;
pub use header::{Gguf, Peek, TensorEntry};
pub use metadata::{FromValue, Metadata};
pub use read::MAX_HEADER_BYTES;
#[cfg(any(unix, windows))]
pub use source::FileSource;
pub use source::{ReadAt, ReadError};
pub use survey::Survey;
pub use tensor::{TensorInfo, Tensors};
pub use value::{Array, Value};
