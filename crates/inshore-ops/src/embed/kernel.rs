//! Device code of the embedding.

use cubecl::prelude::*;

use crate::linear::kernel::{Chunk, QUADS, Quad, Weights};

/// Units of a cube.
pub(crate) const EMBED_UNITS: usize = 64;

/// Each unit dequantises one chunk of the row `ids[token]`.
#[cube(launch)]
pub(crate) fn embed_chunks(ids: &[u32], table: &Weights, out: &mut [Quad], tokens: usize) {
    let chunks = table.cols / 32;
    if ABSOLUTE_POS < tokens * chunks {
        let row = min(ids[ABSOLUTE_POS / chunks] as usize, table.rows - 1);
        let tile = table.tile(0usize, 1usize);
        let mut chunk = Chunk::new();
        table.read(&tile, (row, ABSOLUTE_POS % chunks), &mut chunk, false);
        #[unroll]
        for i in 0..QUADS {
            out[ABSOLUTE_POS * QUADS + i] = chunk.values(i);
        }
    }
}

/// Each unit copies one value, for tables whose rows are not whole chunks.
#[cube(launch)]
pub(crate) fn embed_values(ids: &[u32], table: &Weights, out: &mut [f32], tokens: usize) {
    if ABSOLUTE_POS < tokens * table.cols {
        let row = min(ids[ABSOLUTE_POS / table.cols] as usize, table.rows - 1);
        let tile = table.tile(0usize, 1usize);
        out[ABSOLUTE_POS] = table.value(&tile, (row, ABSOLUTE_POS % table.cols), false);
    }
}
