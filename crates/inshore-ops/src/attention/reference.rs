//! Projections with RoPE, cache append and attention in plain Rust, summed in f64.

use crate::linear::reference::{linear, rms_norm};
use crate::{AttentionShape, QkvShape};

/// Weights of [`qkv_rope`] as slices; see [`QkvTensors`](crate::extension::QkvTensors) for the shapes.
#[derive(Debug, Clone, Copy)]
pub struct QkvSlices<'a> {
    /// RMSNorm weight, and behind it the biases of q, k and v, if there are any.
    pub norm: &'a [f32],
    /// Packed projections of q, k and v, one behind the other.
    pub words: &'a [u32],
    /// Cosines and sines.
    pub rope: &'a [f32],
}

/// Turns pair `(a, b)` into `(a cos − b sin, a sin + b cos)` (arXiv 2104.09864).
///
/// # Shapes
/// `x: [tokens, heads * head_dim]` with rows of `width`; `table: [capacity, head_dim]`, of which rows from `position` on
/// are used.
pub fn rope(x: &mut [f32], width: usize, table: &[f32], head_dim: usize, position: usize) {
    for (token, row) in x.chunks_exact_mut(width).enumerate() {
        let angles = &table[(position + token) * head_dim..][..head_dim];
        for head in row.chunks_exact_mut(head_dim) {
            for pair in 0..head_dim / 2 {
                let [a, b] = [head[2 * pair], head[2 * pair + 1]];
                let [cos, sin] = [angles[2 * pair], angles[2 * pair + 1]];
                head[2 * pair] = a * cos - b * sin;
                head[2 * pair + 1] = a * sin + b * cos;
            }
        }
    }
}

/// RMSNorm, the three projections (plus bias), RoPE on q and k, append to the cache. Returns the queries.
///
/// # Shapes
/// `x: [tokens, hidden]`; `cache`: keys and values, `[capacity, kv_heads, head_dim]` each → `[tokens, heads, head_dim]`.
pub fn qkv_rope(x: &[f32], weights: QkvSlices<'_>, cache: [&mut [f32]; 2], shape: &QkvShape) -> Vec<f32> {
    let (norm, mut bias) = weights.norm.split_at(shape.q.cols);
    let n = rms_norm(x, norm, shape.norm_eps);
    let mut words = weights.words;
    let [mut q, mut k, v] = [shape.q, shape.k, shape.v].map(|layout| {
        let own = words.split_off(..layout.words()).expect("the words of all three");
        let mut out = linear(&n, own, layout);
        if shape.has_bias {
            let own = bias.split_off(..layout.rows).expect("the biases of all three");
            for row in out.chunks_exact_mut(layout.rows) {
                row.iter_mut().zip(own).for_each(|(out, bias)| *out += bias);
            }
        }
        out
    });
    rope(&mut q, shape.q.rows, weights.rope, shape.head_dim, shape.position);
    rope(&mut k, shape.k.rows, weights.rope, shape.head_dim, shape.position);
    for (cache, new) in cache.into_iter().zip([k, v]) {
        cache[shape.position * shape.k.rows..][..new.len()].copy_from_slice(&new);
    }
    q
}

/// Causal grouped-query attention: `softmax(q kᵀ / sqrt(head_dim)) v`, query `t` seeing positions `0..=position + t`.
///
/// # Shapes
/// `q: [tokens, heads, head_dim]`, `k`, `v: [capacity, kv_heads, head_dim]` → `[tokens, heads * head_dim]`.
pub fn attention(q: &[f32], k: &[f32], v: &[f32], shape: &AttentionShape) -> Vec<f32> {
    let AttentionShape { heads, kv_heads, head_dim, position, .. } = *shape;
    let mut out = Vec::with_capacity(q.len());
    for (at, query) in q.chunks_exact(head_dim).enumerate() {
        let (token, head) = (at / heads, at % heads);
        let kv_head = head / (heads / kv_heads);
        let first = |at: usize| (at * kv_heads + kv_head) * head_dim;
        let dot = |key: &[f32]| query.iter().zip(key).map(|(&q, &k)| f64::from(q) * f64::from(k)).sum::<f64>();
        let seen = position + token + 1;
        let scores: Vec<f64> =
            (0..seen).map(|at| dot(&k[first(at)..][..head_dim]) / (head_dim as f64).sqrt()).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
        let total: f64 = weights.iter().sum();
        let value = |d: usize| (0..seen).map(|at| weights[at] * f64::from(v[first(at) + d])).sum::<f64>() / total;
        out.extend((0..head_dim).map(|d| value(d) as f32));
    }
    out
}
