use inshore_gguf::GgmlType;

use super::reference::{self, QkvSlices};
use crate::backends::{Packed, assert_close, devices, floats, random, read};
#[cfg(feature = "gpu")]
use crate::device::plan::GpuPlan;
use crate::flex::rounded_queries;
use crate::{AttentionShape, Heads, KvFormat, KvLayer, Position, QkvInputs, QkvShape, QkvWeights, attention, qkv_rope};

const EPS: f32 = 1e-5;
/// Scores here reach 300, where neighbouring f32 are 3e-5 apart; a weight is as far off as its score.
const OF_WEIGHTS: f32 = 1e-4;
/// The same over rounded keys, where a last bit of a query can become one of its 8191 units.
const OF_ROUNDED_WEIGHTS: f32 = 1e-2;

/// A layer's shape.
#[derive(Debug, Clone, Copy)]
struct Layer {
    kind: GgmlType,
    v_kind: GgmlType,
    hidden: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    bias: bool,
}

const SMALL: Layer = Layer {
    kind: GgmlType::Q8_0,
    v_kind: GgmlType::Q8_0,
    hidden: 64,
    heads: 3,
    kv_heads: 1,
    head_dim: 32,
    bias: false,
};

/// Projects, rotates, appends and attends in steps of `steps` tokens, on each backend and in plain Rust.
fn check(layer: Layer, steps: &[usize]) {
    check_as(KvFormat::F32, layer, steps);
    check_as(KvFormat::F16, layer, steps);
}

fn check_as(kv_format: KvFormat, layer: Layer, steps: &[usize]) {
    let Layer { kind, v_kind, hidden, heads, kv_heads, head_dim, bias } = layer;
    let capacity = steps.iter().sum::<usize>() + 1;
    let [q_rows, kv_rows] = [heads * head_dim, kv_heads * head_dim];
    let packed = [(q_rows, kind), (kv_rows, kind), (kv_rows, v_kind)];
    let packed = packed.map(|(rows, kind)| Packed::random(kind, rows, hidden, rows as u64 + 1));
    let [q, k, v] = &packed;
    let words = packed.iter().flat_map(|part| part.words.clone()).collect::<Vec<_>>();
    let norm = random(21, hidden);
    let biases = random(22, q_rows + 2 * kv_rows);
    let biases = bias.then_some(&biases[..]);
    let table: Vec<f32> =
        random(23, capacity * head_dim / 2).iter().flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()]).collect();

    let on_device = |(name, device)| {
        let layouts = [q.layout, k.layout, v.layout];
        let weights = QkvWeights::new(norm.clone(), layouts, words.clone(), biases, &device).expect("three matrices");
        let cache = KvLayer::new(capacity, kv_heads, head_dim, kv_format, &device);
        (name, weights, cache, floats(&table, [capacity, head_dim], &device), device)
    };
    let mut layers: Vec<_> = devices().into_iter().map(on_device).collect();
    let norm_and_biases = [&norm[..], biases.unwrap_or(&[])].concat();
    let [mut keys, mut values] = [(); 2].map(|()| vec![0.0; capacity * kv_rows]);
    let mut position = 0;
    for &tokens in steps {
        let x = random(position as u64 + 31, tokens * hidden);
        let [of_q, of_k, of_v] = [q, k, v].map(|matrix| matrix.layout);
        let (norm_eps, has_bias) = (EPS, bias);
        let shape = QkvShape { q: of_q, k: of_k, v: of_v, head_dim, norm_eps, has_bias, position, kv_format };
        let slices = QkvSlices { norm: &norm_and_biases, words: &words, rope: &table };
        let queries = reference::qkv_rope(&x, slices, [&mut keys, &mut values], &shape);
        let shape = AttentionShape { heads, kv_heads, head_dim, position, kv_format };
        for (name, weights, cache, rope, device) in &mut layers {
            let position = Position::new(position, device);
            let inputs = QkvInputs { rope, head_dim, norm_eps: EPS, position: &position };
            let got = qkv_rope(floats(&x, [tokens, hidden], device), weights, cache, inputs);
            let what = format!("{name}, {layer:?}, {tokens} tokens at {}", position.tokens());
            assert_close(&read(got.clone()), &queries, 5e-5, &format!("queries of {what}"));
            let kept = cache.kept(head_dim);
            let [kept_keys, kept_values] = &kept;
            assert_kept(kept_keys, &keys, kv_format, &format!("keys of {what}"));
            assert_kept(kept_values, &values, kv_format, &format!("values of {what}"));
            let rounds = kv_format != KvFormat::F32 && *name == "flex";
            let queries = if rounds { rounded_queries(&queries, head_dim) } else { queries.clone() };
            let expected = reference::attention(&queries, kept_keys, kept_values, &shape);
            let got = read(attention(got, cache, Heads { heads, kv_heads, head_dim }, &position));
            assert_close(&got, &expected, if rounds { OF_ROUNDED_WEIGHTS } else { OF_WEIGHTS }, &what);
        }
        position += tokens;
    }
}

