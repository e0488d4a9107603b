use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use inshore_gguf::GgmlType;

use super::*;
use crate::KvFormat;
use crate::attention::reference::{self, QkvSlices};
use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::flex::cache::{CacheShape, head_words, rounded_queries};
use crate::flex::simd::tests::with_each_isa;

const CAPACITY: usize = 80;
const FORMATS: [KvFormat; 3] = [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0];

/// More than a block, a span in decode and a strip in prefill.
#[test]
fn long_contexts() {
    let (heads, kv_heads, head_dim, capacity) = (9, 3, 20, 704);
    for kv_format in FORMATS {
        let [k, v] = [2, 3].map(|seed| random(seed, capacity * kv_heads * head_dim));
        let cache = cache_of(&k, &v, [2, capacity, kv_heads, head_dim], kv_format);
        let [k, v] = kept(&cache, head_dim, kv_format);
        with_each_isa(|isa| {
            let places = [(127, 1), (128, 1), (255, 1), (256, 1), (600, 1), (700, 1), (100, 150), (250, 40)];
            for (position, tokens) in places {
                let shape = AttentionShape { heads, kv_heads, head_dim, position, kv_format };
                let q: Vec<f32> = random(1, tokens * heads * head_dim).iter().map(|x| 5.0 * x).collect();
                let out = Flex::attention(floats(&q, [tokens, heads, head_dim]), cache.clone(), no_word(), shape);
                let expected = reference::attention(&taken(&q, &shape), &k, &v, &shape);
                let what = format!("{isa} {tokens} tokens, {shape:?}");
                assert_close(values(&out), &expected, terms(kv_format, 16 * head_dim), &what);
            }
        });
    }
}

/// What a replayed answer must find.
#[test]
fn tokens_leave_the_same_bits_together_and_one_by_one() {
    let (heads, kv_heads, head_dim, capacity) = (9, 3, 20, 704);
    let width = heads * head_dim;
    let [k, v] = [2, 3].map(|seed| random(seed, capacity * kv_heads * head_dim));
    for kv_format in FORMATS {
        let cache = cache_of(&k, &v, [2, capacity, kv_heads, head_dim], kv_format);
        let attend = |q: &[f32], position| {
            let shape = AttentionShape { heads, kv_heads, head_dim, position, kv_format };
            let out = Flex::attention(floats(q, [q.len() / width, heads, head_dim]), cache.clone(), no_word(), shape);
            values(&out).iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        with_each_isa(|isa| {
            for (position, tokens) in [(0, 40), (250, 40), (500, 20)] {
                let q: Vec<f32> = random(1, tokens * width).iter().map(|x| 5.0 * x).collect();
                let one_by_one = q.chunks_exact(width).enumerate().flat_map(|(at, q)| attend(q, position + at));
                let what = format!("{isa} {kv_format:?}: {tokens} at {position}");
                assert_eq!(attend(&q, position), one_by_one.collect::<Vec<_>>(), "{what}");
            }
        });
    }
}

#[test]
fn attention_agrees() {
    with_each_isa(|isa| {
        for (heads, kv_heads) in [(1, 1), (3, 1), (4, 2), (9, 3)] {
            for head_dim in [2, 6, 16, 18, 64, 80] {
                let places = [(0, 1), (1, 1), (40, 1), (0, 2), (7, 3), (5, 16), (0, 17), (31, 33)];
                for ((position, tokens), kv_format) in places.into_iter().flat_map(|at| FORMATS.map(|kept| (at, kept)))
                {
                    let shape = AttentionShape { heads, kv_heads, head_dim, position, kv_format };
                    let q = random(1, tokens * heads * head_dim);
                    let [k, v] = [2, 3].map(|seed| random(seed, CAPACITY * kv_heads * head_dim));
                    let cache = cache_of(&k, &v, [2, CAPACITY, kv_heads, head_dim], kv_format);
                    let [k, v] = kept(&cache, head_dim, kv_format);
                    let out = Flex::attention(floats(&q, [tokens, heads, head_dim]), cache, no_word(), shape);
                    assert_eq!(&out.layout().shape()[..], [tokens, heads * head_dim]);
                    let expected = reference::attention(&taken(&q, &shape), &k, &v, &shape);
                    let what = format!("{isa} {tokens} tokens, {shape:?}");
                    assert_close(values(&out), &expected, terms(kv_format, head_dim), &what);
                }
            }
        }
    });
}

#[test]
fn large_scores_do_not_overflow() {
    for kv_format in FORMATS {
        let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim: 2, position: 1, kv_format };
        // The second is more than binary16 has.
        for large in [1e4, 1e9] {
            let cache = cache_of(&[large, 0.0, -large, 0.0], &[1.0, 2.0, 3.0, 4.0], [2, 16, 1, 2], kv_format);
            let out = Flex::attention(floats(&[1e4, 0.0], [1, 1, 2]), cache, no_word(), shape);
            assert_close(values(&out), &[1.0, 2.0], 1 << 24, kv_format.name());
        }
    }
}

