//! How a weight matrix lies in memory: GGUF blocks, still quantised, repacked once at load so that every row and every
//! multi-byte load is aligned to 32 bits. The same words serve the GPU kernels and the CPU kernels.
//!
//! ```text
//! block size a multiple of 4 bytes (Q4_1, Q5_1, Q4_K, Q5_K, F32): a row is its blocks as GGUF stores them
//!     row:  [block 0][block 1] … [block n-1]
//! block = f16 scale + a multiple of 4 bytes (Q4_0, Q5_0, Q8_0: scale first; Q6_K: scale last): scales go first
//!     row:  [d 0][d 1] … [d n-1][pad to 4 bytes][rest 0][rest 1] … [rest n-1]
//! F16, BF16:
//!     row:  values, padded to 4 bytes
//! ```

use inshore_gguf::GgmlType;

use crate::OpsError;

/// Format and shape of a packed matrix of `rows` x `cols` (output x input features), and where its parts lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackedLayout {
    /// Block format of the weights.
    pub kind: GgmlType,
    /// Rows: output features (or vocabulary entries).
    pub rows: usize,
    /// Columns: input features; a multiple of the block length.
    pub cols: usize,
}

impl PackedLayout {
    /// Layout of a matrix of `rows` x `cols` in format `kind`.
    ///
    /// # Errors
    /// [`OpsError::RowNotWholeBlocks`] if a row is no whole number of blocks, [`OpsError::TooLarge`] if the packed size
    /// overflows.
    pub fn new(kind: GgmlType, rows: usize, cols: usize) -> Result<Self, OpsError> {
        if cols == 0 || !cols.is_multiple_of(kind.block_len()) {
            return Err(OpsError::RowNotWholeBlocks { kind, cols });
        }
        let layout = Self { kind, rows, cols };
        layout
            .row_blocks()
            .checked_mul(kind.block_bytes())
            .and_then(|bytes| bytes.checked_add(8))
            .and_then(|bytes| bytes.checked_mul(rows))
            .filter(|&bytes| bytes <= isize::MAX as usize)
            .ok_or(OpsError::TooLarge { kind, rows, cols })?;
        Ok(layout)
    }

    /// Blocks in a row.
    pub const fn row_blocks(&self) -> usize {
        self.cols / self.kind.block_len()
    }

    /// Bytes of a row as GGUF stores it.
    pub const fn gguf_row_bytes(&self) -> usize {
        self.row_blocks() * self.kind.block_bytes()
    }

    /// 32-bit words that the scales at the start of a row take; 0 where scales stay inside the blocks.
    pub const fn scale_words(&self) -> usize {
        if self.scale_offset().is_some() { (self.row_blocks() * 2).div_ceil(4) } else { 0 }
    }

    /// 32-bit words from one block to the next, behind the scales. Blocks of one 16-bit value (F16, BF16) count as 0:
    /// two of them share a word.
    pub const fn block_words(&self) -> usize {
        match self.scale_offset() {
            Some(_) => (self.kind.block_bytes() - 2) / 4,
            None => self.kind.block_bytes() / 4,
        }
    }

    /// 32-bit words from one row to the next.
    pub const fn row_words(&self) -> usize {
        match self.scale_offset() {
            Some(_) => self.scale_words() + self.row_blocks() * self.block_words(),
            None => self.gguf_row_bytes().div_ceil(4),
        }
    }

    /// 32-bit words of the whole matrix.
    pub const fn words(&self) -> usize {
        self.rows * self.row_words()
    }

    /// Where in a GGUF block the f16 scale lies that is moved to the start of the row; `None` if blocks stay whole.
    const fn scale_offset(&self) -> Option<usize> {
        match self.kind {
            GgmlType::Q4_0 | GgmlType::Q5_0 | GgmlType::Q8_0 => Some(0),
            GgmlType::Q6K => Some(208),
            _ => None,
        }
    }

    /// Repacks GGUF bytes (`rows` rows of blocks). `row_order(r)` names the source row that becomes row `r`.
    ///
    /// # Errors
    /// [`OpsError::WrongByteCount`] if `gguf` is not exactly the matrix.
    pub fn pack(&self, gguf: &[u8], row_order: impl Fn(usize) -> usize) -> Result<Vec<u32>, OpsError> {
        let row_bytes = self.gguf_row_bytes();
        let expected_bytes = row_bytes * self.rows;
        if gguf.len() != expected_bytes {
            let Self { kind, rows, cols } = *self;
            return Err(OpsError::WrongByteCount { kind, rows, cols, expected_bytes, actual_bytes: gguf.len() });
        }
        let mut words = vec![0u32; self.words()];
        for (row, out) in words.chunks_exact_mut(self.row_words()).enumerate() {
            let source = row_order(row) * row_bytes;
            self.pack_row(&gguf[source..source + row_bytes], bytemuck::cast_slice_mut(out));
        }
        Ok(words)
    }

    fn pack_row(&self, gguf: &[u8], out: &mut [u8]) {
        let Some(offset) = self.scale_offset() else {
            out[..gguf.len()].copy_from_slice(gguf);
            return;
        };
        let (scales, rest) = out.split_at_mut(self.scale_words() * 4);
        let blocks = gguf.chunks_exact(self.kind.block_bytes());
        let rests = rest.chunks_exact_mut(self.block_words() * 4);
        for ((block, scale), rest) in blocks.zip(scales.chunks_exact_mut(2)).zip(rests) {
            scale.copy_from_slice(&block[offset..offset + 2]);
            rest[..offset].copy_from_slice(&block[..offset]);
            rest[offset..].copy_from_slice(&block[offset + 2..]);
        }
    }
}
