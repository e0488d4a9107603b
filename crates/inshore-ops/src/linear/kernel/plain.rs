//! Product with matrices whose rows are not whole chunks: any width, one value at a time. Only unquantised matrices can
//! have such rows, and no model in use does, so this is about being right. The input is normalised already.

use cubecl::prelude::*;

use super::weights::{Tile, Weights};

/// Units of a cube, along x.
pub(crate) const PLAIN_UNITS: usize = 64;
/// Rows of a cube.
pub(crate) const PLAIN_ROWS: usize = 2 * PLAIN_UNITS;

/// Products of `token` with two neighbouring rows: for unit `u` rows `2u` and `2u + 1` of the tile.
#[cube]
pub(crate) fn plain(x: &[f32], weights: &Weights, tile: &Tile, token: usize) -> (f32, f32) {
    let row = tile.first_row + UNIT_POS as usize * 2;
    let mut a = 0.0f32.runtime();
    let mut b = 0.0f32.runtime();
    for col in 0..weights.cols {
        let input = x[token * weights.cols + col];
        a += input * weights.value(tile, (row, col), false);
        b += input * weights.value(tile, (row + 1, col), true);
    }
    (a, b)
}
