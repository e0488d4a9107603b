//! Host side of the products.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::plain::{PLAIN_ROWS, PLAIN_UNITS};
use super::kernel::product::{Way, plain_product, plain_qkv, product, product_qkv};
use super::kernel::{
    CHUNK, Cut, Format, HeadsLaunch, InputLaunch, NORM_UNITS, ResidualLaunch, WeightsLaunch, rms_norm,
};
use crate::cube::{cube_grid, empty, vector_width};
use crate::device::plan::GEMV_UNITS;
use crate::device::plan_of;
use crate::extension::QkvShape;
use crate::{PackedLayout, cube::dispatch};

/// Packed matrices as tensors of words, with their layouts.
#[derive(Clone, Copy)]
pub(crate) enum Matrices<'a> {
    /// One matrix.
    One(&'a CubeTensor, PackedLayout),
    /// Q, K and V one behind the other.
    Qkv(&'a CubeTensor, [PackedLayout; 3]),
    /// Gate and up.
    GateUp([&'a CubeTensor; 2], [PackedLayout; 2]),
}

impl Matrices<'_> {
    /// The first of the matrices.
    const fn first(&self) -> PackedLayout {
        match self {
            Self::One(_, layout) => *layout,
            Self::Qkv(_, layouts) => layouts[0],
            Self::GateUp(_, layouts) => layouts[0],
        }
    }

    /// Tiles of `height` rows.
    fn tiles(&self, height: usize) -> usize {
        match self {
            Self::One(_, layout) => layout.rows.div_ceil(height),
            Self::Qkv(_, layouts) => layouts.iter().map(|layout| layout.rows.div_ceil(height)).sum(),
            Self::GateUp(_, layouts) => (2 * layouts[0].rows).div_ceil(height),
        }
    }

    /// The matrices as an argument of a kernel.
    pub(crate) fn launch(&self) -> WeightsLaunch {
        let buffer = |words: &CubeTensor| words.clone().into_buffer_arg();
        let PackedLayout { rows, cols, kind, .. } = self.first();
        let (words, up, kv_rows, format) = match self {
            Self::One(words, _) => (words, None, 0, Format { cut: Cut::One, kinds: [kind; 3] }),
            Self::Qkv(words, layouts) => {
                (words, None, layouts[1].rows, Format { cut: Cut::Qkv, kinds: layouts.map(|layout| layout.kind) })
            }
            Self::GateUp([gate, up], layouts) => {
                (gate, Some(buffer(up)), 0, Format { cut: Cut::GateUp, kinds: [kind, layouts[1].kind, kind] })
            }
        };
        WeightsLaunch::new(buffer(words), up.into(), cols, rows, kv_rows, format)
    }
}

/// The input of a product.
pub(crate) struct Activations<'a> {
    /// `[tokens, cols]`.
    pub x: &'a CubeTensor,
    /// Weight of the RMSNorm before the product (and the product's biases behind it), and its epsilon.
    pub norm: Option<(&'a CubeTensor, f32)>,
}

/// An input that is fit for a kernel: normalised, unless the kernel does that.
struct Ready {
    x: CubeTensor,
    norm: Option<CubeTensor>,
    eps: f32,
    tokens: usize,
    normalise: bool,
}

impl Activations<'_> {
    fn ready(&self, cols: usize) -> Ready {
        let tokens = self.x.meta.shape()[0];
        let fused = tokens == 1 && cols.is_multiple_of(CHUNK);
        let x = match self.norm {
            Some((weight, eps)) if !fused => norm(self.x, weight, (0, cols), eps),
            _ => self.x.clone(),
        };
        let (norm, eps) = self.norm.map_or((None, 0.0), |(weight, eps)| (Some(weight.clone()), eps));
        Ready { x, normalise: fused && norm.is_some(), norm, eps, tokens }
    }
}

impl Ready {
    /// `keep_norm`: the biases behind it are needed though the input is normalised.
    fn launch(self, keep_norm: bool) -> InputLaunch {
        let norm = self.norm.filter(|_| self.normalise || keep_norm).map(CubeTensor::into_buffer_arg);
        InputLaunch::new(self.x.into_buffer_arg(), norm.into(), self.tokens, self.eps, self.normalise)
    }
}

/// `x Wᵀ` plus `residual: [tokens, rows]`, or `SiLU(x Wgᵀ) * (x Wuᵀ)`; as a new tensor `[tokens, rows]`.
pub(crate) fn linear(input: &Activations<'_>, weights: Matrices<'_>, residual: Option<&CubeTensor>) -> CubeTensor {
    let PackedLayout { rows, cols, .. } = weights.first();
    let client = &input.x.client;
    let tokens = input.x.meta.shape()[0];
    let out = empty(input.x, &[tokens, rows]);
    if tokens == 0 || rows == 0 {
        return out;
    }
    let ready = input.ready(cols);
    let residual = ResidualLaunch::new(residual.map(|values| values.clone().into_buffer_arg()).into());
    let output = out.clone().into_buffer_arg();
    let weights_arg = weights.launch();
    dispatch();
    if !cols.is_multiple_of(CHUNK) {
        let count = CubeCount::new_2d(weights.tiles(PLAIN_ROWS) as u32, tokens as u32);
        let dim = CubeDim::new_1d(PLAIN_UNITS as u32);
        plain_product::launch(client, count, dim, ready.x.into_buffer_arg(), weights_arg, residual, output);
    } else {
        let Grid { count, dim, way } = grid(input.x, &weights);
        product::launch(client, count, dim, ready.launch(false), weights_arg, residual, output, way);
    }
    out
}

/// Where [`linear_qkv`] puts what.
pub(crate) struct QkvTargets<'a> {
    /// Cosines and sines.
    pub rope: &'a CubeTensor,
    /// One word: tokens in the cache.
    pub position: &'a CubeTensor,
    /// Queries, `[tokens, heads, head_dim]`.
    pub q: &'a CubeTensor,
    /// Keys and values, `[2, capacity, kv_heads, head_dim]` in the words of their format.
    pub cache: &'a CubeTensor,
}