#[test]
fn attention_does_not_depend_on_threads() {
    let (tokens, head_dim) = (40, 16);
    let q = random(4, tokens * 6 * head_dim);
    let [k, v] = [5, 6].map(|seed| random(seed, CAPACITY * 2 * head_dim));
    for kv_format in FORMATS {
        let shape = AttentionShape { heads: 6, kv_heads: 2, head_dim, position: 9, kv_format };
        assert_same_on_any_threads(|| {
            let cache = cache_of(&k, &v, [2, CAPACITY, 2, head_dim], kv_format);
            values(&Flex::attention(floats(&q, [tokens, 6, head_dim]), cache, no_word(), shape)).to_vec()
        });
    }
}

/// Queries as they meet keys.
fn taken(q: &[f32], shape: &AttentionShape) -> Vec<f32> {
    if shape.kv_format == KvFormat::F32 { q.to_vec() } else { rounded_queries(q, shape.head_dim) }
}

/// Terms of sums that are as far off as attention over numbers in this format, which rounds weights, too.
const fn terms(format: KvFormat, of_floats: usize) -> usize {
    match format {
        KvFormat::F32 => of_floats,
        KvFormat::F16 | KvFormat::Q8_0 => 10_000,
    }
}

/// A cache of `dims: [2, capacity, kv_heads, head_dim]` that holds `keys` and `values: [tokens, kv_heads, head_dim]` from
/// position 0 on.
pub fn cache_of(keys: &[f32], values: &[f32], dims: [usize; 4], format: KvFormat) -> FlexTensor {
    let [_, capacity, kv_heads, head_dim] = dims;
    let dims = [2, capacity, kv_heads, head_words(format, head_dim)];
    let mut cache = vec![0u32; dims.iter().product()];
    CacheShape::of(&dims, head_dim, format).append(&mut cache, 0, keys, values);
    FlexTensor::from_data(TensorData::new(cache, dims))
}

/// Keys, then values, that a cache keeps: `[capacity, kv_heads, head_dim]` each.
pub fn kept(cache: &FlexTensor, head_dim: usize, format: KvFormat) -> [Vec<f32>; 2] {
    let shape = CacheShape::of(cache.layout().shape(), head_dim, format);
    shape.kept(cache.as_slice::<u32>().expect("words in order"))
}

/// The position in the device's memory, which this backend does not read.
fn no_word() -> FlexTensor {
    from_words(vec![0])
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
    rope: Vec<f32>,
    /// Keys, then values.
    cache: Vec<f32>,
}

impl Layer {
    /// `heads`: of queries, and of keys; `at`: the first position, and how many tokens.
    fn random(heads: [usize; 2], head_dim: usize, at: [usize; 2], has_bias: bool, kv_format: KvFormat) -> Self {
        let ([heads, kv_heads], [position, tokens]) = (heads, at);
        let q = Packed::random(GgmlType::Q4_1, heads * head_dim, 64, 7);
        let k = Packed::random(GgmlType::Q5_0, kv_heads * head_dim, 64, 8);
        let v = Packed::random(GgmlType::Q8_0, kv_heads * head_dim, 64, 9);
        let (norm_eps, [q_layout, k_layout, v_layout]) = (1e-5, [&q, &k, &v].map(|matrix| matrix.layout));
        let shape =
            QkvShape { q: q_layout, k: k_layout, v: v_layout, head_dim, norm_eps, has_bias, position, kv_format };
        let rope = (0..CAPACITY * head_dim / 2).flat_map(|at| <[f32; 2]>::from((at as f32).sin_cos())).collect();
        let cache = random(11, 2 * CAPACITY * kv_heads * head_dim);
        let biases = if has_bias { (heads + 2 * kv_heads) * head_dim } else { 0 };
        let (x, norm) = (random(13, tokens * 64), random(14, 64 + biases));
        Self { heads, kv_heads, head_dim, tokens, q, k, v, shape, x, norm, rope, cache }
    }

