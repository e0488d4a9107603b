//! Product with many tokens: a tile of weights is unpacked once and used for a whole tile of tokens.

use cubecl::prelude::*;

use super::chunk::{Chunk, QUADS, Quad};
use super::input::Input;
use super::weights::{Cut, Tile, Weights};
use crate::device::plan::{GemmTile, STRIDE, UNIT_TOKENS};

/// Products of the tile's rows with the tokens of `size` from `first_token` on. Row `r` of the tile with the tokens
/// `first_token + j + t * size.token_step()` is lane `t` of the quad `r * size.result_stride() + j` of the result.
#[cube]
pub(crate) fn gemm(
    input: &Input,
    weights: &Weights,
    tile: &Tile,
    first_token: usize,
    #[comptime] size: GemmTile,
) -> Shared<[Quad]> {
    let unit = UNIT_POS as usize;
    let unit_rows = comptime!(2 * size.unit_pairs());
    // Units that stand side by side over the rows.
    let row_units = comptime!(size.rows / (2 * size.unit_pairs()));
    let row_unit = unit % row_units;
    let token_unit = unit / row_units;
    let chunks = weights.cols / 32;

    let mut tile_w = Shared::<[Quad]>::new_slice(comptime!(size.rows * size.result_stride()));
    let mut tile_x = Shared::<[Quad]>::new_slice(comptime!(size.tokens * STRIDE));
    let mut chunk = Chunk::new();
    let mut sums = Array::<Quad>::new(unit_rows);
    #[unroll]
    for r in 0..unit_rows {
        sums[r] = Quad::new(0.0f32);
    }

    for at in 0..chunks {
        let row = read_row(weights, tile, (unit, at), &mut chunk, size);
        #[unroll]
        for i in 0..QUADS {
            tile_w[row * STRIDE + i] = chunk.values(i);
        }
        #[unroll]
        for i in 0..comptime!(size.tokens * QUADS / size.rows) {
            let quad = unit + comptime!(i * size.rows);
            let token = min(first_token + quad / QUADS, input.tokens - 1);
            tile_x[(quad / QUADS) * STRIDE + quad % QUADS] = input.x[(token * chunks + at) * QUADS + quad % QUADS];
        }
        sync_cube();

        for k in 0..QUADS {
            let mut inputs = Array::<Quad>::new(UNIT_TOKENS);
            #[unroll]
            for t in 0..UNIT_TOKENS {
                inputs[t] = tile_x[(token_unit + comptime!(t * size.token_step())) * STRIDE + k];
            }
            #[unroll]
            for r in 0..unit_rows {
                let weight = tile_w[(row_unit * 2 + comptime!((r / 2) * 2 * row_units + r % 2)) * STRIDE + k];
                let mut products = Quad::empty();
                #[unroll]
                for t in 0..UNIT_TOKENS {
                    products.insert(t, (weight * inputs[t]).vector_sum());
                }
                sums[r] += products;
            }
        }
        sync_cube();
    }

    #[unroll]
    for r in 0..unit_rows {
        let row = row_unit * 2 + comptime!((r / 2) * 2 * row_units + r % 2);
        tile_w[row * comptime!(size.result_stride()) + token_unit] = sums[r];
    }
    sync_cube();
    tile_w
}

/// Unpacks a chunk of the row that is this unit's to bring, and gives the row's place in the tile.
#[cube]
fn read_row(
    weights: &Weights,
    tile: &Tile,
    at: (usize, usize),
    chunk: &mut Chunk,
    #[comptime] size: GemmTile,
) -> usize {
    let (unit, number) = at;
    let mut row = unit;
    if comptime!(weights.format.cut == Cut::GateUp) {
        // Half of the units bring rows of the gate, so that neighbours do the same thing.
        if unit < comptime!(size.rows / 2) {
            row = unit * 2;
            weights.read(tile, (tile.first_row + row, number), chunk, false);
        } else {
            row = unit * 2 - comptime!(size.rows - 1);
            weights.read(tile, (tile.first_row + row, number), chunk, true);
        }
    } else {
        weights.read(tile, (tile.first_row + row, number), chunk, false);
    }
    row
}