/// Within the projections' tolerance, and half a unit of the format's last place, which on a CPU depends on the largest number.
#[track_caller]
fn assert_kept(got: &[f32], expected: &[f32], format: KvFormat, what: &str) {
    let largest = expected.iter().copied().fold(1.0, |largest, value| value.abs().max(largest));
    let half_a_unit = if format == KvFormat::F16 { largest / 16_382.0 + 1.0 / 2048.0 } else { 0.0 };
    assert_close(&got[..expected.len()], expected, 5e-5 + half_a_unit, what);
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
        [(1, 1, 2), (2, 2, 6), (4, 2, 10), (9, 3, 64), (3, 1, 80), (2, 1, 96), (2, 2, 112), (4, 1, 128), (2, 2, 256)]
    {
        check(Layer { heads, kv_heads, head_dim, ..SMALL }, &[5, 1, 2]);
    }
}

/// In decode cubes share the context: parts that are full, begun and empty, and heads that fill no vector.
#[cfg(feature = "gpu")]
#[test]
fn a_context_in_parts() {
    let forced = |context_parts| crate::backends::force(GpuPlan { context_parts, ..GpuPlan::FALLBACK });
    {
        let _forced = forced(3);
        check(SMALL, &[1, 126, 1, 1, 127, 1, 1, 300, 1, 1]);
        for (heads, kv_heads, head_dim) in [(9, 3, 64), (5, 1, 80)] {
            check_as(KvFormat::F16, Layer { heads, kv_heads, head_dim, ..SMALL }, &[383, 1, 1]);
        }
    }
    let _forced = forced(8);
    check_as(KvFormat::F16, SMALL, &[1030, 1]);
}

#[test]
fn biases_are_added_before_the_rotation() {
    check(Layer { bias: true, ..SMALL }, &[1, 4, 1]);
    check(Layer { bias: true, heads: 4, kv_heads: 2, kind: GgmlType::Q4_1, v_kind: GgmlType::Q4_1, ..SMALL }, &[33, 1]);
}

#[test]
fn every_format_projects() {
    for kind in GgmlType::ALL {
        check(Layer { kind, v_kind: kind, hidden: 256, ..SMALL }, &[3, 1]);
    }
}

/// As in files of K-quants, where V often has more bits than Q and K.
#[test]
fn formats_may_differ() {
    for (kind, v_kind, hidden) in [(GgmlType::Q4K, GgmlType::Q6K, 256), (GgmlType::Q4_0, GgmlType::F16, 64)] {
        check(Layer { kind, v_kind, hidden, ..SMALL }, &[3, 1, 40, 1]);
    }
}

#[test]
fn widths_that_are_no_whole_chunks() {
    for kind in [GgmlType::F32, GgmlType::F16, GgmlType::Bf16] {
        check(Layer { kind, v_kind: kind, hidden: 33, ..SMALL }, &[3, 1]);
        check(Layer { kind, v_kind: GgmlType::F32, hidden: 50, bias: true, ..SMALL }, &[1, 2]);
    }
}

/// More columns than a stage of the normalised input holds, and a width that leaves lanes idle.
#[test]
fn widths_around_the_stage() {
    for hidden in [32, 2048, 2080, 4128] {
        check(Layer { hidden, bias: true, ..SMALL }, &[1, 2]);
    }
}

/// Scores so large that the exponential needs the running maximum, also from one span to the next.
#[test]
fn large_scores_do_not_overflow() {
    let heads = Heads { heads: 1, kv_heads: 1, head_dim: 4 };
    let tokens = 140;
    let q: Vec<f32> = (0..tokens * 4).map(|at| if at % 2 == 0 { 400.0 } else { -300.0 }).collect();
    let x = vec![1.0; tokens];
    // One input feature, so that keys and values are the weights times the bias-free input.
    let layout = crate::PackedLayout::new(GgmlType::F32, 4, 1).expect("any width");
    let words = [[1.0f32; 4], [90.0, -80.0, 70.0, 60.0], [0.5, -1.0, 2.0, 3.0]];
    let words = words.as_flattened().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    for (name, device) in devices() {
        let weights = QkvWeights::new(vec![1.0], [layout; 3], words.clone(), None, &device).expect("three matrices");
        let rope: Vec<f32> = (0..tokens).flat_map(|at| [if at == 130 { 1.5 } else { 1.0 }, 0.0, 1.0, 0.0]).collect();
        let rope = floats(&rope, [tokens, 4], &device);
        let mut cache = KvLayer::new(tokens, 1, 4, KvFormat::F16, &device);
        let start = Position::new(0, &device);
        let inputs = QkvInputs { rope: &rope, head_dim: 4, norm_eps: 0.0, position: &start };
        qkv_rope(floats(&x, [tokens, 1], &device), &weights, &mut cache, inputs);
        let got = read(attention(floats(&q, [tokens, 1, 4], &device), &cache, heads, &start));
        // Every value row is the same, so that any weights that add up to 1 give it.
        let expected: Vec<f32> = [0.5, -1.0, 2.0, 3.0].repeat(tokens);
        // A CPU keeps 8191 parts of the largest.
        assert_close(&got, &expected, if name == "flex" { 2e-4 } else { 1e-5 }, name);
    }
}
