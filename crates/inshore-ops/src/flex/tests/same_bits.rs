//! CPUs with fused multiply-add give the same bits, natively and in a browser: an answer that goes on on another machine must
//! not turn at a near tie. `same_bits.txt` has a hash of each operation's result; where a change of the kernels is meant to
//! change results, `INSHORE_BLESS=1 cargo xtask test same_bits` writes it anew.
//!
//! CPUs that round twice (portable Rust, WebAssembly without relaxed SIMD) are left out. So is sampling, which takes
//! logarithms from the platform's library.

use std::sync::Mutex;

use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use inshore_gguf::GgmlType;

use super::attention::{cache_of, kept};
use super::*;
use crate::KvFormat;
use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::flex::norm::rms_norm;
use crate::flex::simd::tests::{fuses, with_each_isa};

const EXPECTED: &str = include_str!("same_bits.txt");

const EPS: f32 = 1e-5;
/// One by one, and more than a tile.
const TOKENS: [usize; 2] = [1, 7];

/// Formats of a cache, and what they are called here.
const FORMATS: [(KvFormat, &str); 3] = [(KvFormat::F32, ""), (KvFormat::F16, " f16"), (KvFormat::Q8_0, " q8_0")];

/// Names and hashes, a line each.
#[derive(Default)]
struct Hashes(Vec<String>);

impl Hashes {
    /// FNV-1a, 64 bits.
    fn put(&mut self, name: &str, values: &[f32]) {
        assert!(values.iter().all(|value| value.is_finite()), "{name}");
        let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
        let hash =
            bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        self.0.push(format!("{name} {hash:016x}"));
    }
}

#[test]
fn cpus_with_fused_multiply_add_give_the_same_bits() {
    let bless = std::env::var_os("INSHORE_BLESS").is_some_and(|value| value == "1");
    let expected = Mutex::new((!bless).then(|| EXPECTED.lines().map(str::to_owned).collect()));
    let different = Mutex::new(Vec::new());
    with_each_isa(|isa| {
        if !fuses() {
            return println!("{isa} rounds twice");
        }
        let got = all_operations();
        let mut expected = expected.lock().expect("no test before failed");
        let expected: &Vec<String> = expected.get_or_insert_with(|| got.clone());
        assert_eq!(got.len(), expected.len(), "same_bits.txt is of other operations");
        let pairs = got.iter().zip(expected).filter(|(got, expected)| got != expected);
        let mut different = different.lock().expect("no test before failed");
        different.extend(pairs.map(|(got, expected)| format!("{isa}: {got}, expected {expected}")));
    });
    let different = different.into_inner().expect("no test failed");
    assert!(different.is_empty(), "{}", different.join("\n"));
    if let (true, Some(lines)) = (bless, expected.into_inner().expect("no test failed")) {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/flex/tests/same_bits.txt");
        std::fs::write(file, lines.join("\n") + "\n").expect("the sources can be written");
    }
}

fn all_operations() -> Vec<String> {
    let mut out = Hashes::default();
    norms(&mut out);
    embeddings(&mut out);
    products(&mut out);
    projections(&mut out);
    attentions(&mut out);
    mlp_and_logits(&mut out);
    out.0
}

fn norms(out: &mut Hashes) {
    for tokens in TOKENS {
        out.put(&format!("rms_norm {tokens}"), &rms_norm(&random(1, tokens * 577), &random(2, 577), EPS));
    }
}

fn embeddings(out: &mut Hashes) {
    for kind in GgmlType::ALL {
        let table = Packed::random(kind, 27, 2 * kind.block_len().max(17), 3);
        let ids = FlexTensor::from_data(TensorData::new(vec![0i32, 26, 3], [3]));
        out.put(&format!("embed {kind}"), values(&Flex::embed(ids, 3, table.tensor(), table.layout)));
    }
}

/// With rounded activations, all formats that lie in panels, and with exact ones.
fn products(out: &mut Hashes) {
    let mut put = |name: &str, weight: &Packed| {
        let PackedLayout { kind, rows, cols, .. } = weight.layout;
        for tokens in TOKENS {
            let (x, residual) = (random(4, tokens * cols), random(5, tokens * rows));
            let (x, residual) = (floats(&x, [tokens, cols]), floats(&residual, [tokens, rows]));
            let result = Flex::linear_add(x, weight.tensor(), residual, weight.layout);
            out.put(&format!("linear_add {kind} {name} {tokens}"), values(&result));
        }
    };
    for kind in [GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q5_0, GgmlType::Q5_1, GgmlType::Q8_0] {
        put("rounded", &Packed::random(kind, 150, 576, 6).in_panels());
    }
    for kind in [GgmlType::Q4K, GgmlType::Q5K, GgmlType::Q6K] {
        put("rounded", &Packed::random(kind, 150, 768, 6).in_panels());
    }
    for kind in GgmlType::ALL {
        put("exact", &Packed::random(kind, 50, 3 * kind.block_len().max(17), 7));
    }
}

