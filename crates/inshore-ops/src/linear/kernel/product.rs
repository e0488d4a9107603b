//! The kernels: a way to multiply, and what is done with the products.

use cubecl::prelude::*;

use super::epilogue::{Heads, Residual, store};
use super::gemm::{GEMM_UNITS, STRIDE, TILE_ROWS, TILE_TOKENS, TOKEN_STEP, UNIT_TOKENS, gemm};
use super::gemv::{gemv, gemv_rows};
use super::input::Input;
use super::plain::{PLAIN_ROWS, plain};
use super::weights::Weights;

/// `x Wᵀ` plus residual, or `SiLU(x Wgᵀ) * (x Wuᵀ)`. One token: cubes cover the tiles over x and y. Many: x covers
/// the tiles, y the tokens.
#[cube(launch)]
pub(crate) fn product(
    input: &Input,
    weights: &Weights,
    residual: &Residual,
    out: &mut [f32],
    #[comptime] unit_rows: Option<usize>,
) {
    let cut = comptime!(weights.format.cut);
    let unit = UNIT_POS as usize;
    if comptime!(unit_rows.is_some()) {
        let unit_rows = comptime!(unit_rows.unwrap_or_default());
        let rows = comptime!(gemv_rows(unit_rows));
        let tile = weights.tile(CUBE_POS, rows);
        let pair = gemv(input, weights, &tile, unit_rows);
        let row = tile.first_row + unit * 2;
        if unit * 2 < rows && row < tile.rows {
            store(pair, (row, 0usize), &tile, residual, out, cut);
        }
    } else {
        let tile = weights.tile(CUBE_POS_X as usize, TILE_ROWS);
        let first_token = CUBE_POS_Y as usize * TILE_TOKENS;
        let products = gemm(input, weights, &tile, first_token);
        let mut at = unit;
        while at < comptime!(TILE_ROWS / 2 * TOKEN_STEP) {
            let place = at % comptime!(TILE_ROWS / 2) * 2;
            let row = tile.first_row + place;
            let step = at / comptime!(TILE_ROWS / 2);
            let a = products[place * STRIDE + step];
            let b = products[(place + 1) * STRIDE + step];
            #[unroll]
            for t in 0..UNIT_TOKENS {
                let token = first_token + step + comptime!(t * TOKEN_STEP);
                if row < tile.rows && token < input.tokens {
                    store((a.extract(t), b.extract(t)), (row, token), &tile, residual, out, cut);
                }
            }
            at += GEMM_UNITS;
        }
    }
}

/// Queries, keys and values: as [`product`], with bias, RoPE and append to the cache.
#[cube(launch)]
pub(crate) fn product_qkv(
    input: &Input,
    weights: &Weights,
    heads: &Heads,
    q: &mut [f32],
    cache: &mut [u32],
    #[comptime] unit_rows: Option<usize>,
) {
    let unit = UNIT_POS as usize;
    if comptime!(unit_rows.is_some()) {
        let unit_rows = comptime!(unit_rows.unwrap_or_default());
        let rows = comptime!(gemv_rows(unit_rows));
        let tile = weights.tile(CUBE_POS, rows);
        let pair = gemv(input, weights, &tile, unit_rows);
        let row = tile.first_row + unit * 2;
        if unit * 2 < rows && row < tile.rows {
            let bias = heads.bias(&input.norm, weights, &tile, row);
            heads.store((pair.0 + bias.0, pair.1 + bias.1), (row, 0usize), &tile, q, cache);
        }
    } else {
        let tile = weights.tile(CUBE_POS_X as usize, TILE_ROWS);
        let first_token = CUBE_POS_Y as usize * TILE_TOKENS;
        let products = gemm(input, weights, &tile, first_token);
        let mut at = unit;
        while at < comptime!(TILE_ROWS / 2 * TOKEN_STEP) {
            let place = at % comptime!(TILE_ROWS / 2) * 2;
            let row = tile.first_row + place;
            let step = at / comptime!(TILE_ROWS / 2);
            let a = products[place * STRIDE + step];
            let b = products[(place + 1) * STRIDE + step];
            if row < tile.rows {
                let bias = heads.bias(&input.norm, weights, &tile, row);
                #[unroll]
                for t in 0..UNIT_TOKENS {
                    let token = first_token + step + comptime!(t * TOKEN_STEP);
                    if token < input.tokens {
                        let pair = (a.extract(t) + bias.0, b.extract(t) + bias.1);
                        heads.store(pair, (row, token), &tile, q, cache);
                    }
                }
            }
            at += GEMM_UNITS;
        }
    }
}

/// As [`product`] for rows that are no whole chunks, of a normalised input.
#[cube(launch)]
pub(crate) fn plain_product(x: &[f32], weights: &Weights, residual: &Residual, out: &mut [f32]) {
    let tile = weights.tile(CUBE_POS_X as usize, PLAIN_ROWS);
    let row = tile.first_row + UNIT_POS as usize * 2;
    let token = CUBE_POS_Y as usize;
    if row < tile.rows {
        let pair = plain(x, weights, &tile, token);
        store(pair, (row, token), &tile, residual, out, comptime!(weights.format.cut));
    }
}

/// As [`product_qkv`] for rows that are no whole chunks, of a normalised input; `bias` as [`Input::norm`].
#[cube(launch)]
pub(crate) fn plain_qkv(
    x: &[f32],
    bias: &Residual,
    weights: &Weights,
    heads: &Heads,
    q: &mut [f32],
    cache: &mut [u32],
) {
    let tile = weights.tile(CUBE_POS_X as usize, PLAIN_ROWS);
    let row = tile.first_row + UNIT_POS as usize * 2;
    let token = CUBE_POS_Y as usize;
    if row < tile.rows {
        let pair = plain(x, weights, &tile, token);
        let bias = heads.bias(&bias.values, weights, &tile, row);
        heads.store((pair.0 + bias.0, pair.1 + bias.1), (row, token), &tile, q, cache);
    }
}
