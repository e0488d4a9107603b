//! Product with one token: bound by reading the weights.

use cubecl::prelude::*;

use super::epilogue::Epilogue;
use super::matrix::{Matrix, Quad};

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

/// `out = epilogue(x Wᵀ)` for one token; cubes of [`GEMV_UNITS`] cover [`GEMV_ROWS`] rows each, row-major over x and y.
#[cube(launch)]
pub(crate) fn gemv(x: &[Quad], matrix: &Matrix, epilogue: &Epilogue, out: &mut [f32]) {
    let lane = UNIT_POS as usize % LANES;
    let group = UNIT_POS as usize / LANES;
    let cube_row = CUBE_POS * GEMV_ROWS;
    let first = cube_row + group * UNIT_ROWS;
    let chunks = matrix.cols / 32;

    let mut sums = Array::<Quad>::new(UNIT_ROWS);
    let mut chunk = lane;
    let mut weights = Array::<Quad>::new(8usize);
    let mut inputs = Array::<Quad>::new(8usize);
    while chunk < chunks {
        #[unroll]
        for i in 0..8usize {
            inputs[i] = x[chunk * 8 + i];
        }
        #[unroll]
        for r in 0..UNIT_ROWS {
            matrix.chunk(min(first + r, matrix.rows - 1), chunk, &mut weights);
            #[unroll]
            for i in 0..8usize {
                sums[r] += weights[i] * inputs[i];
            }
        }
        chunk += LANES;
    }

    let mut partial = Shared::<[f32]>::new_slice(comptime!(GEMV_ROWS * LANES));
    #[unroll]
    for r in 0..UNIT_ROWS {
        partial[(group * UNIT_ROWS + r) * LANES + lane] = sums[r].vector_sum();
    }
    sync_cube();

    let pair = UNIT_POS as usize * 2;
    if pair < GEMV_ROWS && cube_row + pair < matrix.rows {
        let mut a = 0.0f32;
        let mut b = 0.0f32;
        #[unroll]
        for i in 0..LANES {
            a += partial[pair * LANES + i];
            b += partial[(pair + 1) * LANES + i];
        }
        epilogue.store(out, (a, b), cube_row + pair, 0usize, matrix.rows);
    }
}