/// Queries, and keys and values into the cache.
pub(crate) fn linear_qkv(input: &Activations<'_>, words: &CubeTensor, shape: &QkvShape, targets: &QkvTargets<'_>) {
    let weights = Matrices::Qkv(words, [shape.q, shape.k, shape.v]);
    let cols = shape.q.cols;
    let client = &input.x.client;
    let tokens = input.x.meta.shape()[0];
    if tokens == 0 {
        return;
    }
    let buffer = |tensor: &CubeTensor| tensor.clone().into_buffer_arg();
    let cache_half = targets.cache.meta.num_elements() / 2;
    let (rope, position) = (buffer(targets.rope), buffer(targets.position));
    let heads = HeadsLaunch::new(rope, position, shape.head_dim, cache_half, shape.has_bias, shape.kv_format);
    let (q, cache) = (buffer(targets.q), buffer(targets.cache));
    let ready = input.ready(cols);
    let weights_arg = weights.launch();
    dispatch();
    if !cols.is_multiple_of(CHUNK) {
        let bias = ready.norm.filter(|_| shape.has_bias).map(CubeTensor::into_buffer_arg);
        let bias = ResidualLaunch::new(bias.into());
        let count = CubeCount::new_2d(weights.tiles(PLAIN_ROWS) as u32, tokens as u32);
        let dim = CubeDim::new_1d(PLAIN_UNITS as u32);
        plain_qkv::launch(client, count, dim, ready.x.into_buffer_arg(), bias, weights_arg, heads, q, cache);
    } else {
        let Grid { count, dim, way } = grid(input.x, &weights);
        let input = ready.launch(shape.has_bias);
        product_qkv::launch(client, count, dim, input, weights_arg, heads, q, cache, way);
    }
}

/// Cubes and units of a product of whole chunks.
struct Grid {
    count: CubeCount,
    dim: CubeDim,
    way: Way,
}

fn grid(x: &CubeTensor, weights: &Matrices<'_>) -> Grid {
    let tokens = x.meta.shape()[0];
    let plan = plan_of(&x.device);
    if tokens == 1 {
        let count = cube_grid(weights.tiles(plan.gemv.rows()));
        Grid { count, dim: CubeDim::new_1d(GEMV_UNITS as u32), way: Way::OneToken(plan.gemv) }
    } else {
        let tile = plan.gemm;
        let count = CubeCount::new_2d(weights.tiles(tile.rows) as u32, tokens.div_ceil(tile.tokens) as u32);
        Grid { count, dim: CubeDim::new_1d(tile.rows as u32), way: Way::ManyTokens(tile) }
    }
}

/// RMSNorm of the rows of `x: [tokens, cols]` from row `rows.0` on; `rows.1` is `cols`, as `weight` may be longer.
pub(crate) fn norm(x: &CubeTensor, weight: &CubeTensor, (first, cols): (usize, usize), eps: f32) -> CubeTensor {
    let tokens = x.meta.shape()[0];
    let out = empty(x, &[tokens - first, cols]);
    let vector = if weight.meta.num_elements().is_multiple_of(4) { vector_width(cols) } else { 1 };
    dispatch();
    rms_norm::launch(
        &x.client,
        cube_grid(tokens - first),
        CubeDim::new_1d(NORM_UNITS as u32),
        vector,
        x.clone().into_buffer_arg(),
        weight.clone().into_buffer_arg(),
        out.clone().into_buffer_arg(),
        first,
        cols / vector,
        eps,
    );
    out
}
