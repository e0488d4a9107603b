//! Token embedding in plain Rust.

use inshore_gguf::block;

use crate::PackedLayout;

/// All values of a packed matrix: `[rows, cols]`.
pub fn unpacked(words: &[u32], layout: PackedLayout) -> Vec<f32> {
    let gguf = layout.unpack(words);
    let mut values = vec![0.0; layout.rows * layout.cols];
    block::dequantize(layout.kind, &gguf, &mut values).expect("as many values as whole rows have");
    values
}

/// Rows `ids` of a packed table: `[tokens]` → `[tokens, cols]`. An id past the last row counts as the last row.
pub fn embed(ids: &[u32], words: &[u32], layout: PackedLayout) -> Vec<f32> {
    let table = unpacked(words, layout);
    let rows = ids.iter().map(|&id| (id as usize).min(layout.rows - 1));
    rows.flat_map(|row| &table[row * layout.cols..][..layout.cols]).copied().collect()
}
