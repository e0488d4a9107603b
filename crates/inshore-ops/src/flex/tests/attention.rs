use burn_flex::{Flex, FlexTensor};
use inshore_gguf::GgmlType;

use super::*;
use crate::attention::reference::{self, QkvSlices};
use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::flex::simd::tests::with_each_isa;

const CAPACITY: usize = 80;

#[test]
fn attention_agrees() {
    with_each_isa(|isa| {
        for (heads, kv_heads) in [(1, 1), (3, 1), (4, 2), (9, 3)] {
            for head_dim in [2, 6, 16, 18, 64, 80] {
                for (position, tokens) in [(0, 1), (1, 1), (40, 1), (0, 2), (7, 3), (5, 16), (0, 17), (31, 33)] {
                    let shape = AttentionShape { heads, kv_heads, head_dim, position };
                    let q = random(1, tokens * heads * head_dim);
                    let [k, v] = [2, 3].map(|seed| random(seed, CAPACITY * kv_heads * head_dim));
                    let cache = |values: &[f32]| floats(values, [CAPACITY, kv_heads, head_dim]);
                    let out = Flex::attention(floats(&q, [tokens, heads, head_dim]), cache(&k), cache(&v), shape);
                    assert_eq!(&out.layout().shape()[..], [tokens, heads * head_dim]);
                    let expected = reference::attention(&q, &k, &v, &shape);
                    assert_close(values(&out), &expected, head_dim, &format!("{isa} {tokens} tokens, {shape:?}"));
                }
            }
        }
    });
}

#[test]
fn large_scores_do_not_overflow() {
    let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim: 2, position: 1 };
    let k = floats(&[1e4, 0.0, -1e4, 0.0], [2, 1, 2]);
    let v = floats(&[1.0, 2.0, 3.0, 4.0], [2, 1, 2]);
    let out = Flex::attention(floats(&[1e4, 0.0], [1, 1, 2]), k, v, shape);
    assert_eq!(values(&out), [1.0, 2.0]);
}

#[test]
fn attention_does_not_depend_on_threads() {
    let (tokens, head_dim) = (40, 16);
    let shape = AttentionShape { heads: 6, kv_heads: 2, head_dim, position: 9 };
    let q = random(4, tokens * 6 * head_dim);
    let [k, v] = [5, 6].map(|seed| random(seed, CAPACITY * 2 * head_dim));
    assert_same_on_any_threads(|| {
        let cache = |values: &[f32]| floats(values, [CAPACITY, 2, head_dim]);
        values(&Flex::attention(floats(&q, [tokens, 6, head_dim]), cache(&k), cache(&v), shape)).to_vec()
    });
}

/// Inputs of a `qkv_rope` with 64 features.
struct Layer {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    tokens: usize,
    q: Packed,
    k: Packed,
    v: Packed,
    shape: QkvShape,
    x: Vec<f32>,
    norm: Vec<f32>,
    bias: Vec<f32>,
    rope: Vec<f32>,
    cache: [Vec<f32>; 2],
}

impl Layer {
    fn random(heads: usize, kv_heads: usize, head_dim: usize, tokens: usize, position: usize, has_bias: bool) -> Self {
        let q = Packed::random(GgmlType::Q4_1, heads * head_dim, 64, 7);
        let k = Packed::random(GgmlType::Q5_0, kv_heads * head_dim, 64, 8);
        let v = Packed::random(GgmlType::Q8_0, kv_heads * head_dim, 64, 9);
        let shape = QkvShape { q: q.layout, k: k.layout, v: v.layout, head_dim, norm_eps: 1e-5, has_bias, position };
        let bias = random(10, if has_bias { (heads + 2 * kv_heads) * head_dim } else { 1 });
        let rope = (0..CAPACITY * head_dim / 2).flat_map(|at| <[f32; 2]>::from((at as f32).sin_cos())).collect();
        let cache = [11, 12].map(|seed| random(seed, CAPACITY * kv_heads * head_dim));
        let (x, norm) = (random(13, tokens * 64), random(14, 64));
        Self { heads, kv_heads, head_dim, tokens, q, k, v, shape, x, norm, bias, rope, cache }
    }

    fn cache_tensors(&self) -> [FlexTensor; 2] {
        let shape = [CAPACITY, self.kv_heads, self.head_dim];
        self.cache.each_ref().map(|values| floats(values, shape))
    }

    fn run(&self, [k, v]: [FlexTensor; 2]) -> KvTensors<Flex> {
        let weights = QkvTensors {
            norm: floats(&self.norm, [64]),
            q: self.q.tensor(),
            k: self.k.tensor(),
            v: self.v.tensor(),
            bias: floats(&self.bias, [self.bias.len()]),
            rope: floats(&self.rope, [CAPACITY, self.head_dim]),
        };
        Flex::qkv_rope(floats(&self.x, [self.tokens, 64]), weights, KvTensors { q: unused(), k, v }, self.shape)
    }

    /// Queries, keys and values.
    fn expected(&self) -> [Vec<f32>; 3] {
        let [mut k, mut v] = self.cache.clone();
        let weights = QkvSlices {
            norm: &self.norm,
            q: &self.q.words,
            k: &self.k.words,
            v: &self.v.words,
            bias: &self.bias,
            rope: &self.rope,
        };
        let q = reference::qkv_rope(&self.x, weights, [&mut k, &mut v], &self.shape);
        [q, k, v]
    }
}

#[test]
fn qkv_rope_agrees_and_leaves_other_positions_alone() {
    with_each_isa(|isa| {
        for (tokens, position, has_bias) in [(1, 0, false), (1, 79, true), (2, 3, true), (17, 5, false)] {
            let layer = Layer::random(6, 2, 10, tokens, position, has_bias);
            let out = layer.run(layer.cache_tensors());
            assert_eq!(&out.q.layout().shape()[..], [tokens, layer.heads, layer.head_dim]);
            let what = format!("{isa}: {tokens} tokens at {position}");
            for (got, expected) in [&out.q, &out.k, &out.v].into_iter().zip(layer.expected()) {
                assert_close(values(got), &expected, 64 * 4, &what);
            }
            let (before, width) = (position * 20, 20);
            assert_eq!(values(&out.k)[..before], layer.cache[0][..before], "{what}");
            let behind = (position + tokens) * width;
            assert_eq!(values(&out.v)[behind..], layer.cache[1][behind..], "{what}");
        }
    });
}

#[test]
fn the_cache_is_updated_in_place() {
    let layer = Layer::random(2, 1, 8, 3, 4, false);
    let cache = layer.cache_tensors();
    let places = cache.each_ref().map(|tensor| values(tensor).as_ptr());
    let out = layer.run(cache);
    assert_eq!([&out.k, &out.v].map(|tensor| values(tensor).as_ptr()), places);
}

#[test]
fn a_shared_cache_is_copied() {
    let layer = Layer::random(2, 1, 8, 3, 4, false);
    let cache = layer.cache_tensors();
    let out = layer.run(cache.clone());
    assert_eq!(values(&cache[0]), layer.cache[0]);
    assert_close(values(&out.k), &layer.expected()[1], 64 * 4, "keys");
}
