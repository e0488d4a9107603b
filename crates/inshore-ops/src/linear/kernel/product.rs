//! The kernels: a way to multiply, and what is done with the products.

use cubecl::prelude::*;

use super::epilogue::{Heads, Residual, store};
use super::gemm::gemm;
use super::gemv::gemv;
use super::input::Input;
use super::plain::{PLAIN_ROWS, plain};
use super::weights::Weights;
use crate::device::plan::{GemmTile, GemvPlan, GpuPlan, UNIT_TOKENS};

/// The way to multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    OneToken(GemvPlan),
    ManyTokens(GemmTile),
}

impl Way {
    const fn has_one_token(self) -> bool {
        matches!(self, Self::OneToken(_))
    }

    /// The plan for one token, which any is where there are many.
    const fn gemv(self) -> GemvPlan {
        if let Self::OneToken(plan) = self { plan } else { GpuPlan::FALLBACK.gemv }
    }

    const fn gemm(self) -> GemmTile {
        if let Self::ManyTokens(tile) = self { tile } else { GpuPlan::FALLBACK.gemm }
    }
}

/// `x Wᵀ` plus residual, or `SiLU(x Wgᵀ) * (x Wuᵀ)`. One token: cubes cover the tiles over x and y. Many: x covers
/// the tiles, y the tokens.
#[cube(launch)]
pub(crate) fn product(input: &Input, weights: &Weights, residual: &Residual, out: &mut [f32], #[comptime] way: Way) {
    let cut = comptime!(weights.format.cut);
    let unit = UNIT_POS as usize;
    if comptime!(way.has_one_token()) {
        let plan = comptime!(way.gemv());
        let tile = weights.tile(CUBE_POS, comptime!(plan.rows()));
        let pair = gemv(input, weights, &tile, plan);
        let row = tile.first_row + pair.place;
        if pair.place < comptime!(plan.rows()) && row < tile.rows {
            store(pair.products, (row, 0usize), &tile, residual, out, cut);
        }
    } else {
        let size = comptime!(way.gemm());
        let stride = comptime!(size.result_stride());
        let tile = weights.tile(CUBE_POS_X as usize, comptime!(size.rows));
        let first_token = CUBE_POS_Y as usize * comptime!(size.tokens);
        let products = gemm(input, weights, &tile, first_token, size);
        let mut at = unit;
        while at < comptime!(size.rows / 2 * size.token_step()) {
            let place = at % comptime!(size.rows / 2) * 2;
            let row = tile.first_row + place;
            let step = at / comptime!(size.rows / 2);
            let a = products[place * stride + step];
            let b = products[(place + 1) * stride + step];
            #[unroll]
            for t in 0..UNIT_TOKENS {
                let token = first_token + step + comptime!(t * size.token_step());
                if row < tile.rows && token < input.tokens {
                    store((a.extract(t), b.extract(t)), (row, token), &tile, residual, out, cut);
                }
            }
            at += comptime!(size.rows);
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
    #[comptime] way: Way,
) {
    let unit = UNIT_POS as usize;
    if comptime!(way.has_one_token()) {
        let plan = comptime!(way.gemv());
        let tile = weights.tile(CUBE_POS, comptime!(plan.rows()));
        let pair = gemv(input, weights, &tile, plan);
        let row = tile.first_row + pair.place;
        if pair.place < comptime!(plan.rows()) && row < tile.rows {
            let bias = heads.bias(&input.norm, weights, &tile, row);
            let (a, b) = pair.products;
            heads.store((a + bias.0, b + bias.1), (row, 0usize), &tile, q, cache);
        }
    } else {
        let size = comptime!(way.gemm());
        let stride = comptime!(size.result_stride());
        let tile = weights.tile(CUBE_POS_X as usize, comptime!(size.rows));
        let first_token = CUBE_POS_Y as usize * comptime!(size.tokens);
        let products = gemm(input, weights, &tile, first_token, size);
        let mut at = unit;
        while at < comptime!(size.rows / 2 * size.token_step()) {
            let place = at % comptime!(size.rows / 2) * 2;
            let row = tile.first_row + place;
            let step = at / comptime!(size.rows / 2);
            let a = products[place * stride + step];
            let b = products[(place + 1) * stride + step];
            if row < tile.rows {
                let bias = heads.bias(&input.norm, weights, &tile, row);
                #[unroll]
                for t in 0..UNIT_TOKENS {
                    let token = first_token + step + comptime!(t * size.token_step());
                    if token < input.tokens {
                        let pair = (a.extract(t) + bias.0, b.extract(t) + bias.1);
                        heads.store(pair, (row, token), &tile, q, cache);
                    }
                }
            }
            at += comptime!(size.rows);
        }
    }
}

/// As [`product`] for rows that are not whole chunks, of a normalised input.
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

/// As [`product_qkv`] for rows that are not whole chunks, of a normalised input; `bias` as [`Input::norm`].
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
