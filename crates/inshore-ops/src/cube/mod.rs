//! The operations on the GPU: CubeCL kernels, launched without ever waiting for the device.

use burn::backend::TensorMetadata;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::{cast, into_contiguous};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::CubeCount;

use crate::attention::launch::attend;
use crate::embed::launch::embed_rows;
use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::linear::kernel::Combine;
use crate::linear::launch::{Finish, Weight, linear, linear_into, norm};
use crate::sample::launch::draw;
use crate::{PackedLayout, SampleParams};

impl DecoderOps for CubeBackend {
    fn embed(ids: IntTensor<Self>, table: IntTensor<Self>, layout: PackedLayout) -> FloatTensor<Self> {
        embed_rows(&words(ids), Weight { words: &words(table), layout })
    }

    fn qkv_rope(
        x: FloatTensor<Self>,
        weights: QkvTensors<Self>,
        cache: KvTensors<Self>,
        shape: QkvShape,
    ) -> KvTensors<Self> {
        let x = floats(x);
        let tokens = x.meta.shape()[0];
        let normed = norm(&x, &floats(weights.norm), 0, shape.norm_eps);
        let (k, v) = (floats(cache.k), floats(cache.v));
        let (bias, rope) = (floats(weights.bias), floats(weights.rope));
        let bias_from = |offset| shape.has_bias.then_some((&bias, offset));
        let rope = Some((&rope, shape.head_dim));
        let (position, kv_rows) = (shape.position, shape.k.rows);
        let out_offset = position * kv_rows;

        let q = empty(&x, &[tokens, shape.q.rows / shape.head_dim, shape.head_dim]);
        let of_q = Finish { bias: bias_from(0), rope, position, ..Finish::default() };
        linear_into(&normed, Weight { words: &words(weights.q), layout: shape.q }, &of_q, &q);
        let of_k = Finish { bias: bias_from(shape.q.rows), rope, position, out_offset, ..Finish::default() };
        linear_into(&normed, Weight { words: &words(weights.k), layout: shape.k }, &of_k, &k);
        let of_v = Finish { bias: bias_from(shape.q.rows + kv_rows), out_offset, ..Finish::default() };
        linear_into(&normed, Weight { words: &words(weights.v), layout: shape.v }, &of_v, &v);
        KvTensors { q, k, v }
    }

    fn attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        attend(&floats(q), &floats(k), &floats(v), shape)
    }

    fn linear_add(
        x: FloatTensor<Self>,
        weight: IntTensor<Self>,
        residual: FloatTensor<Self>,
        layout: PackedLayout,
    ) -> FloatTensor<Self> {
        let residual = floats(residual);
        let finish = Finish { other: Some((&residual, Combine::Add)), ..Finish::default() };
        linear(&floats(x), Weight { words: &words(weight), layout }, &finish)
    }

    fn gated_mlp(
        x: FloatTensor<Self>,
        norm_weight: FloatTensor<Self>,
        gate: IntTensor<Self>,
        up: IntTensor<Self>,
        layouts: (PackedLayout, PackedLayout),
        norm_eps: f32,
    ) -> FloatTensor<Self> {
        let normed = norm(&floats(x), &floats(norm_weight), 0, norm_eps);
        let gate = linear(&normed, Weight { words: &words(gate), layout: layouts.0 }, &Finish::default());
        let finish = Finish { other: Some((&gate, Combine::Gate)), ..Finish::default() };
        linear(&normed, Weight { words: &words(up), layout: layouts.1 }, &finish)
    }

    fn logits(
        x: FloatTensor<Self>,
        norm_weight: FloatTensor<Self>,
        weight: IntTensor<Self>,
        layout: PackedLayout,
        norm_eps: f32,
    ) -> FloatTensor<Self> {
        let x = floats(x);
        let normed = norm(&x, &floats(norm_weight), x.meta.shape()[0] - 1, norm_eps);
        let out = empty(&x, &[layout.rows]);
        linear_into(&normed, Weight { words: &words(weight), layout }, &Finish::default(), &out);
        out
    }

    fn sample(logits: FloatTensor<Self>, history: IntTensor<Self>, params: SampleParams) -> IntTensor<Self> {
        draw(&floats(logits), &words(history), &params)
    }
}

/// `tensor` as rows of f32.
fn floats(tensor: CubeTensor) -> CubeTensor {
    let tensor = if tensor.dtype == DType::F32 { tensor } else { cast(tensor, DType::F32) };
    into_contiguous(tensor)
}

/// `tensor` as rows of 32-bit words; a signed tensor is read as the same bits.
fn words(tensor: CubeTensor) -> CubeTensor {
    let tensor = if matches!(tensor.dtype, DType::U32 | DType::I32) { tensor } else { cast(tensor, DType::U32) };
    into_contiguous(tensor)
}

/// A new f32 tensor on the device of `like`, with whatever its memory holds.
pub(crate) fn empty(like: &CubeTensor, shape: &[usize]) -> CubeTensor {
    empty_typed(like, shape, DType::F32)
}

/// As [`empty`], of 32-bit words.
pub(crate) fn empty_words(like: &CubeTensor, len: usize) -> CubeTensor {
    empty_typed(like, &[len], DType::U32)
}

fn empty_typed(like: &CubeTensor, shape: &[usize], dtype: DType) -> CubeTensor {
    let shape = Shape::from(shape);
    let handle = like.client.empty(shape.num_elements() * dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device(), shape, handle, dtype)
}

/// Widest vector that `len` values divide into.
pub(crate) const fn vector_width(len: usize) -> usize {
    if len.is_multiple_of(4) {
        4
    } else if len.is_multiple_of(2) {
        2
    } else {
        1
    }
}

/// Most cubes in one dimension of a launch that every device takes.
const GRID_MAX: usize = 65535;

/// At least `cubes` cubes, folded into the second dimension where they are too many for one. A kernel counts them by
/// `CUBE_POS` and has to ignore those past the end.
pub(crate) fn cube_grid(cubes: usize) -> CubeCount {
    let y = cubes.div_ceil(GRID_MAX);
    CubeCount::new_2d(cubes.div_ceil(y.max(1)) as u32, y as u32)
}

#[cfg(test)]
mod tests {
    use cubecl::prelude::CubeCount;

    use super::{GRID_MAX, cube_grid};

    #[test]
    fn a_grid_covers_all_cubes_within_the_limits() {
        for cubes in [0, 1, 2, GRID_MAX, GRID_MAX + 1, 151_936, 10 * GRID_MAX + 1] {
            let CubeCount::Static(x, y, 1) = cube_grid(cubes) else { panic!("a flat grid of known size") };
            let covered = x as usize * y as usize;
            assert!(covered >= cubes && covered < cubes + y.max(1) as usize, "{cubes}: {x} x {y}");
            assert!(x as usize <= GRID_MAX && y as usize <= GRID_MAX);
        }
    }
}
