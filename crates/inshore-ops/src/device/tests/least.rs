//! A GPU with no more than every WebGPU device has: 16 KiB of workgroup memory, 256 units, eight buffers of 128 MiB for a
//! kernel and no features. What a kernel asks for beyond that, the runtime refuses.

use burn::tensor::Device;
use inshore_gguf::GgmlType;
use inshore_gguf::testing::block_on;

use super::super::{DeviceChoice, GpuPlan, GpuTraits, OpenDevice, plan::GemmTile};
use crate::backends::{Packed, assert_close, floats, random, read, words};
use crate::sample::reference::noise_key;
use crate::{
    Heads, KvFormat, KvLayer, Position, QkvInputs, QkvWeights, SampleParams, attention, embed, gated_mlp, linear_add,
    logits, qkv_rope, sample,
};

const EPS: f32 = 1e-5;
/// Sums of a few hundred products in another order, and the CPU's rounding of none: matrices are not in panels.
const TOLERANCE: f32 = 2e-4;

fn least() -> OpenDevice {
    block_on(OpenDevice::open(DeviceChoice::LeastGpu)).expect("a GPU, if only one in software; install a Vulkan driver")
}

#[test]
fn it_has_what_was_asked_for_and_a_plan_that_fits() {
    let opened = least();
    let traits = opened.gpu_traits().expect("a GPU");
    let has = GpuTraits { software: false, plane_units: [0, 0], ..traits.clone() };
    assert_eq!(has, GpuTraits::LEAST);
    assert!(opened.plan().expect("a plan").fits(traits));
    let wide = GpuPlan { gemm: GemmTile { rows: 128, tokens: 32 }, ..GpuPlan::FALLBACK };
    assert!(opened.use_plan(wide).is_err(), "23 KiB");
}

/// A tile that needs more memory than there is gives an error to whoever reads, and the device goes on: so a candidate
/// that fails costs a tuning run nothing else.
#[test]
fn a_kernel_that_asks_for_too_much_is_refused_and_the_next_one_runs() {
    let opened = least();
    let weight = Packed::random(GgmlType::Q4_1, 130, 96, 5);
    let multiply = || {
        let x = floats(&random(7, 40 * 96), [40, 96], &opened.device);
        let residual = floats(&random(8, 40 * 130), [40, 130], &opened.device);
        linear_add(x, &weight.on(&opened.device), residual)
    };
    let expected = read(multiply());
    let wide = GpuPlan { gemm: GemmTile { rows: 128, tokens: 64 }, ..GpuPlan::FALLBACK };
    opened.gpu.as_ref().expect("a GPU").use_plan(wide);
    assert!(block_on(multiply().into_data_async()).is_err(), "44 KiB");
    opened.use_plan(GpuPlan::FALLBACK).expect("the fallback fits");
    assert_close(&read(multiply()), &expected, 0.0, "after the refusal");
}

/// Values of some operations on a device.
fn outputs(device: &Device, head_dim: usize, tokens: usize) -> [Vec<f32>; 3] {
    let (heads, kv_heads, hidden) = (2, 1, 96);
    let capacity = tokens + 70;
    let rows = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim];
    let packed = rows.map(|rows| Packed::random(GgmlType::Q8_0, rows, hidden, rows as u64));
    let all = packed.iter().flat_map(|part| part.words.clone()).collect();
    let layouts = packed.each_ref().map(|part| part.layout);
    let biases = random(22, rows.iter().sum());
    let weights = QkvWeights::new(random(21, hidden), layouts, all, Some(&biases), device).expect("three matrices");
    // Unrounded: two devices may round a number near a tie to different neighbours.
    let mut cache = KvLayer::new(capacity, kv_heads, head_dim, KvFormat::F32, device);
    let rope: Vec<f32> = random(23, capacity * head_dim / 2).iter().flat_map(|a| [a.cos(), a.sin()]).collect();
    let rope = floats(&rope, [capacity, head_dim], device);
    let mut attended = Vec::new();
    for (position, count) in [(0, 66), (66, tokens)] {
        let position = Position::new(position, device);
        let x = floats(&random(3, count * hidden), [count, hidden], device);
        let inputs = QkvInputs { rope: &rope, head_dim, norm_eps: EPS, position: &position };
        let q = qkv_rope(x, &weights, &mut cache, inputs);
        attended = read(attention(q, &cache, Heads { heads, kv_heads, head_dim }, &position));
    }
    let [gate, up, down] = [(200, hidden), (200, hidden), (hidden, 192)]
        .map(|(rows, cols)| Packed::random(GgmlType::Q4_1, rows, cols, rows as u64).on(device));
    let x = floats(&random(4, tokens * hidden), [tokens, hidden], device);
    let norm = floats(&random(5, hidden), [hidden], device);
    let gated = read(gated_mlp(x.clone(), &norm, EPS, &gate, &up));
    let wide = floats(&random(6, tokens * 192), [tokens, 192], device);
    let added = read(linear_add(wide, &down, x));
    [attended, gated, added]
}

#[test]
fn every_kernel_runs_on_it_at_every_head_size() {
    let (least, cpu) = (least(), OpenDevice::cpu());
    for head_dim in [64, 80, 96, 112, 128, 160, 192, 256] {
        for tokens in [1, 37] {
            let got = outputs(&least.device, head_dim, tokens);
            let expected = outputs(&cpu.device, head_dim, tokens);
            for (what, (got, expected)) in
                ["attention", "gated_mlp", "linear_add"].iter().zip(got.iter().zip(&expected))
            {
                assert_close(got, expected, TOLERANCE, &format!("{what}, heads of {head_dim}, {tokens} tokens"));
            }
        }
    }
}

#[test]
fn embedding_logits_and_every_filter_of_sampling_run_on_it() {
    let table = Packed::random(GgmlType::Q6K, 333, 256, 1);
    let params = SampleParams {
        temperature: 0.7,
        top_k: 40,
        top_p: 0.9,
        min_p: 0.02,
        repetition_penalty: 1.1,
        top_logprobs: 20,
        ..SampleParams::greedy()
    };
    let of = |device: &Device| {
        let x = embed(words(&[5, 7, 332], device), 3, &table.on(device));
        let scores = logits(x.clone(), &floats(&random(2, 256), [256], device), EPS, &table.on(device));
        let drawn = sample(scores.clone(), words(&[9, 2, noise_key(params.seed, params.step)], device), params);
        let id = drawn.into_data().try_to_vec::<u32>().expect("words")[0];
        (read(x), read(scores), id)
    };
    let (got, expected) = (of(&least().device), of(&OpenDevice::cpu().device));
    assert_close(&got.0, &expected.0, TOLERANCE, "embed");
    assert_close(&got.1, &expected.1, TOLERANCE, "logits");
    assert_eq!(got.2, expected.2, "the token");
}
