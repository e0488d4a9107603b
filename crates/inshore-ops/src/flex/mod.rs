//! The operations on the CPU: Rust kernels over sixteen lanes ([`simd`]), shared out to threads by output columns
//! ([`parallel`]). Weights stay packed; activations stay f32 or are rounded for a product ([`int8`]).

mod attention;
mod cache;
pub mod exp;
mod int8;
mod matmul;
mod norm;
mod parallel;
mod rope;
mod round;
mod simd;
mod tensor;
#[cfg(test)]
mod tests;
mod unpack;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_flex::Flex;

#[cfg(not(test))]
use self::cache::CacheShape;
use self::exp::silu;
use self::matmul::{Input, Matrix, add_columns, add_product, unpack_rows};
use self::norm::rms_norm;
use self::parallel::{Columns, columns, for_each};
use self::tensor::{contiguous, floats, from_floats, from_words, integers};
use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::{PackedLayout, SampleParams, sample};

#[cfg(test)]
pub use self::cache::{CacheShape, rounded_queries};
pub use self::cache::{PANEL_POSITIONS, head_words};
pub use self::parallel::threads;
#[cfg(target_family = "wasm")]
pub use self::parallel::{Team, use_team};
pub use self::simd::instructions;

impl DecoderOps for Flex {
    fn embed(ids: IntTensor<Self>, tokens: usize, table: IntTensor<Self>, layout: PackedLayout) -> FloatTensor<Self> {
        let table = contiguous(table);
        let last = layout.rows - 1;
        let rows: Vec<_> = integers(ids).into_iter().take(tokens).map(|id| id.clamp(0, last as i64) as usize).collect();
        let mut out = vec![0.0; rows.len() * layout.cols];
        unpack_rows(Matrix::new(table.storage(), layout), &rows, &mut out);
        from_floats(out, [rows.len(), layout.cols])
    }

    fn qkv_rope(
        x: FloatTensor<Self>,
        weights: QkvTensors<Self>,
        cache: KvTensors<Self>,
        shape: QkvShape,
    ) -> KvTensors<Self> {
        let [norm, words, rope] = [weights.norm, weights.words, weights.rope].map(contiguous);
        let mut rest: &[u32] = words.storage();
        let matrices = [shape.q, shape.k, shape.v]
            .map(|layout| Matrix::new(rest.split_off(..layout.words()).expect("the words of all three"), layout));
        let (norm, mut bias) = floats(&norm).split_at(shape.q.cols);
        let normed = rms_norm(floats(&contiguous(x)), norm, shape.norm_eps);
        let x = Input::new(&normed, [shape.q, shape.k, shape.v]);
        let tokens = x.tokens();

        let mut outs = matrices.map(|matrix| vec![0.0; tokens * matrix.layout().rows]);
        for (out, matrix) in outs.iter_mut().zip(matrices) {
            let own = bias.split_off(..matrix.layout().rows.min(bias.len())).unwrap_or_default();
            start_with(own, out, matrix.layout().rows);
        }
        let tasks = outs.iter_mut().zip(matrices).flat_map(|(out, matrix)| {
            let parts = columns(out, matrix.layout().rows, matrix.task_rows(tokens));
            parts.into_iter().map(move |part| (matrix, part))
        });
        let most = matrices.map(|matrix| matrix.scratch_values(matrix.task_rows(tokens), tokens)).into_iter().max();
        let scratch = || vec![0.0; most.unwrap_or(0)];
        for_each(&mut tasks.collect::<Vec<_>>(), scratch, |(matrix, part), scratch| {
            add_columns(&x, *matrix, part, scratch);
        });

        let angles = &floats(&rope)[shape.position * shape.head_dim..][..tokens * shape.head_dim];
        let [mut queries, mut keys, values] = outs;
        rope::rotate(&mut queries, shape.q.rows, angles, shape.head_dim);
        rope::rotate(&mut keys, shape.k.rows, angles, shape.head_dim);
        let mut cache = contiguous(cache.cache);
        let cached = CacheShape::of(cache.layout().shape(), shape.head_dim, shape.kv_format);
        // Shared caches are copied here; the caller keeps them unshared.
        cached.append(cache.storage_mut(), shape.position, &keys, &values);

        let q = from_floats(queries, [tokens, shape.q.rows / shape.head_dim, shape.head_dim]);
        KvTensors { q, cache }
    }

