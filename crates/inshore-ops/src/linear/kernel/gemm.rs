//! Product with many tokens: a tile of weights is dequantised once and used for a whole tile of tokens.

use cubecl::prelude::*;

use super::epilogue::Epilogue;
use super::matrix::{Matrix, Quad};

/// Rows of a cube's tile.
pub(crate) const TILE_ROWS: usize = 64;
/// Tokens of a cube's tile.
pub(crate) const TILE_TOKENS: usize = 32;
/// Pairs of rows that a unit accumulates.
const UNIT_PAIRS: usize = 4;
/// Tokens that a unit accumulates.
const UNIT_TOKENS: usize = 4;
/// Units that stand side by side over the rows.
const ROW_UNITS: usize = TILE_ROWS / (2 * UNIT_PAIRS);
/// Units of a cube, along x.
pub(crate) const GEMM_UNITS: usize = ROW_UNITS * (TILE_TOKENS / UNIT_TOKENS);
/// Quads from one row of a tile to the next in workgroup memory: one more than a chunk holds, so that units with
/// neighbouring rows do not meet in one bank.
const STRIDE: usize = 9;

/// `out = epilogue(x Wᵀ)`; cube (i, j) of [`GEMM_UNITS`] computes row tile i of token tile j.
#[cube(launch)]
pub(crate) fn gemm(x: &[Quad], tokens: usize, matrix: &Matrix, epilogue: &Epilogue, out: &mut [f32]) {
    let unit = UNIT_POS as usize;
    let row_unit = unit % ROW_UNITS;
    let token_unit = unit / ROW_UNITS;
    let first_row = CUBE_POS_X as usize * TILE_ROWS;
    let first_token = CUBE_POS_Y as usize * TILE_TOKENS;
    let chunks = matrix.cols / 32;

    let mut tile_w = Shared::<[Quad]>::new_slice(comptime!(TILE_ROWS * STRIDE));
    let mut tile_x = Shared::<[Quad]>::new_slice(comptime!(TILE_TOKENS * STRIDE));
    let mut weights = Array::<Quad>::new(8usize);
    let mut sums = Array::<f32>::new(comptime!(2 * UNIT_PAIRS * UNIT_TOKENS));

    for chunk in 0..chunks {
        // One row of weights a unit.
        matrix.chunk(min(first_row + unit, matrix.rows - 1), chunk, &mut weights);
        #[unroll]
        for i in 0..8usize {
            tile_w[unit * STRIDE + i] = weights[i];
        }
        #[unroll]
        for i in 0..comptime!(TILE_TOKENS * 8 / GEMM_UNITS) {
            let at = unit + comptime!(i * GEMM_UNITS);
            let token = min(first_token + at / 8, tokens - 1);
            tile_x[(at / 8) * STRIDE + at % 8] = x[(token * chunks + chunk) * 8 + at % 8];
        }
        sync_cube();

        for k in 0..8usize {
            let mut inputs = Array::<Quad>::new(UNIT_TOKENS);
            #[unroll]
            for t in 0..UNIT_TOKENS {
                inputs[t] = tile_x[(token_unit + comptime!(t * (TILE_TOKENS / UNIT_TOKENS))) * STRIDE + k];
            }
            #[unroll]
            for r in 0..comptime!(2 * UNIT_PAIRS) {
                let row = row_unit * 2 + comptime!((r / 2) * 2 * ROW_UNITS + r % 2);
                let weight = tile_w[row * STRIDE + k];
                #[unroll]
                for t in 0..UNIT_TOKENS {
                    let at = comptime!(r * UNIT_TOKENS + t);
                    sums[at] += (weight * inputs[t]).vector_sum();
                }
            }
        }
        sync_cube();
    }

    #[unroll]
    for p in 0..UNIT_PAIRS {
        let row = first_row + row_unit * 2 + comptime!(p * 2 * ROW_UNITS);
        #[unroll]
        for t in 0..UNIT_TOKENS {
            let token = first_token + token_unit + comptime!(t * (TILE_TOKENS / UNIT_TOKENS));
            if row < matrix.rows && token < tokens {
                let a = sums[comptime!(2 * p * UNIT_TOKENS + t)];
                let b = sums[comptime!((2 * p + 1) * UNIT_TOKENS + t)];
                epilogue.store(out, (a, b), row, token, matrix.rows);
            }
        }
    }
}
