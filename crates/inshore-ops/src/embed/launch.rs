//! Host side of the embedding.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{EMBED_UNITS, embed_chunks, embed_values};
use crate::PackedLayout;
use crate::cube::{cube_grid, dispatch, empty};
use crate::linear::kernel::CHUNK;
use crate::linear::launch::Matrices;

/// Rows of the first `tokens` of `ids`, of `table` as a new tensor `[tokens, cols]`.
pub(crate) fn embed_rows(ids: &CubeTensor, tokens: usize, table: &CubeTensor, layout: PackedLayout) -> CubeTensor {
    let cols = layout.cols;
    let table = Matrices::One(table, layout);
    let out = empty(ids, &[tokens, cols]);
    if tokens == 0 {
        return out;
    }
    let client = &ids.client;
    dispatch();
    let dim = CubeDim::new_1d(EMBED_UNITS as u32);
    let ids = ids.clone().into_buffer_arg();
    let output = out.clone().into_buffer_arg();
    if cols.is_multiple_of(CHUNK) {
        let count = cube_grid((tokens * cols / CHUNK).div_ceil(EMBED_UNITS));
        embed_chunks::launch(client, count, dim, ids, table.launch(), output, tokens);
    } else {
        let count = cube_grid((tokens * cols).div_ceil(EMBED_UNITS));
        embed_values::launch(client, count, dim, ids, table.launch(), output, tokens);
    }
    out
}
