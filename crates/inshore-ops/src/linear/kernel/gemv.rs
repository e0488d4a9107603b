//! Product with one token: bound by reading the weights.
//!
//! RMSNorm (arXiv 1910.07467) is part of it: `y_r = s Σ w_rj x_j n_j` with `s = 1 / sqrt(mean(x²) + eps)`. The units that
//! share a row read all of `x` between them, so they sum its squares on the way and scale their rows at the end.

use cubecl::prelude::*;

use super::chunk::{Chunk, QUADS, Quad, has_offset};
use super::input::Input;
use super::weights::{Tile, Weights};
use crate::device::plan::{GemvPlan, Reduction};

/// What a unit has of a tile's products.
#[derive(CubeType)]
pub(crate) struct Pair {
    /// The products with two neighbouring rows.
    pub products: (f32, f32),
    /// The first of the two in the tile; past the tile's rows if the unit has none.
    pub place: usize,
}

/// Products of the input's first token with the rows of the tile, a pair a unit.
#[cube]
pub(crate) fn gemv(input: &Input, weights: &Weights, tile: &Tile, #[comptime] plan: GemvPlan) -> Pair {
    let unit = UNIT_POS as usize;
    let lanes = comptime!(plan.lanes());
    let unit_rows = comptime!(plan.unit_rows);
    let lane = unit % lanes;
    let group = unit / lanes;
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
        own += lanes;
    }

    let squares = squares.vector_sum();
    if comptime!(plan.reduction == Reduction::Workgroup) {
        through_workgroup(input, weights, &sums, squares, plan)
    } else {
        through_plane(input, weights, &sums, squares, plan)
    }
}

/// Adds up the sums of the units that share a row: unit `u` has rows `2u` and `2u + 1` of the tile.
#[cube]
fn through_workgroup(
    input: &Input,
    weights: &Weights,
    sums: &Array<f32>,
    squares: f32,
    #[comptime] plan: GemvPlan,
) -> Pair {
    let unit = UNIT_POS as usize;
    let lanes = comptime!(plan.lanes());
    let unit_rows = comptime!(plan.unit_rows);
    let rows = comptime!(plan.rows());
    let lane = unit % lanes;
    let group = unit / lanes;
    // The rows' sums, and behind them the squares of the first group, by lanes.
    let mut partial = Shared::<[f32]>::new_slice(comptime!((plan.rows() + 1) * plan.lanes()));
    #[unroll]
    for r in 0..unit_rows {
        partial[(group * unit_rows + r) * lanes + lane] = sums[r];
    }
    if comptime!(input.normalise) {
        let place = comptime!(plan.rows() * plan.lanes()) + lane;
        if group == 0 {
            partial[place] = squares;
        }
    }
    sync_cube();
    let pair = min(unit * 2, comptime!(plan.rows() - 2)) * lanes;
    let mut a = 0.0f32.runtime();
    let mut b = 0.0f32.runtime();
    for i in 0..lanes {
        a += partial[pair + i];
        b += partial[pair + lanes + i];
    }
    let mut scale = 1.0f32.runtime();
    if comptime!(input.normalise) {
        let mut sum = 0.0f32.runtime();
        for i in 0..lanes {
            sum += partial[comptime!(plan.rows() * plan.lanes()) + i];
        }
        scale = rms_scale(input, weights, sum);
    }
    Pair { products: (a * scale, b * scale), place: min(unit * 2, rows) }
}

/// The same by exchanging registers, without a barrier: all lanes get all sums of their group, and each keeps a pair.
#[cube]
fn through_plane(
    input: &Input,
    weights: &Weights,
    sums: &Array<f32>,
    squares: f32,
    #[comptime] plan: GemvPlan,
) -> Pair {
    let unit = UNIT_POS as usize;
    let lanes = comptime!(plan.lanes());
    let unit_rows = comptime!(plan.unit_rows);
    let rows = comptime!(plan.rows());
    let lane = unit % lanes;
    let mut a = 0.0f32.runtime();
    let mut b = 0.0f32.runtime();
    #[unroll]
    for pair in 0..comptime!(plan.unit_rows / 2) {
        let even = total_of_lanes(sums[comptime!(2 * pair)], lanes);
        let odd = total_of_lanes(sums[comptime!(2 * pair + 1)], lanes);
        a = select(lane == pair, even, a);
        b = select(lane == pair, odd, b);
    }
    let mut scale = 1.0f32.runtime();
    if comptime!(input.normalise) {
        scale = rms_scale(input, weights, total_of_lanes(squares, lanes));
    }
    let own = unit / lanes * unit_rows + lane * 2;
    let place = select(lane * 2 < unit_rows, own, rows);
    Pair { products: (a * scale, b * scale), place }
}

/// The sum of `value` over `lanes` neighbouring units, in each of them.
#[cube]
fn total_of_lanes(value: f32, #[comptime] lanes: usize) -> f32 {
    let mut total = value;
    #[unroll]
    for step in 0..comptime!(lanes.ilog2()) {
        total += plane_shuffle_xor(total, comptime!(1u32 << step));
    }
    total
}

#[cube]
fn rms_scale(input: &Input, weights: &Weights, squares: f32) -> f32 {
    1.0f32 / (squares / f32::cast_from(weights.cols) + input.eps).sqrt()
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
