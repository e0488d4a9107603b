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
//!
//! A CPU multiplies sixteen rows side by side where activations may be rounded: the words of such rows are interleaved,
//!
//! ```text
//! panel:  [word 0 of rows 0..16][word 1 of rows 0..16] …
//! ```
//!
//! and the rows that the last panel lacks are zeros.

use std::borrow::Cow;
use std::ops::Range;

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
    /// Whether sixteen rows each are interleaved. Products with such a matrix round their activations in runs of 32
    /// columns, which is several times faster on a CPU; no other device reads it.
    pub panels: bool,
    /// How a CPU that cannot ask memory ahead reads panels for one token.
    pub streams: WeightStreams,
}

/// Number of places at which the product for one token reads a matrix. Some prefetchers stop at page ends, so four streams are
/// faster; others follow one stream and lose track of four. It does not affect results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WeightStreams {
    /// One stream: panels in order.
    One,
    /// Four streams: panels from four parts of the matrix.
    #[default]
    Four,
}

/// Rows of a panel.
pub const PANEL_ROWS: usize = 16;

impl PackedLayout {
    /// Layout of a matrix of `rows` x `cols` in format `kind`, row by row.
    ///
    /// # Errors
    /// [`OpsError::RowNotWholeBlocks`] if a row is not a whole number of blocks, [`OpsError::TooLarge`] if the packed size
    /// overflows.
    pub fn new(kind: GgmlType, rows: usize, cols: usize) -> Result<Self, OpsError> {
        if cols == 0 || !cols.is_multiple_of(kind.block_len()) {
            return Err(OpsError::RowNotWholeBlocks { kind, cols });
        }
        let layout = Self { kind, rows, cols, panels: false, streams: WeightStreams::default() };
        layout
            .row_blocks()
            .checked_mul(kind.block_bytes())
            .and_then(|bytes| bytes.checked_add(8))
            .and_then(|bytes| bytes.checked_mul(rows.checked_next_multiple_of(PANEL_ROWS)?))
            .filter(|&bytes| bytes <= isize::MAX as usize)
            .ok_or(OpsError::TooLarge { kind, rows, cols })?;
        Ok(layout)
    }