    fn attention(
        q: FloatTensor<Self>,
        cache: IntTensor<Self>,
        _position: IntTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let [q, cache] = [q, cache].map(contiguous);
        let width = shape.heads * shape.head_dim;
        let cached = CacheShape::of(cache.layout().shape(), shape.head_dim, shape.kv_format);
        let out = attention::attention(floats(&q), cache.storage(), cached, shape);
        let tokens = out.len() / width;
        from_floats(out, [tokens, width])
    }

    fn linear_add(
        x: FloatTensor<Self>,
        weight: IntTensor<Self>,
        residual: FloatTensor<Self>,
        layout: PackedLayout,
    ) -> FloatTensor<Self> {
        let [x, weight, mut residual] = [x, weight, residual].map(contiguous);
        add_product(floats(&x), Matrix::new(weight.storage(), layout), residual.storage_mut::<f32>());
        residual
    }

    fn gated_mlp(
        x: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        gate: IntTensor<Self>,
        up: IntTensor<Self>,
        layouts: (PackedLayout, PackedLayout),
        norm_eps: f32,
    ) -> FloatTensor<Self> {
        let [x, norm, gate, up] = [x, norm, gate, up].map(contiguous);
        let normed = rms_norm(floats(&x), floats(&norm), norm_eps);
        let x = Input::new(&normed, [layouts.0, layouts.1]);
        let [gate, up] = [Matrix::new(gate.storage(), layouts.0), Matrix::new(up.storage(), layouts.1)];
        let (tokens, width) = (x.tokens(), layouts.0.rows);
        let [mut out, mut ups] = [(); 2].map(|()| vec![0.0; tokens * width]);
        // Whole panels of the one that has panels.
        let block = if up.layout().panels { up } else { gate }.task_rows(tokens);
        let mut tasks: Vec<_> =
            columns(&mut out, width, block).into_iter().zip(columns(&mut ups, width, block)).collect();
        let most = gate.scratch_values(block, tokens).max(up.scratch_values(block, tokens));
        for_each(
            &mut tasks,
            || vec![0.0; most],
            |(out, ups), scratch| {
                add_columns(&x, gate, out, scratch);
                add_columns(&x, up, ups, scratch);
                gate_with(out, ups);
            },
        );
        from_floats(out, [tokens, width])
    }

    fn logits(
        x: FloatTensor<Self>,
        first: usize,
        norm: FloatTensor<Self>,
        weight: IntTensor<Self>,
        layout: PackedLayout,
        norm_eps: f32,
    ) -> FloatTensor<Self> {
        let [x, norm, weight] = [x, norm, weight].map(contiguous);
        let normed = rms_norm(&floats(&x)[first * layout.cols..], floats(&norm), norm_eps);
        let values = normed.len() / layout.cols * layout.rows;
        let mut out = vec![0.0; values];
        add_product(&normed, Matrix::new(weight.storage(), layout), &mut out);
        from_floats(out, [values])
    }

    fn sample(logits: FloatTensor<Self>, history: IntTensor<Self>, params: SampleParams) -> IntTensor<Self> {
        let logits = contiguous(logits);
        // An id that is not a token cannot have occurred.
        let history: Vec<_> =
            integers(history).into_iter().map(|word| u32::try_from(word).unwrap_or(u32::MAX)).collect();
        from_words(sample::reference::sample(floats(&logits), &history, &params))
    }
}

/// `bias` (or 0, if there is none) in every row of `out`, for products to be added to.
fn start_with(bias: &[f32], out: &mut [f32], width: usize) {
    if bias.is_empty() {
        return out.fill(0.0);
    }
    out.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(bias));
}

/// `out = SiLU(out) * up`.
fn gate_with(out: &mut Columns<'_>, ups: &Columns<'_>) {
    for (out, ups) in out.rows.iter_mut().zip(&ups.rows) {
        for (out, up) in out.iter_mut().zip(ups.iter()) {
            *out = silu(*out) * up;
        }
    }
}
