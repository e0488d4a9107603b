//! The header of a file, also of a file that cannot be loaded, to show it to a user.

use crate::read::read_header;
use crate::{Gguf, GgufError, Metadata, ReadAt, TensorEntry};

/// A valid header. The file's tensors may be cut off, damaged or of types that this crate cannot read.
#[derive(Debug)]
pub struct Survey {
    /// Format version, 2 or 3.
    pub version: u32,
    /// The key-value pairs.
    pub metadata: Metadata,
    /// The tensor table as it stands in the file.
    pub tensors: Vec<TensorEntry>,
    /// First byte of the tensor data, counted from the start of the file.
    pub data_offset: u64,
    /// The file as [`Gguf::read`] gives it, or why it is refused.
    pub checked: Result<Gguf, GgufError>,
}

impl Survey {
    /// Reads the header.
    ///
    /// # Errors
    /// Those of [`Gguf::read`] about magic, version, metadata and the tensor table itself. Faults of single tensors are in
    /// [`checked`](Self::checked).
    pub async fn read<S: ReadAt + ?Sized>(source: &S) -> Result<Self, GgufError> {
        let header = read_header(source).await?;
        let (version, data_offset) = (header.version, header.data_offset);
        let (metadata, tensors) = (header.metadata.clone(), header.tensors.clone());
        Ok(Self { version, metadata, tensors, data_offset, checked: header.into_gguf(source.len()) })
    }
}