    /// The same matrix in panels, for a CPU, if there are such products for its format.
    #[must_use]
    pub const fn in_panels(self) -> Self {
        Self { panels: self.kind.is_quantized(), ..self }
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

    /// 32-bit words of a row.
    pub const fn row_words(&self) -> usize {
        match self.scale_offset() {
            Some(_) => self.scale_words() + self.row_blocks() * self.block_words(),
            None => self.gguf_row_bytes().div_ceil(4),
        }
    }

    /// 32-bit words of the whole matrix.
    pub const fn words(&self) -> usize {
        let rows = if self.panels { self.rows.next_multiple_of(PANEL_ROWS) } else { self.rows };
        rows * self.row_words()
    }

    /// Where the words of the panel lie that row `at` is in.
    const fn panel_of(&self, at: usize) -> Range<usize> {
        let panel_words = PANEL_ROWS * self.row_words();
        let start = at / PANEL_ROWS * panel_words;
        start..start + panel_words
    }

    /// The words of row `at` of the matrix `words`.
    pub fn row<'a>(&self, words: &'a [u32], at: usize) -> Cow<'a, [u32]> {
        let row_words = self.row_words();
        if self.panels {
            let panel = &words[self.panel_of(at)];
            Cow::Owned(panel.iter().skip(at % PANEL_ROWS).step_by(PANEL_ROWS).copied().collect())
        } else {
            Cow::Borrowed(&words[at * row_words..][..row_words])
        }
    }

    /// Where in a GGUF block the f16 scale lies that is moved to the start of the row; `None` if blocks stay whole.
    const fn scale_offset(&self) -> Option<usize> {
        match self.kind {
            GgmlType::Q4_0 | GgmlType::Q5_0 | GgmlType::Q8_0 => Some(0),
            GgmlType::Q6K => Some(208),
            _ => None,
        }
    }

    /// Repacks a whole matrix at once: GGUF row `r` becomes row `place(r)`.
    ///
    /// # Errors
    /// [`OpsError::WrongByteCount`] if `gguf` is not exactly the matrix.
    pub fn pack(&self, gguf: &[u8], place: impl Fn(usize) -> usize) -> Result<Vec<u32>, OpsError> {
        let expected_bytes = self.gguf_row_bytes() * self.rows;
        if gguf.len() != expected_bytes {
            let Self { kind, rows, cols, .. } = *self;
            return Err(OpsError::WrongByteCount { kind, rows, cols, expected_bytes, actual_bytes: gguf.len() });
        }
        let mut words = vec![0u32; self.words()];
        self.pack_rows(0, gguf, place, &mut words);
        Ok(words)
    }

    /// Repacks the whole rows in `gguf`, the first of which is row `first_row` of the file, into the matrix `words`:
    /// file row `r` becomes row `place(r)`. So a large tensor can be streamed in pieces. Rows that `place` puts outside
    /// of the matrix are left out.
    pub fn pack_rows(&self, first_row: usize, gguf: &[u8], place: impl Fn(usize) -> usize, words: &mut [u32]) {
        let row_words = self.row_words();
        let mut alone = vec![0; if self.panels { row_words } else { 0 }];
        for (offset, row) in gguf.chunks_exact(self.gguf_row_bytes()).enumerate() {
            let at = place(first_row + offset);
            if at >= self.rows {
                continue;
            }
            if self.panels {
                self.pack_row(row, bytemuck::cast_slice_mut(&mut alone));
                for (line, &word) in words[self.panel_of(at)].chunks_exact_mut(PANEL_ROWS).zip(&alone) {
                    line[at % PANEL_ROWS] = word;
                }
            } else {
                self.pack_row(row, bytemuck::cast_slice_mut(&mut words[at * row_words..][..row_words]));
            }
        }
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

    /// Turns packed words back into GGUF bytes: the inverse of [`pack`](Self::pack) with rows in order. For references
    /// and tests; kernels read the words as they are.
    pub fn unpack(&self, words: &[u32]) -> Vec<u8> {
        (0..self.rows).flat_map(|row| self.unpack_row(bytemuck::cast_slice(&self.row(words, row)))).collect()
    }

    fn unpack_row(&self, packed: &[u8]) -> Vec<u8> {
        let Some(offset) = self.scale_offset() else {
            return packed[..self.gguf_row_bytes()].to_vec();
        };
        let (scales, rest) = packed.split_at(self.scale_words() * 4);
        let rests = rest.chunks_exact(self.block_words() * 4);
        let blocks = rests.zip(scales.chunks_exact(2));
        blocks.flat_map(|(rest, scale)| [&rest[..offset], scale, &rest[offset..]].concat()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layouts() -> impl Strategy<Value = PackedLayout> {
        (0..GgmlType::ALL.len(), 1usize..20, 1usize..6, any::<bool>()).prop_map(|(kind, rows, blocks, panels)| {
            let kind = GgmlType::ALL[kind];
            let layout = PackedLayout::new(kind, rows, blocks * kind.block_len()).expect("whole blocks");
            if panels { layout.in_panels() } else { layout }
        })
    }

    fn gguf_bytes(layout: PackedLayout, seed: u32) -> Vec<u8> {
        let count = (layout.gguf_row_bytes() * layout.rows) as u32;
        (0..count).map(|at| crate::sample::reference::noise_bits(1, seed, at) as u8).collect()
    }

    proptest! {
        #[test]
        fn unpack_inverts_pack(layout in layouts(), seed: u32) {
            let gguf = gguf_bytes(layout, seed);
            let words = layout.pack(&gguf, |row| row).expect("the right size");
            prop_assert_eq!(words.len(), layout.words());
            prop_assert_eq!(layout.unpack(&words), gguf);
        }

        #[test]
        fn place_names_the_target_also_in_pieces(layout in layouts(), seed: u32, turn in 0usize..4) {
            let gguf = gguf_bytes(layout, seed);
            let place = |row: usize| (row + turn) % layout.rows;
            let words = layout.pack(&gguf, place).expect("the right size");
            let bytes = layout.gguf_row_bytes();
            let mut turned = gguf.clone();
            turned.rotate_right(turn % layout.rows * bytes);
            prop_assert_eq!(layout.unpack(&words), turned);

            let mut by_rows = vec![0; layout.words()];
            for (row, piece) in gguf.chunks(bytes).enumerate() {
                layout.pack_rows(row, piece, place, &mut by_rows);
            }
            prop_assert_eq!(by_rows, words);
        }
    }

    #[test]
    fn scales_lie_where_the_drawing_says() {
        let layout = PackedLayout::new(GgmlType::Q8_0, 1, 96).expect("whole blocks");
        let mut gguf = vec![0u8; 3 * 34];
        for block in 0..3 {
            gguf[block * 34..][..2].copy_from_slice(&[block as u8 + 1, 0xA0]);
            gguf[block * 34 + 2] = 0x10 + block as u8;
        }
        let words = layout.pack(&gguf, |row| row).expect("the right size");
        assert_eq!(words[..2], [0xA002_A001, 0x0000_A003], "three scales and padding");
        assert_eq!([words[2], words[10], words[18]], [0x10, 0x11, 0x12], "blocks of eight words");
        assert_eq!(words.len(), 2 + 3 * 8);
    }

    #[test]
    fn a_panel_has_the_same_word_of_sixteen_rows_side_by_side() {
        let layout = PackedLayout::new(GgmlType::Q4_1, 17, 32).expect("whole blocks").in_panels();
        let gguf: Vec<u8> = (0..17u8).flat_map(|row| (0..20).map(move |at| row * 5 + at / 4)).collect();
        let words = layout.pack(&gguf, |row| row).expect("the right size");
        let word = |row: u32, at: u32| (row * 5 + at) * 0x0101_0101;
        assert_eq!(words[..17], (0..16).map(|row| word(row, 0)).chain([word(0, 1)]).collect::<Vec<_>>());
        assert_eq!(
            [words[5 * 16], words[5 * 16 + 1], words[6 * 16]],
            [word(16, 0), 0, word(16, 1)],
            "the second panel"
        );
        assert_eq!(words.len(), 2 * 5 * 16);
    }

    #[test]
    fn part_blocks_wrong_sizes_and_overflow_are_refused() {
        assert!(matches!(PackedLayout::new(GgmlType::Q4K, 1, 128), Err(OpsError::RowNotWholeBlocks { cols: 128, .. })));
        assert!(matches!(PackedLayout::new(GgmlType::F32, 1, 0), Err(OpsError::RowNotWholeBlocks { cols: 0, .. })));
        let many = 1 << (usize::BITS - 8);
        assert!(matches!(PackedLayout::new(GgmlType::F32, many, many), Err(OpsError::TooLarge { .. })));
        let layout = PackedLayout::new(GgmlType::Q4_1, 2, 32).expect("whole blocks");
        let short = layout.pack(&[0; 39], |row| row);
        assert!(matches!(short, Err(OpsError::WrongByteCount { expected_bytes: 40, actual_bytes: 39, .. })));
    }
}
