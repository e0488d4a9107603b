//! The operations on the GPU: CubeCL kernels, launched without ever waiting for the device.

use std::sync::atomic::{AtomicU64, Ordering};

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
use crate::linear::launch::{Activations, Matrices, QkvTargets, linear, linear_qkv, norm};
use crate::sample::launch::draw;
use crate::{PackedLayout, SampleParams};

impl DecoderOps for CubeBackend {
    fn embed(ids: IntTensor<Self>, tokens: usize, table: IntTensor<Self>, layout: PackedLayout) -> FloatTensor<Self> {
        embed_rows(&words(ids), tokens, &words(table), layout)
    }

    fn qkv_rope(
        x: FloatTensor<Self>,
        weights: QkvTensors<Self>,
        cache: KvTensors<Self>,
        shape: QkvShape,
    ) -> KvTensors<Self> {
        let x = floats(x);
        let q = empty(&x, &[x.meta.shape()[0], shape.q.rows / shape.head_dim, shape.head_dim]);
        let (norm, rope, cache) = (floats(weights.norm), floats(weights.rope), words(cache.cache));
        let input = Activations { x: &x, norm: Some((&norm, shape.norm_eps)) };
        let position = words(weights.position);
        let targets = QkvTargets { rope: &rope, position: &position, q: &q, cache: &cache };
        linear_qkv(&input, &words(weights.words), &shape, &targets);
        KvTensors { q, cache }
    }

    fn attention(
        q: FloatTensor<Self>,
        cache: IntTensor<Self>,
        position: IntTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        attend(&floats(q), &words(cache), &words(position), shape)
    }

    fn linear_add(
        x: FloatTensor<Self>,
        weight: IntTensor<Self>,
        residual: FloatTensor<Self>,
        layout: PackedLayout,
    ) -> FloatTensor<Self> {
        let input = Activations { x: &floats(x), norm: None };
        linear(&input, Matrices::One(&words(weight), layout), Some(&floats(residual)))
    }

    fn gated_mlp(
        x: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        gate: IntTensor<Self>,
        up: IntTensor<Self>,
        layouts: (PackedLayout, PackedLayout),
        norm_eps: f32,
    ) -> FloatTensor<Self> {
        let input = Activations { x: &floats(x), norm: Some((&floats(norm), norm_eps)) };
        linear(&input, Matrices::GateUp([&words(gate), &words(up)], layouts.into()), None)
    }

    fn logits(
        x: FloatTensor<Self>,
        first: usize,
        norm_weight: FloatTensor<Self>,
        weight: IntTensor<Self>,
        layout: PackedLayout,
        norm_eps: f32,
    ) -> FloatTensor<Self> {
        let x = floats(x);
        // Apart: the matrix has so many rows that each cube's share of the norm would add up to more than a launch.
        let normed = norm(&x, &floats(norm_weight), (first, layout.cols), norm_eps);
        let input = Activations { x: &normed, norm: None };
        let out = linear(&input, Matrices::One(&words(weight), layout), None);
        let shape = Shape::from([out.meta.num_elements()]);
        CubeTensor::new_contiguous(out.client.clone(), out.device(), shape, out.handle, out.dtype)
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

static DISPATCHES: AtomicU64 = AtomicU64::new(0);

/// Counts a launch; every launch of this crate calls it.
pub(crate) fn dispatch() {
    note_dispatches(1);
}

/// Counts launches; modulo 2^64.
pub(crate) fn note_dispatches(count: u64) {
    DISPATCHES.fetch_add(count, Ordering::Relaxed);
}

/// Kernels that this crate has launched in this process.
pub(crate) fn dispatches() -> u64 {
    DISPATCHES.load(Ordering::Relaxed)
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
