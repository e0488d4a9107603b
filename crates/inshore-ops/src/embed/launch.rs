//! Host side of the embedding.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{EMBED_UNITS, embed_chunks, embed_values};
use crate::cube::{cube_grid, empty};
use crate::linear::kernel::CHUNK;
use crate::linear::launch::Weight;

/// Rows `ids: [tokens]` of `table` as a new tensor `[tokens, cols]`.
pub(crate) fn embed_rows(ids: &CubeTensor, table: Weight<'_>) -> CubeTensor {
    let tokens = ids.meta.shape()[0];
    let cols = table.layout.cols;
    let out = empty(ids, &[tokens, cols]);
    if tokens == 0 {
        return out;
    }
    let client = &ids.client;
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