/// Norm, Q, K and V with biases, RoPE, and what is then in the cache.
fn projections(out: &mut Hashes) {
    let (heads, kv_heads, head_dim, hidden, position) = (6, 2, 20, 96, 5);
    let matrix = |kind, heads, seed| Packed::random(kind, heads * head_dim, hidden, seed).in_panels();
    let q = matrix(GgmlType::Q4_1, heads, 8);
    let k = matrix(GgmlType::Q5_0, kv_heads, 9);
    let v = matrix(GgmlType::Q8_0, kv_heads, 10);
    for (tokens, (kv_format, name)) in TOKENS.into_iter().flat_map(|tokens| FORMATS.map(|format| (tokens, format))) {
        let [of_q, of_k, of_v] = [&q, &k, &v].map(|matrix| matrix.layout);
        let (norm_eps, has_bias) = (EPS, true);
        let shape = QkvShape { q: of_q, k: of_k, v: of_v, head_dim, norm_eps, has_bias, position, kv_format };
        let biases = (heads + 2 * kv_heads) * head_dim;
        let weights = QkvTensors {
            norm: floats(&random(11, hidden + biases), [hidden + biases]),
            words: from_words([&q.words[..], &k.words, &v.words].concat()),
            // Not sines and cosines, which platforms round in their own ways.
            rope: floats(&random(12, 16 * head_dim), [16, head_dim]),
            position: from_words(vec![0]),
        };
        let cache = cache_of(&[], &[], [2, 16, kv_heads, head_dim], kv_format);
        let x = floats(&random(13, tokens * hidden), [tokens, hidden]);
        let KvTensors { q, cache } = Flex::qkv_rope(x, weights, KvTensors { q: unused(), cache }, shape);
        if kv_format == KvFormat::F32 {
            out.put(&format!("qkv_rope queries {tokens}"), values(&q));
        }
        out.put(&format!("qkv_rope{name} cache {tokens}"), &kept(&cache, head_dim, kv_format).concat());
    }
}

/// Decode in one span and in three, prefill in several strips and blocks; heads of whole runs of lanes and others.
fn attentions(out: &mut Hashes) {
    let (heads, kv_heads, capacity) = (9, 3, 704);
    for (head_dim, (kv_format, name)) in [64, 20].into_iter().flat_map(|width| FORMATS.map(|format| (width, format))) {
        let [keys, vals] = [14, 15].map(|seed| random(seed, capacity * kv_heads * head_dim));
        let cache = cache_of(&keys, &vals, [2, capacity, kv_heads, head_dim], kv_format);
        for (position, tokens) in [(100, 1), (600, 1), (250, 40)] {
            let shape = AttentionShape { heads, kv_heads, head_dim, position, kv_format };
            // Large enough for maxima to move and weights to differ.
            let q: Vec<f32> = random(16, tokens * heads * head_dim).iter().map(|x| 5.0 * x).collect();
            let q = floats(&q, [tokens, heads, head_dim]);
            let result = Flex::attention(q, cache.clone(), from_words(vec![0]), shape);
            out.put(&format!("attention{name} {head_dim} {position} {tokens}"), values(&result));
        }
    }
}

/// SwiGLU, and the logits of a vocabulary.
fn mlp_and_logits(out: &mut Hashes) {
    let hidden = 256;
    let matrix = |kind, rows, seed| Packed::random(kind, rows, hidden, seed).in_panels();
    let (gate, up) = (matrix(GgmlType::Q4_0, 300, 17), matrix(GgmlType::Q4_1, 300, 18));
    let vocabulary = matrix(GgmlType::Q8_0, 999, 19);
    for tokens in TOKENS {
        let [x, norm] = [floats(&random(20, tokens * hidden), [tokens, hidden]), floats(&random(21, hidden), [hidden])];
        let layouts = (gate.layout, up.layout);
        let gated = Flex::gated_mlp(x.clone(), norm.clone(), gate.tensor(), up.tensor(), layouts, EPS);
        out.put(&format!("gated_mlp {tokens}"), values(&gated));
        let logits = Flex::logits(x, tokens - 1, norm, vocabulary.tensor(), vocabulary.layout, EPS);
        out.put(&format!("logits {tokens}"), values(&logits));
    }
}
