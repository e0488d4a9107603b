use inshore_gguf::GgmlType;

use super::reference::{self, QkvSlices};
use crate::backends::{Packed, assert_close, devices, floats, random, read};
use crate::{AttentionShape, KvLayer, QkvInputs, QkvShape, QkvWeights, attention, qkv_rope};

const EPS: f32 = 1e-5;

/// A layer's shape.
#[derive(Debug, Clone, Copy)]
struct Layer {
    kind: GgmlType,
    hidden: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    bias: bool,
}

const SMALL: Layer = Layer { kind: GgmlType::Q8_0, hidden: 64, heads: 3, kv_heads: 1, head_dim: 32, bias: false };

/// Projects, rotates, appends and attends in steps of `steps` tokens, on both backends and in plain Rust.
fn check(layer: Layer, steps: &[usize]) {
    let Layer { kind, hidden, heads, kv_heads, head_dim, bias } = layer;
    let capacity = steps.iter().sum::<usize>() + 1;
    let [q_rows, kv_rows] = [heads * head_dim, kv_heads * head_dim];
    let packed = [q_rows, kv_rows, kv_rows].map(|rows| Packed::random(kind, rows, hidden, rows as u64 + 1));
    let [q, k, v] = &packed;
    let norm = random(21, hidden);
    let biases = random(22, q_rows + 2 * kv_rows);
    let table: Vec<f32> =
        random(23, capacity * head_dim / 2).iter().flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()]).collect();

    let mut layers = devices().map(|(name, device)| {
        let weights = QkvWeights {
            norm: floats(&norm, [hidden], &device),
            q: q.on(&device),
            k: k.on(&device),
            v: v.on(&device),
            bias: bias.then(|| floats(&biases, [biases.len()], &device)),
        };
        let cache = KvLayer::new(capacity, kv_heads, head_dim, &device);
        (name, weights, cache, floats(&table, [capacity, head_dim], &device), device)
    });
    let [mut keys, mut values] = [(); 2].map(|()| vec![0.0; capacity * kv_rows]);
    let mut position = 0;
    for &tokens in steps {
        let x = random(position as u64 + 31, tokens * hidden);
        let shape =
            QkvShape { q: q.layout, k: k.layout, v: v.layout, head_dim, norm_eps: EPS, has_bias: bias, position };
        let slices = QkvSlices { norm: &norm, q: &q.words, k: &k.words, v: &v.words, bias: &biases, rope: &table };
        let queries = reference::qkv_rope(&x, slices, [&mut keys, &mut values], &shape);
        let shape = AttentionShape { heads, kv_heads, head_dim, position };
        let expected = reference::attention(&queries, &keys, &values, &shape);
        for (name, weights, cache, rope, device) in &mut layers {
            let inputs = QkvInputs { rope, head_dim, norm_eps: EPS, position };
            let got = qkv_rope(floats(&x, [tokens, hidden], device), weights, cache, inputs);
            let what = format!("{name}, {layer:?}, {tokens} tokens at {position}");
            assert_close(&read(got.clone()), &queries, 5e-5, &format!("queries of {what}"));
            assert_close(&read(attention(got, cache, shape)), &expected, 5e-5, &what);
        }
        position += tokens;
    }
}

#[test]
fn contexts_around_the_tiles() {
    check(SMALL, &[1, 1, 1]);
    check(SMALL, &[2, 3, 1, 4, 5]);
    check(SMALL, &[63, 1, 1, 63, 1, 1]);
    check(SMALL, &[127, 1, 1, 130, 1]);
    check(SMALL, &[300, 7, 1]);
}

#[test]
fn heads_of_any_width_and_grouping() {
    for (heads, kv_heads, head_dim) in
        [(1, 1, 2), (2, 2, 6), (4, 2, 10), (9, 3, 64), (3, 1, 80), (4, 1, 128), (2, 2, 256)]
    {
        check(Layer { heads, kv_heads, head_dim, ..SMALL }, &[5, 1, 2]);
    }
}

#[test]
fn biases_are_added_before_the_rotation() {
    check(Layer { bias: true, ..SMALL }, &[1, 4, 1]);
    check(Layer { bias: true, heads: 4, kv_heads: 2, kind: GgmlType::Q4_1, ..SMALL }, &[33, 1]);
}

#[test]
fn every_format_projects() {
    for kind in GgmlType::ALL {
        check(Layer { kind, hidden: 256, ..SMALL }, &[3, 1]);
    }
}

/// Scores so large that the exponential needs the running maximum, also from one span to the next.
#[test]
fn large_scores_do_not_overflow() {
    let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim: 4, position: 0 };
    let tokens = 140;
    let q: Vec<f32> = (0..tokens * 4).map(|at| if at % 2 == 0 { 400.0 } else { -300.0 }).collect();
    let x = vec![1.0; tokens];
    // One input feature, so that keys and values are the weights times the bias-free input.
    let one = |values: [f32; 4]| {
        let layout = crate::PackedLayout::new(GgmlType::F32, 4, 1).expect("any width");
        Packed { layout, words: values.map(f32::to_bits).to_vec() }
    };
    let [wq, wk, wv] = [one([1.0; 4]), one([90.0, -80.0, 70.0, 60.0]), one([0.5, -1.0, 2.0, 3.0])];
    for (name, device) in devices() {
        let weights = QkvWeights {
            norm: floats(&[1.0], [1], &device),
            q: wq.on(&device),
            k: wk.on(&device),
            v: wv.on(&device),
            bias: None,
        };
        let rope: Vec<f32> = (0..tokens).flat_map(|at| [if at == 130 { 1.5 } else { 1.0 }, 0.0, 1.0, 0.0]).collect();
        let rope = floats(&rope, [tokens, 4], &device);
        let mut cache = KvLayer::new(tokens, 1, 4, &device);
        let inputs = QkvInputs { rope: &rope, head_dim: 4, norm_eps: 0.0, position: 0 };
        qkv_rope(floats(&x, [tokens, 1], &device), &weights, &mut cache, inputs);
        let got = read(attention(floats(&q, [tokens, 1, 4], &device), &cache, shape));
        // Every value row is the same, so that any weights that add up to 1 give it.
        let expected: Vec<f32> = [0.5, -1.0, 2.0, 3.0].repeat(tokens);
        assert_close(&got, &expected, 1e-5, name);
    }
}
