//! Reading header and tensors from a [`ReadAt`], never the whole file.

use crate::header::Header;
use crate::{Gguf, GgufError, ReadAt, ReadError, TensorInfo};

/// The largest header that [`Gguf::read`] reads, in bytes. Vocabularies of 262,144 tokens take about 16 MB.
pub const MAX_HEADER_BYTES: u64 = 64 << 20;

const FIRST_PREFIX_BYTES: u64 = 64 << 10;

impl Gguf {
    /// Reads the header, with a prefix that doubles from 64 KiB until the header fits.
    ///
    /// # Errors
    /// Those of [`Gguf::parse`]; [`GgufError::TooLarge`] for a header beyond [`MAX_HEADER_BYTES`];
    /// [`GgufError::Read`] if the source fails.
    pub async fn read<S: ReadAt + ?Sized>(source: &S) -> Result<Self, GgufError> {
        read_header(source).await?.into_gguf(source.len())
    }

    /// Reads the packed bytes of one tensor.
    ///
    /// # Errors
    /// [`GgufError::Read`] if the source fails or is too short, [`GgufError::OutOfMemory`].
    pub async fn read_tensor<S: ReadAt + ?Sized>(source: &S, tensor: &TensorInfo) -> Result<Vec<u8>, GgufError> {
        read_range(source, tensor.offset, tensor.bytes).await
    }

    /// Reads the packed bytes of `count` rows from row `first` on: large tensors can be loaded piece by piece.
    ///
    /// # Errors
    /// As [`Gguf::read_tensor`], and [`GgufError::RowRange`] if the tensor has no such rows.
    pub async fn read_rows<S: ReadAt + ?Sized>(
        source: &S,
        tensor: &TensorInfo,
        first: u64,
        count: u64,
    ) -> Result<Vec<u8>, GgufError> {
        let rows = tensor.rows();
        if first.checked_add(count).is_none_or(|end| end > rows) {
            return Err(GgufError::RowRange { name: tensor.name.clone(), rows, first, count });
        }
        // Both products are at most `tensor.bytes`, because `first` and `count` are at most `rows`.
        let row_bytes = tensor.row_bytes();
        read_range(source, tensor.offset.saturating_add(first * row_bytes), count * row_bytes).await
    }
}

/// Reads the header with a prefix that doubles until the header fits.
pub(crate) async fn read_header<S: ReadAt + ?Sized>(source: &S) -> Result<Header, GgufError> {
    const WHAT: &str = "the header";
    let file_len = source.len();
    let mut prefix = Vec::new();
    let mut wanted = FIRST_PREFIX_BYTES.min(file_len);
    loop {
        let have = prefix.len();
        extend_zeroed(&mut prefix, wanted, WHAT)?;
        source.read_at(have as u64, &mut prefix[have..]).await?;
        match Header::parse(&prefix, file_len) {
            Err(GgufError::Incomplete { needed }) if needed > MAX_HEADER_BYTES => {
                return Err(GgufError::TooLarge { what: WHAT, claimed: needed, limit: MAX_HEADER_BYTES });
            }
            // `needed` is more than `wanted` and at most `file_len`, so the prefix grows every time.
            Err(GgufError::Incomplete { needed }) => wanted = needed.max(wanted.saturating_mul(2)).min(file_len),
            done => return done,
        }
    }
}

async fn read_range<S: ReadAt + ?Sized>(source: &S, offset: u64, wanted: u64) -> Result<Vec<u8>, GgufError> {
    // Before allocating: the tensor may come from another file than the source.
    let got = source.len().saturating_sub(offset);
    if wanted > got {
        return Err(ReadError::Short { offset, wanted, got }.into());
    }
    let mut bytes = Vec::new();
    extend_zeroed(&mut bytes, wanted, "a tensor")?;
    source.read_at(offset, &mut bytes).await?;
    Ok(bytes)
}

/// Grows `bytes` to `len` with zeros, with an error where memory runs out.
fn extend_zeroed(bytes: &mut Vec<u8>, len: u64, what: &'static str) -> Result<(), GgufError> {
    let out_of_memory = GgufError::OutOfMemory { what, bytes: len };
    let Ok(len) = usize::try_from(len) else { return Err(out_of_memory) };
    if bytes.try_reserve_exact(len.saturating_sub(bytes.len())).is_err() {
        return Err(out_of_memory);
    }
    bytes.resize(len, 0);
    Ok(())
}
