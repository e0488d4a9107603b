//! Product with one token: bound by reading the weights.
//!
//! RMSNorm (arXiv 1910.07467) is part of it: `y_r = s Σ w_rj x_j n_j` with `s = 1 / sqrt(mean(x²) + eps)`. A cube brings
//! `x n` into workgroup memory piece by piece, sums the squares of what it brings, and scales its rows at the end.

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
/// Chunks of `x n` that are in workgroup memory at a time.
const STAGE: usize = 64;
/// Quads from one of them to the next: one more than a chunk has, so that lanes do not meet in one bank.
const STRIDE: usize = QUADS + 1;

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
    // Squares of all units, and of eight of them each.
    let mut squared = Shared::<[f32]>::new_slice(GEMV_UNITS);
    let mut folded = Shared::<[f32]>::new_slice(GROUPS);
    if comptime!(normalise) {
        let mut staged = Shared::<[Quad]>::new_slice(comptime!(STAGE * STRIDE));
        let mut squares = Quad::new(0.0f32);
        let stages = chunks.div_ceil(STAGE);
        for stage in 0..stages {
            if stage > 0 {
                sync_cube();
            }
            let start = stage * STAGE;
            let count = min(STAGE, chunks - start);
            let mut at = unit;
            while at < count * QUADS {
                let from = start * QUADS + at;
                let x = input.x[from];
                squares += x * x;
                staged[at / QUADS * STRIDE + at % QUADS] = x * input.norm_quad(from);
                at += GEMV_UNITS;
            }
            squared[unit] = squares.vector_sum();
            sync_cube();
            // No barrier of its own: the last stage's sums are complete, and the barrier before the end is behind them.
            if group == 0 {
                let mut sum = 0.0f32.runtime();
                for i in 0..LANES {
                    sum += squared[lane * LANES + i];
                }
                folded[lane] = sum;
            }
            let mut own = lane;
            while own < count {
                #[unroll]
                for i in 0..QUADS {
                    inputs[i] = staged[own * STRIDE + i];
                }
                add_chunk(weights, tile, (first, start + own), &inputs, &mut chunk, &mut sums);
                own += LANES;
            }
        }
    } else {
        let mut own = lane;
        while own < chunks {
            #[unroll]
            for i in 0..QUADS {
                inputs[i] = input.x[own * QUADS + i];
            }
            add_chunk(weights, tile, (first, own), &inputs, &mut chunk, &mut sums);
            own += LANES;
        }
    }

    let mut partial = Shared::<[f32]>::new_slice(comptime!(GEMV_ROWS * LANES));
    #[unroll]
    for r in 0..UNIT_ROWS {
        partial[(group * UNIT_ROWS + r) * LANES + lane] = sums[r];
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
        for i in 0..GROUPS {
            sum += folded[i];
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
