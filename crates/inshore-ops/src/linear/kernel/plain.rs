//! Product with a matrix whose rows are no whole chunks: any width, one value at a time. Only unquantised matrices can
//! have such rows, and no model in use does, so this is about being right.

use cubecl::prelude::*;

use super::epilogue::Epilogue;
use super::matrix::Matrix;

/// Units of a cube, along x.
pub(crate) const PLAIN_UNITS: usize = 64;

/// `out = epilogue(x Wᵀ)`; a unit computes two rows for one token, cubes cover the rows along x and the tokens along y.
#[cube(launch)]
pub(crate) fn plain(x: &[f32], matrix: &Matrix, epilogue: &Epilogue, out: &mut [f32]) {
    let row = (CUBE_POS_X as usize * PLAIN_UNITS + UNIT_POS as usize) * 2;
    let token = CUBE_POS_Y as usize;
    if row < matrix.rows {
        let second = min(row + 1, matrix.rows - 1);
        let mut a = 0.0f32;
        let mut b = 0.0f32;
        for col in 0..matrix.cols {
            let input = x[token * matrix.cols + col];
            a += input * matrix.value(row, col);
            b += input * matrix.value(second, col);
        }
        epilogue.store(out, (a, b), row, token, matrix.rows);
    }
}
