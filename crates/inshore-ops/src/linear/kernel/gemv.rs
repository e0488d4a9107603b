//! Product with one token: bound by reading the weights.
//!
//! RMSNorm (arXiv 1910.07467) is part of it: `y_r = s Σ w_rj x_j n_j` with `s = 1 / sqrt(mean(x²) + eps)`. The units that
//! share a row read all of `x` between them, so they sum its squares on the way and scale their rows at the end.

use cubecl::prelude::*;

use super::chunk::{Chunk, QUADS, Quad, has_offset};
use super::input::Input;
use super::weights::{Tile, Weights};

/// Units that share a row, each with every eighth chunk.
const LANES: usize = 8;
/// Rows that a unit accumulates, so that it reads each chunk of `x` once for all of them.
const UNIT_ROWS: usize = 4;
/// Groups of rows in a cube.
const GROUPS: usize = 8;
/// Units of a cube, along x.
pub(crate) const GEMV_UNITS: usize = LANES * GROUPS;
/// Rows of a cube.
pub(crate) const GEMV_ROWS: usize = GROUPS * UNIT_ROWS;
/// Products of the input's first token with two neighbouring rows: for unit `u` rows `2u` and `2u + 1` of the tile.
#[cube]
pub(crate) fn gemv(input: &Input, weights: &Weights, tile: &Tile) -> (f32, f32) {
    let unit = UNIT_POS as usize;
    let lane = unit % LANES;
    let group = unit / LANES;
    let first = tile.first_row + group * UNIT_ROWS;
    let chunks = weights.cols / 32;
    let normalise = comptime!(input.normalise);

    let mut sums = Array::<f32>::new(UNIT_ROWS);
    let mut inputs = Array::<Quad>::new(QUADS);
    let mut chunk = Chunk::new();
    let mut squares = Quad::new(0.0f32);
    let mut own = lane;
    while own < chunks {
        #[unroll]
        for i in 0..QUADS {
            let at = own * QUADS + i;
            let x = input.x[at];
            if comptime!(normalise) {
                squares += x * x;
                inputs[i] = x * input.norm_quad(at);
            } else {
                inputs[i] = x;
            }
        }
        add_chunk(weights, tile, (first, own), &inputs, &mut chunk, &mut sums);
        own += LANES;
    }

    // The rows' sums, and behind them the squares of the first group, by lanes.
    let mut partial = Shared::<[f32]>::new_slice(comptime!((GEMV_ROWS + 1) * LANES));
    #[unroll]
    for r in 0..UNIT_ROWS {
        partial[(group * UNIT_ROWS + r) * LANES + lane] = sums[r];
    }
    if comptime!(normalise) {
        let of_lane = squares.vector_sum();
        if group == 0 {
            partial[comptime!(GEMV_ROWS * LANES) + lane] = of_lane;
        }
    }
    sync_cube();
    let pair = min(unit * 2, comptime!(GEMV_ROWS - 2)) * LANES;
    let mut a = 0.0f32.runtime();
    let mut b = 0.0f32.runtime();
    for i in 0..LANES {
        a += partial[pair + i];
        b += partial[pair + LANES + i];
    }
    let mut scale = 1.0f32.runtime();
    if comptime!(normalise) {
        let mut sum = 0.0f32.runtime();
        for i in 0..LANES {
            sum += partial[comptime!(GEMV_ROWS * LANES) + i];
        }
        scale = 1.0f32 / (sum / f32::cast_from(weights.cols) + input.eps).sqrt();
    }
    (a * scale, b * scale)
}

/// Adds the products of one chunk of the input with the rows from `at.0` on; `at.1` is the number of the chunk.
#[cube]
fn add_chunk(
    weights: &Weights,
    tile: &Tile,
    at: (usize, usize),
    inputs: &Array<Quad>,
    chunk: &mut Chunk,
    sums: &mut Array<f32>,
) {
    let with_offset = comptime!(weights.format.kinds.iter().any(|&kind| has_offset(kind)));
    let mut input_sum = 0.0f32.runtime();
    if comptime!(with_offset) {
        let mut sum = inputs[0usize];
        #[unroll]
        for i in 1..QUADS {
            sum += inputs[i];
        }
        input_sum = sum.vector_sum();
    }
    #[unroll]
    for r in 0..UNIT_ROWS {
        weights.read(tile, (at.0 + r, at.1), chunk, comptime!(r % 2 == 1));
        let mut dot = chunk.quads[0usize] * inputs[0usize];
        #[unroll]
        for i in 1..QUADS {
            dot += chunk.quads[i] * inputs[i];
        }
        sums[r] += chunk.affine[0usize] * dot.vector_sum();
        if comptime!(with_offset) {
            sums[r] += chunk.affine[1usize] * input_sum;
        }
    }
}
