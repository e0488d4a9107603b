//! What happens to products before they are stored.

use cubecl::prelude::*;

use super::half::to_half;
use super::weights::{Cut, Tile, Weights};
use crate::KvFormat;

/// Where products go that are a tensor of their own.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Residual {
    /// Added: `[tokens, rows]`.
    pub values: ComptimeOption<Box<[f32]>>,
}

/// What queries, keys and values need.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Heads {
    /// Cosines and sines, `[capacity, head_dim]`, as pairs.
    pub rope: Box<[f32]>,
    /// One word: tokens in the cache, and so the position of token 0. In memory, as a launch's constants cost an upload
    /// whenever they change.
    pub position: Box<[u32]>,
    pub head_dim: usize,
    /// Words of the cache's keys, and so where the values start.
    pub cache_half: usize,
    #[cube(comptime)]
    pub has_bias: bool,
    #[cube(comptime)]
    pub kv_format: KvFormat,
}

/// Stores the products `pair` of the rows `row`, `row + 1` (`row` even) with `token`: plus residual, or as
/// `SiLU(gate) * up`.
#[cube]
pub(crate) fn store(
    pair: (f32, f32),
    at: (usize, usize),
    tile: &Tile,
    residual: &Residual,
    out: &mut [f32],
    #[comptime] cut: Cut,
) {
    let (row, token) = at;
    if comptime!(cut == Cut::GateUp) {
        out[token * (tile.rows / 2) + row / 2] = silu(pair.0) * pair.1;
    } else {
        let to = token * tile.rows + row;
        let second = row + 1 < tile.rows;
        let mut a = pair.0;
        let mut b = pair.1;
        #[comptime]
        match &residual.values {
            ComptimeOption::Some(values) => {
                a += values[to];
                b += values[to + usize::cast_from(second)];
            }
            ComptimeOption::None => {}
        }
        out[to] = a;
        if second {
            out[to + 1] = b;
        }
    }
}

#[cube]
impl Heads {
    /// Stores a pair of query, key or value: rotated, keys and values in the cache `[2, capacity, rows]`.
    pub fn store(&self, pair: (f32, f32), at: (usize, usize), tile: &Tile, q: &mut [f32], cache: &mut [u32]) {
        let (row, token) = at;
        let position = self.position[0usize] as usize + token;
        let mut a = pair.0;
        let mut b = pair.1;
        if tile.part < 2 {
            let angle = position * self.head_dim + row % self.head_dim;
            let cos = self.rope[angle];
            let sin = self.rope[angle + 1];
            let rotated = a * cos - b * sin;
            b = a * sin + b * cos;
            a = rotated;
        }
        if tile.part == 0 {
            let to = token * tile.rows + row;
            q[to] = a;
            q[to + 1] = b;
        } else {
            let first = select(tile.part == 2, self.cache_half, 0usize);
            let at = position * tile.rows + row;
            if comptime!(self.kv_format == KvFormat::F32) {
                cache[first + at] = u32::reinterpret(a);
                cache[first + at + 1] = u32::reinterpret(b);
            } else {
                cache[first + at / 2] = to_half(u32::reinterpret(a)) | (to_half(u32::reinterpret(b)) << 16u32);
            }
        }
    }

    /// The biases of the rows `row`, `row + 1` of a tile's part; behind the norm's weight.
    pub fn bias(&self, values: &ComptimeOption<Box<[f32]>>, weights: &Weights, tile: &Tile, row: usize) -> (f32, f32) {
        let mut a = 0.0f32.runtime();
        let mut b = 0.0f32.runtime();
        if comptime!(self.has_bias) {
            #[comptime]
            match values {
                ComptimeOption::Some(values) => {
                    let behind_k = select(tile.part == 2, weights.kv_rows, 0usize);
                    let first = select(tile.part == 0, 0usize, weights.rows + behind_k);
                    a = values[weights.cols + first + row];
                    b = values[weights.cols + first + row + 1];
                }
                ComptimeOption::None => {}
            }
        }
        (a, b)
    }
}

/// `x / (1 + e^-x)`; the exponent is held where e^-x is finite, as WGSL knows no infinity.
#[cube]
fn silu(x: f32) -> f32 {
    x / (1.0f32 + (-max(x, -87.0f32)).exp())
}
