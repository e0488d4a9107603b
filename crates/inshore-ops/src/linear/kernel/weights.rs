//! The matrices of one product: one, the three of attention's input behind one another, or gate and up side by side.

use cubecl::prelude::*;
use inshore_gguf::GgmlType;

use super::chunk::{Chunk, Place, plain_value};
use crate::PackedLayout;

/// How [`Weights`] are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cut {
    /// One matrix.
    One,
    /// Q, K and V in one buffer.
    Qkv,
    /// Gate and up in a buffer each; row 2i is row i of the gate, row 2i + 1 is row i of up.
    GateUp,
}

/// What a kernel knows of its weights when it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Format {
    pub cut: Cut,
    /// Block formats of the parts.
    pub kinds: [GgmlType; 3],
}

/// Packed matrices of equal width on the device; see [`PackedLayout`] for the words.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Weights {
    pub words: Box<[u32]>,
    pub up: ComptimeOption<Box<[u32]>>,
    pub cols: usize,
    /// Rows of the first matrix.
    pub rows: usize,
    /// Rows of K, and of V.
    pub kv_rows: usize,
    #[cube(comptime)]
    pub format: Format,
}

/// Rows that one cube computes; all of one part.
#[derive(CubeType)]
pub(crate) struct Tile {
    /// 0 for Q, 1 for K, 2 for V.
    pub part: usize,
    /// Where the part starts.
    pub first_word: usize,
    /// First row of the tile in its part.
    pub first_row: usize,
    /// Rows of the part.
    pub rows: usize,
}

#[cube]
impl Weights {
    /// Tile `index` of all tiles of `height` rows.
    pub fn tile(&self, index: usize, #[comptime] height: usize) -> Tile {
        let format = comptime!(self.format);
        let mut part = 0usize.runtime();
        let mut first_word = 0usize.runtime();
        let mut first_tile = 0usize.runtime();
        let mut rows = self.rows;
        if comptime!(format.cut == Cut::GateUp) {
            rows = self.rows * 2;
        }
        if comptime!(format.cut == Cut::Qkv) {
            let k_tile = self.rows.div_ceil(height);
            let v_tile = k_tile + self.kv_rows.div_ceil(height);
            let k_word = self.rows * row_words(self.cols, comptime!(format.kinds[0]));
            let v_word = k_word + self.kv_rows * row_words(self.cols, comptime!(format.kinds[1]));
            let behind_q = index >= k_tile;
            let behind_k = index >= v_tile;
            part = usize::cast_from(behind_q) + usize::cast_from(behind_k);
            first_word = select(behind_k, v_word, select(behind_q, k_word, 0usize));
            first_tile = select(behind_k, v_tile, select(behind_q, k_tile, 0usize));
            rows = select(behind_q, self.kv_rows, self.rows);
        }
        Tile { part, first_word, first_row: (index - first_tile) * height, rows }
    }

    /// Unpacks a chunk of a row (or of the last one, if there is no such row). `odd`: whether the row's number is odd.
    pub fn read(&self, tile: &Tile, at: (usize, usize), out: &mut Chunk, #[comptime] odd: bool) {
        let format = comptime!(self.format);
        let row = min(at.0, tile.rows - 1);
        match comptime!(format.cut) {
            Cut::One => read_row(&self.words, (0usize, row), self.cols, at.1, out, comptime!(format.kinds[0])),
            Cut::GateUp => {
                if comptime!(odd) {
                    #[comptime]
                    match &self.up {
                        ComptimeOption::Some(up) => {
                            read_row(up, (0usize, row / 2), self.cols, at.1, out, comptime!(format.kinds[1]))
                        }
                        ComptimeOption::None => {}
                    }
                } else {
                    read_row(&self.words, (0usize, row / 2), self.cols, at.1, out, comptime!(format.kinds[0]))
                }
            }
            Cut::Qkv => {
                let from = (tile.first_word, row);
                let kinds = comptime!(format.kinds);
                if comptime!(kinds[0] == kinds[1] && kinds[1] == kinds[2]) {
                    read_row(&self.words, from, self.cols, at.1, out, comptime!(kinds[0]));
                } else {
                    if tile.part == 0 {
                        read_row(&self.words, from, self.cols, at.1, out, comptime!(kinds[0]));
                    } else if tile.part == 1 {
                        read_row(&self.words, from, self.cols, at.1, out, comptime!(kinds[1]));
                    } else {
                        read_row(&self.words, from, self.cols, at.1, out, comptime!(kinds[2]));
                    }
                }
            }
        }
    }

    /// The value at row and column `at` of matrices that are not quantised.
    pub fn value(&self, tile: &Tile, at: (usize, usize), #[comptime] odd: bool) -> f32 {
        let format = comptime!(self.format);
        let row = min(at.0, tile.rows - 1);
        let mut value = 0.0f32.runtime();
        match comptime!(format.cut) {
            Cut::One => {
                let kind = comptime!(format.kinds[0]);
                value = plain_value(&self.words, row * row_words(self.cols, kind), at.1, kind);
            }
            Cut::GateUp => {
                if comptime!(odd) {
                    let kind = comptime!(format.kinds[1]);
                    #[comptime]
                    match &self.up {
                        ComptimeOption::Some(up) => {
                            value = plain_value(up, row / 2 * row_words(self.cols, kind), at.1, kind);
                        }
                        ComptimeOption::None => {}
                    }
                } else {
                    let kind = comptime!(format.kinds[0]);
                    value = plain_value(&self.words, row / 2 * row_words(self.cols, kind), at.1, kind);
                }
            }
            Cut::Qkv =>
            {
                #[unroll]
                for part in 0..3usize {
                    if tile.part == part {
                        let kind = comptime!(format.kinds[part]);
                        let first = tile.first_word + row * row_words(self.cols, kind);
                        value = plain_value(&self.words, first, at.1, kind);
                    }
                }
            }
        }
        value
    }
}

/// Chunk `chunk` of row `from.1` of the matrix that starts with word `from.0`.
#[cube]
fn read_row(
    words: &[u32],
    from: (usize, usize),
    cols: usize,
    chunk: usize,
    out: &mut Chunk,
    #[comptime] kind: GgmlType,
) {
    let blocks = cols / comptime!(kind.block_len());
    out.read(words, &Place { row: from.0 + from.1 * row_words(cols, kind), blocks, chunk }, kind);
}

/// As [`PackedLayout::row_words`].
#[cube]
fn row_words(cols: usize, #[comptime] kind: GgmlType) -> usize {
    let scales = comptime!(scales_first(kind));
    let block_words = comptime!(block_words(kind));
    let mut words = cols.div_ceil(2);
    if comptime!(block_words > 0) {
        let blocks = cols / comptime!(kind.block_len());
        words = blocks * block_words;
        if comptime!(scales) {
            words += blocks.div_ceil(2);
        }
    }
    words
}

/// A layout of the format with one block, or none where a row may be shorter than a block.
fn one_block(kind: GgmlType) -> PackedLayout {
    PackedLayout::new(kind, 1, kind.block_len()).expect("a whole block")
}

fn scales_first(kind: GgmlType) -> bool {
    one_block(kind).scale_words() > 0
}

fn block_words(kind: GgmlType) -> usize {
    one_block(kind).block_words()
}