    fn words(&self) -> Vec<u32> {
        [&self.q.words[..], &self.k.words, &self.v.words].concat()
    }

    fn cache_tensor(&self) -> FlexTensor {
        let (keys, values) = self.cache.split_at(self.cache.len() / 2);
        cache_of(keys, values, [2, CAPACITY, self.kv_heads, self.head_dim], self.shape.kv_format)
    }

    fn run(&self, cache: FlexTensor) -> KvTensors<Flex> {
        let weights = QkvTensors {
            norm: floats(&self.norm, [self.norm.len()]),
            words: from_words(self.words()),
            rope: floats(&self.rope, [CAPACITY, self.head_dim]),
            position: no_word(),
        };
        Flex::qkv_rope(floats(&self.x, [self.tokens, 64]), weights, KvTensors { q: unused(), cache }, self.shape)
    }

    /// Queries and the cache.
    fn expected(&self) -> [Vec<f32>; 2] {
        let mut cache = self.cache.clone();
        let (k, v) = cache.split_at_mut(self.cache.len() / 2);
        let weights = QkvSlices { norm: &self.norm, words: &self.words(), rope: &self.rope };
        let q = reference::qkv_rope(&self.x, weights, [k, v], &self.shape);
        [q, cache]
    }
}

#[test]
fn qkv_rope_agrees_and_leaves_other_positions_alone() {
    with_each_isa(|isa| {
        let cases = [(1, 0, false), (1, 79, true), (2, 3, true), (17, 5, false)];
        for ((tokens, position, has_bias), kv_format) in
            cases.into_iter().flat_map(|case| FORMATS.map(|kept| (case, kept)))
        {
            let layer = Layer::random([6, 2], 10, [position, tokens], has_bias, kv_format);
            let out = layer.run(layer.cache_tensor());
            assert_eq!(&out.q.layout().shape()[..], [tokens, layer.heads, layer.head_dim]);
            let what = format!("{isa} {kv_format:?}: {tokens} tokens at {position}");
            let [q, cache] = layer.expected();
            assert_close(values(&out.q), &q, 64 * 4, &what);
            let got = kept(&out.cache, layer.head_dim, kv_format);
            let was = kept(&layer.cache_tensor(), layer.head_dim, kv_format);
            // Numbers up to 8, of which half a unit of the last place is lost.
            let unit = match kv_format {
                KvFormat::F32 => 0.0,
                KvFormat::F16 => 8.0 / 8191.0,
                KvFormat::Q8_0 => 8.0 / 127.0,
            };
            let new = position * 20..(position + tokens) * 20;
            for ((got, was), expected) in got.iter().zip(&was).zip(cache.chunks_exact(CAPACITY * 20)) {
                let near = |(got, expected): (&f32, &f32)| (got - expected).abs() <= unit / 2.0 + 1e-4;
                assert!(got[new.clone()].iter().zip(&expected[new.clone()]).all(near), "{what}");
                assert_eq!(got[..new.start], was[..new.start], "{what}");
                assert_eq!(got[new.end..], was[new.end..], "{what}");
            }
        }
    });
}

#[test]
fn the_cache_is_updated_in_place() {
    let place = |cache: &FlexTensor| cache.as_slice::<u32>().expect("words in order").as_ptr();
    let layer = Layer::random([2, 1], 8, [4, 3], false, KvFormat::F16);
    let cache = layer.cache_tensor();
    let before = place(&cache);
    let out = layer.run(cache);
    assert_eq!(place(&out.cache), before);
}

#[test]
fn a_shared_cache_is_copied() {
    let layer = Layer::random([2, 1], 8, [4, 3], false, KvFormat::F32);
    let cache = layer.cache_tensor();
    let out = layer.run(cache.clone());
    let in_order = |cache| kept(cache, layer.head_dim, KvFormat::F32).concat();
    assert_eq!(in_order(&cache), layer.cache);
    assert_close(&in_order(&out.cache), &layer.expected()[1], 64 * 4, "keys and values");
}
