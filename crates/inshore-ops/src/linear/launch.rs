//! Host side of the products.

use cubecl::prelude::*;

use super::kernel::gemm::{GEMM_UNITS, TILE_ROWS, TILE_TOKENS, gemm};
use super::kernel::gemv::{GEMV_ROWS, GEMV_UNITS, gemv};
use super::kernel::plain::{PLAIN_UNITS, plain};
use super::kernel::{CHUNK, Combine, EpilogueLaunch, MatrixLaunch, NORM_UNITS, rms_norm};
use crate::PackedLayout;
use crate::cube::{cube_grid, empty, vector_width};
use burn_cubecl::tensor::CubeTensor;

/// A packed matrix as a tensor of words, with its layout.
#[derive(Clone, Copy)]
pub(crate) struct Weight<'a> {
    pub words: &'a CubeTensor,
    pub layout: PackedLayout,
}

impl Weight<'_> {
    /// The matrix as an argument of a kernel.
    pub(crate) fn launch(&self) -> MatrixLaunch {
        let Self { words, layout } = *self;
        MatrixLaunch::new(
            words.clone().into_buffer_arg(),
            layout.rows,
            layout.cols,
            layout.row_words(),
            layout.row_blocks(),
            layout.kind,
        )
    }
}

/// What is done to a product before it is stored; see [`Epilogue`](super::kernel::Epilogue).
#[derive(Default)]
pub(crate) struct Finish<'a> {
    /// Biases, and where those of this matrix start.
    pub bias: Option<(&'a CubeTensor, usize)>,
    /// Residual or gate.
    pub other: Option<(&'a CubeTensor, Combine)>,
    /// Table of cosines and sines, width of a head.
    pub rope: Option<(&'a CubeTensor, usize)>,
    /// Position of the first token, in the table.
    pub position: usize,
    /// First value of the output that is written.
    pub out_offset: usize,
}

impl Finish<'_> {
    fn launch(&self) -> EpilogueLaunch {
        let buffer = |tensor: &CubeTensor| tensor.clone().into_buffer_arg();
        EpilogueLaunch::new(
            self.bias.map(|(bias, _)| buffer(bias)).into(),
            self.bias.map_or(0, |(_, offset)| offset),
            self.other.map(|(other, _)| buffer(other)).into(),
            self.rope.map(|(rope, _)| buffer(rope)).into(),
            self.rope.map_or(1, |(_, head_dim)| head_dim),
            self.position,
            self.out_offset,
            self.other.map_or(Combine::Add, |(_, combine)| combine),
        )
    }
}

/// `x Wᵀ` for `x: [tokens, cols]` as a new tensor `[tokens, rows]`.
pub(crate) fn linear(x: &CubeTensor, weight: Weight<'_>, finish: &Finish<'_>) -> CubeTensor {
    let tokens = x.meta.shape()[0];
    let out = empty(x, &[tokens, weight.layout.rows]);
    linear_into(x, weight, finish, &out);
    out
}

/// `x Wᵀ` for `x: [tokens, cols]`, written to `out` from [`Finish::out_offset`] on.
pub(crate) fn linear_into(x: &CubeTensor, weight: Weight<'_>, finish: &Finish<'_>, out: &CubeTensor) {
    let tokens = x.meta.shape()[0];
    let PackedLayout { rows, cols, .. } = weight.layout;
    let client = &x.client;
    let input = x.clone().into_buffer_arg();
    let output = out.clone().into_buffer_arg();
    if tokens == 0 || rows == 0 {
        return;
    }
    if !cols.is_multiple_of(CHUNK) {
        let count = CubeCount::new_2d(rows.div_ceil(2 * PLAIN_UNITS) as u32, tokens as u32);
        let dim = CubeDim::new_1d(PLAIN_UNITS as u32);
        plain::launch(client, count, dim, input, weight.launch(), finish.launch(), output);
    } else if tokens == 1 {
        let dim = CubeDim::new_1d(GEMV_UNITS as u32);
        gemv::launch(client, cube_grid(rows.div_ceil(GEMV_ROWS)), dim, input, weight.launch(), finish.launch(), output);
    } else {
        let count = CubeCount::new_2d(rows.div_ceil(TILE_ROWS) as u32, tokens.div_ceil(TILE_TOKENS) as u32);
        let dim = CubeDim::new_1d(GEMM_UNITS as u32);
        gemm::launch(client, count, dim, input, tokens, weight.launch(), finish.launch(), output);
    }
}

/// RMSNorm of the rows of `x: [tokens, cols]` from row `first` on.
pub(crate) fn norm(x: &CubeTensor, weight: &CubeTensor, first: usize, eps: f32) -> CubeTensor {
    let (tokens, cols) = (x.meta.shape()[0], x.meta.shape()[1]);
    let out = empty(x, &[tokens - first, cols]);
    let vector = vector_width(cols);
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
