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
/// Groups of rows in a cube.
const GROUPS: usize = 8;
/// Units of a cube, along x.
pub(crate) const GEMV_UNITS: usize = LANES * GROUPS;

/// Rows that a unit accumulates, so that it reads each chunk of `x` once for all of them. A GPU wants many cubes rather
/// than few reads. Devices whose planes are narrow, which most often are CPUs in disguise, read lane by lane: there
/// 16 rows take half the time of 4.
pub(crate) fn unit_rows(plane_units: u32) -> usize {
    #[cfg(test)]
    let plane_units = match PLANE_UNITS.load(std::sync::atomic::Ordering::Relaxed) {
        0 => plane_units,
        forced => forced,
    };
    if plane_units <= 8 { 16 } else { 4 }
}

/// What tests say that a plane has, if not 0.
#[cfg(test)]
pub(crate) static PLANE_UNITS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Rows of a cube.
pub(crate) const fn gemv_rows(unit_rows: usize) -> usize {
    GROUPS * unit_rows
}

/// Products of the input's first token with two neighbouring rows: for unit `u` rows `2u` and `2u + 1` of the tile.
#[cube]
pub(crate) fn gemv(input: &Input, weights: &Weights, tile: &Tile, #[comptime] unit_rows: usize) -> (f32, f32) {
    let unit = UNIT_POS as usize;
    let lane = unit % LANES;
    let group = unit / LANES;
    let rows = comptime!(gemv_rows(unit_rows));
    let first = tile.first_row + group * unit_rows;
    let chunks = weights.cols / 32;
    let normalise = comptime!(input.normalise);

    let mut sums = Array::<f32>::new(unit_rows);
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
        add_chunk(weights, tile, (first, own), &inputs, &mut chunk, &mut sums, unit_rows);
        own += LANES;
    }

    // The rows' sums, and behind them the squares of the first group, by lanes.
    let mut partial = Shared::<[f32]>::new_slice(comptime!((rows + 1) * LANES));
    #[unroll]
    for r in 0..unit_rows {
        partial[(group * unit_rows + r) * LANES + lane] = sums[r];
    }
    if comptime!(normalise) {
        let of_lane = squares.vector_sum();
        if group == 0 {
            partial[comptime!(rows * LANES) + lane] = of_lane;
        }
    }
    sync_cube();
    let pair = min(unit * 2, comptime!(rows - 2)) * LANES;
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
            sum += partial[comptime!(rows * LANES) + i];
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
    #[comptime] unit_rows: usize,
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
    for r in 0..unit_rows {
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
