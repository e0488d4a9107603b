//! Device code of the embedding.

use cubecl::prelude::*;

use crate::linear::kernel::{Matrix, Quad};

/// Units of a cube.
pub(crate) const EMBED_UNITS: usize = 64;

/// Each unit dequantises one chunk of the row `ids[token]`.
#[cube(launch)]
pub(crate) fn embed_chunks(ids: &[u32], table: &Matrix, out: &mut [f32], tokens: usize) {
    let chunks = table.cols / 32;
    if ABSOLUTE_POS < tokens * chunks {
        let row = min(ids[ABSOLUTE_POS / chunks] as usize, table.rows - 1);
        let mut weights = Array::<Quad>::new(8usize);
        table.chunk(row, ABSOLUTE_POS % chunks, &mut weights);
        #[unroll]
        for i in 0..8usize {
            #[unroll]
            for j in 0..4usize {
                out[ABSOLUTE_POS * 32 + comptime!(4 * i + j)] = weights[i].extract(j);
            }
        }
    }
}

/// Each unit copies one value, for tables whose rows are no whole chunks.
#[cube(launch)]
pub(crate) fn embed_values(ids: &[u32], table: &Matrix, out: &mut [f32], tokens: usize) {
    if ABSOLUTE_POS < tokens * table.cols {
        let row = min(ids[ABSOLUTE_POS / table.cols] as usize, table.rows - 1);
        out[ABSOLUTE_POS] = table.value(row, ABSOLUTE_POS % table.cols);
    }
}
