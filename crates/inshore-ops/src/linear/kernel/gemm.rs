//! Product with many tokens: a tile of weights is unpacked once and used for a whole tile of tokens.

use cubecl::prelude::*;

use super::chunk::{Chunk, QUADS, Quad};
use super::input::Input;
use super::weights::{Cut, Tile, Weights};

/// Rows of a cube's tile.
pub(crate) const TILE_ROWS: usize = 64;
/// Tokens of a cube's tile.
pub(crate) const TILE_TOKENS: usize = 32;
/// Pairs of rows that a unit accumulates.
const UNIT_PAIRS: usize = 4;
/// Tokens that a unit accumulates: the lanes of a quad.
pub(crate) const UNIT_TOKENS: usize = 4;
/// Tokens from one of a unit's to the next.
pub(crate) const TOKEN_STEP: usize = TILE_TOKENS / UNIT_TOKENS;
/// Units that stand side by side over the rows.
const ROW_UNITS: usize = TILE_ROWS / (2 * UNIT_PAIRS);
/// Units of a cube, along x.
pub(crate) const GEMM_UNITS: usize = ROW_UNITS * TOKEN_STEP;
/// Quads from one row of a tile to the next in workgroup memory: one more than a chunk has, so that units with
/// neighbouring rows do not meet in one bank.
pub(crate) const STRIDE: usize = QUADS + 1;

/// Products of the tile's rows with the 32 tokens from `first_token` on. Row `r` of the tile with the tokens
/// `first_token + j + {0, 8, 16, 24}` is the quad `r * STRIDE + j` of the result.
#[cube]
pub(crate) fn gemm(input: &Input, weights: &Weights, tile: &Tile, first_token: usize) -> Shared<[Quad]> {
    let unit = UNIT_POS as usize;
    let row_unit = unit % ROW_UNITS;
    let token_unit = unit / ROW_UNITS;
    let chunks = weights.cols / 32;

    let mut tile_w = Shared::<[Quad]>::new_slice(comptime!(TILE_ROWS * STRIDE));
    let mut tile_x = Shared::<[Quad]>::new_slice(comptime!(TILE_TOKENS * STRIDE));
    let mut chunk = Chunk::new();
    let mut sums = Array::<Quad>::new(comptime!(2 * UNIT_PAIRS));
    #[unroll]
    for r in 0..comptime!(2 * UNIT_PAIRS) {
        sums[r] = Quad::new(0.0f32);
    }

    for at in 0..chunks {
        let row = read_row(weights, tile, (unit, at), &mut chunk);
        #[unroll]
        for i in 0..QUADS {
            tile_w[row * STRIDE + i] = chunk.values(i);
        }
        #[unroll]
        for i in 0..comptime!(TILE_TOKENS * QUADS / GEMM_UNITS) {
            let quad = unit + comptime!(i * GEMM_UNITS);
            let token = min(first_token + quad / QUADS, input.tokens - 1);
            tile_x[(quad / QUADS) * STRIDE + quad % QUADS] = input.x[(token * chunks + at) * QUADS + quad % QUADS];
        }
        sync_cube();

        for k in 0..QUADS {
            let mut inputs = Array::<Quad>::new(UNIT_TOKENS);
            #[unroll]
            for t in 0..UNIT_TOKENS {
                inputs[t] = tile_x[(token_unit + comptime!(t * TOKEN_STEP)) * STRIDE + k];
            }
            #[unroll]
            for r in 0..comptime!(2 * UNIT_PAIRS) {
                let weight = tile_w[(row_unit * 2 + comptime!((r / 2) * 2 * ROW_UNITS + r % 2)) * STRIDE + k];
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
    for r in 0..comptime!(2 * UNIT_PAIRS) {
        let row = row_unit * 2 + comptime!((r / 2) * 2 * ROW_UNITS + r % 2);
        tile_w[row * STRIDE + token_unit] = sums[r];
    }
    sync_cube();
    tile_w
}

/// Unpacks a chunk of the row that is this unit's to bring, and gives the row's place in the tile.
#[cube]
fn read_row(weights: &Weights, tile: &Tile, at: (usize, usize), chunk: &mut Chunk) -> usize {
    let (unit, number) = at;
    let mut row = unit;
    if comptime!(weights.format.cut == Cut::GateUp) {
        // Half of the units bring rows of the gate, so that neighbours do the same thing.
        if unit < comptime!(TILE_ROWS / 2) {
            row = unit * 2;
            weights.read(tile, (tile.first_row + row, number), chunk, false);
        } else {
            row = unit * 2 - comptime!(TILE_ROWS - 1);
            weights.read(tile, (tile.first_row + row, number), chunk, true);
        }
    } else {
        weights.read(tile, (tile.first_row + row, number), chunk, false);
    }
    row
}
