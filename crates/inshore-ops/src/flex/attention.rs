//! Causal grouped-query attention on the CPU: one task per head and strip of tokens.

use super::exp::exp;
use super::matmul::dots;
use super::parallel::{columns, for_each};
use super::simd::{self, Kernel, LANES, Simd};
use crate::AttentionShape;

/// Tokens of one task: they share the scores' buffer and find keys in the cache that others just used.
const STRIP_TOKENS: usize = 16;

/// # Shapes
/// `q: [tokens, heads, head_dim]`, `keys`, `values: [capacity, kv_heads, head_dim]` → `[tokens, heads * head_dim]`.
pub fn attention(q: &[f32], keys: &[f32], values: &[f32], shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { heads, kv_heads, head_dim, .. } = shape;
    assert!(heads.is_multiple_of(kv_heads), "{heads} heads cannot share {kv_heads} key heads evenly");
    let mut out = vec![0.0; q.len()];
    let mut tasks = Vec::new();
    for mut part in columns(&mut out, heads * head_dim, head_dim) {
        let head = part.first / head_dim;
        let mut first_token = 0;
        while !part.rows.is_empty() {
            let later = part.rows.split_off(part.rows.len().min(STRIP_TOKENS));
            let out = std::mem::replace(&mut part.rows, later);
            let count = out.len();
            tasks.push(Strip { q, keys, values, shape, head, first_token, out });
            first_token += count;
        }
    }
    for_each(tasks, simd::run);
    out
}

struct Strip<'a> {
    q: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    shape: AttentionShape,
    head: usize,
    first_token: usize,
    /// The head's part of each token's output.
    out: Vec<&'a mut [f32]>,
}

impl Strip<'_> {
    /// Positions that token `at` of the strip sees.
    #[inline(always)]
    fn seen(&self, at: usize) -> usize {
        self.shape.position + self.first_token + at + 1
    }

    #[inline(always)]
    fn query(&self, at: usize) -> &[f32] {
        let AttentionShape { heads, head_dim, .. } = self.shape;
        &self.q[((self.first_token + at) * heads + self.head) * head_dim..][..head_dim]
    }

    /// The part of `cache: [capacity, kv_heads, head_dim]` that begins with this head's row of position `at`.
    #[inline(always)]
    fn cached<'c>(&self, cache: &'c [f32], at: usize) -> &'c [f32] {
        let AttentionShape { heads, kv_heads, head_dim, .. } = self.shape;
        &cache[(at * kv_heads + self.head / (heads / kv_heads)) * head_dim..][..head_dim]
    }

    /// `q · k` of every token and position that it sees: `scores: [tokens, positions]`. Scores beyond are not defined.
    #[inline(always)]
    fn scores<S: Simd, const K: usize, const T: usize>(&self, simd: S, scores: &mut [f32], positions: usize) {
        for position in (0..positions).step_by(K) {
            // At the end a key may come twice; only its first score is kept.
            let mut keys = [&[][..]; K];
            for (at, key) in keys.iter_mut().enumerate() {
                *key = self.cached(self.keys, (position + at).min(positions - 1));
            }
            let count = K.min(positions - position);
            for token in (0..self.out.len()).step_by(T) {
                let last = self.out.len() - 1;
                if self.seen((token + T - 1).min(last)) <= position {
                    continue;
                }
                let mut queries = [&[][..]; T];
                for (at, query) in queries.iter_mut().enumerate() {
                    *query = self.query((token + at).min(last));
                }
                let products = dots(simd, keys, queries);
                for at in 0..T.min(self.out.len() - token) {
                    let row = &mut scores[(token + at) * positions + position..][..count];
                    for (score, product) in row.iter_mut().zip(&products) {
                        *score = product[at];
                    }
                }
            }
        }
    }
}

impl Kernel for Strip<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let positions = self.seen(self.out.len() - 1);
        let mut scores = vec![0.0; self.out.len() * positions];
        match (S::REGISTERS, self.out.len()) {
            (32, 1) => self.scores::<S, 8, 1>(simd, &mut scores, positions),
            (32, _) => self.scores::<S, 4, 4>(simd, &mut scores, positions),
            (8, 1) => self.scores::<S, 4, 1>(simd, &mut scores, positions),
            (8, _) => self.scores::<S, 3, 2>(simd, &mut scores, positions),
            _ => self.scores::<S, 2, 1>(simd, &mut scores, positions),
        }
        let scale = (self.shape.head_dim as f32).sqrt().recip();
        let mut out = std::mem::take(&mut self.out);
        for (at, (out, scores)) in out.iter_mut().zip(scores.chunks_exact_mut(positions)).enumerate() {
            let weights = &mut scores[..self.seen(at)];
            let sum = weights_of_scores(weights, scale);
            self.weighted_values(simd, weights, sum.recip(), out);
        }
    }
}

/// Softmax without its division: `scores` become `e^(scale (score - max))`; returns their sum.
#[inline(always)]
fn weights_of_scores(scores: &mut [f32], scale: f32) -> f32 {
    let (runs, rest) = scores.as_chunks_mut::<LANES>();
    let mut maxima = [f32::NEG_INFINITY; LANES];
    for run in runs.iter() {
        for (max, &score) in maxima.iter_mut().zip(run) {
            *max = if score > *max { score } else { *max };
        }
    }
    let max = maxima.iter().chain(rest.iter()).copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for run in runs {
        for (sum, score) in sums.iter_mut().zip(run) {
            *score = exp((*score - max) * scale);
            *sum += *score;
        }
    }
    let mut rest_sum = 0.0;
    for score in rest {
        *score = exp((*score - max) * scale);
        rest_sum += *score;
    }
    sums.iter().sum::<f32>() + rest_sum
}

impl Strip<'_> {
    /// `out = Σ weight v * norm`: runs of the head in registers, four at a time while there are as many.
    #[inline(always)]
    fn weighted_values<S: Simd>(&self, simd: S, weights: &[f32], norm: f32, out: &mut [f32]) {
        let (runs, rest) = out.as_chunks_mut::<LANES>();
        let (fours, ones) = runs.as_chunks_mut::<4>();
        let mut first = 0;
        for four in fours {
            self.weighted_runs(simd, weights, norm, first, four);
            first += 4 * LANES;
        }
        for one in ones {
            self.weighted_runs(simd, weights, norm, first, std::array::from_mut(one));
            first += LANES;
        }
        for (at, out) in rest.iter_mut().enumerate() {
            let value = |position: usize| self.cached(self.values, position)[first + at];
            let sum: f32 = weights.iter().enumerate().map(|(position, weight)| weight * value(position)).sum();
            *out = sum * norm;
        }
    }

    #[inline(always)]
    fn weighted_runs<S: Simd, const N: usize>(
        &self,
        simd: S,
        weights: &[f32],
        norm: f32,
        first: usize,
        out: &mut [[f32; LANES]; N],
    ) {
        let mut sums = [simd.splat(0.0); N];
        for (position, &weight) in weights.iter().enumerate() {
            let weight = simd.splat(weight);
            let (runs, _) = self.cached(self.values, position)[first..].as_chunks::<LANES>();
            let runs: &[_; N] = runs.first_chunk().expect("the head has the runs that its output has");
            for run in 0..N {
                sums[run] = simd.mul_add(weight, simd.load(&runs[run]), sums[run]);
            }
        }
        for run in 0..N {
            simd.store(simd.mul(sums[run], simd.splat(norm)), &mut out[run]);
        }
    }
}
