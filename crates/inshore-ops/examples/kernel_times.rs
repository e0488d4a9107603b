//! Times every operation at the shapes of SmolLM2-135M, and attention over caches of both formats:
//! `cargo run --release --example kernel_times -- gpu|cpu [tokens [plan]]`.

use std::error::Error;
use std::time::Instant;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use inshore_gguf::GgmlType;
use inshore_gguf::testing::block_on;
use inshore_ops::device::{DeviceChoice, OpenDevice};
use inshore_ops::{
    Heads, KvFormat, KvLayer, PackedLayout, PackedMatrix, Position, QkvInputs, QkvWeights, SampleParams, attention,
    embed, gated_mlp, linear_add, logits, qkv_rope, sample,
};

const HIDDEN: usize = 576;
const HEADS: usize = 9;
const KV_HEADS: usize = 3;
const HEAD_DIM: usize = 64;
const INTERMEDIATE: usize = 1536;
const VOCAB: usize = 49152;
const CAPACITY: usize = 4224;
/// Layers whose caches are read in turn, so that none is in the CPU's own.
const LAYERS: usize = 30;
const EPS: f32 = 1e-5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let choice = if args.next().as_deref() == Some("cpu") { DeviceChoice::Cpu } else { DeviceChoice::Gpu };
    let prefill = args.next().map_or(Ok(94), |tokens| tokens.parse())?;
    let opened = block_on(OpenDevice::open(choice))?;
    if let Some(plan) = args.next() {
        opened.use_plan(plan.parse()?)?;
    }
    let plan = opened.plan().map_or_else(String::new, |plan| format!(", {plan}"));
    println!("{}{plan}", opened.name);
    for (tokens, position) in [(1, 1000), (prefill, 0)] {
        time_operations(&opened.device, tokens, position)?;
    }
    for (tokens, position) in [(1, 64), (1, 250), (1, 1000), (1, 4000), (prefill, 0), (prefill, 1000), (prefill, 4000)]
    {
        time_attention(&opened.device, tokens, position);
    }
    Ok(())
}

fn time_operations(device: &Device, tokens: usize, position: usize) -> Result<(), Box<dyn Error>> {
    let matrix = |kind, rows, cols| -> Result<PackedMatrix, Box<dyn Error>> {
        let layout = PackedLayout::new(kind, rows, cols)?;
        Ok(PackedMatrix::new(layout, words(layout.words()), device)?)
    };
    let q4 = |rows, cols| matrix(GgmlType::Q4_1, rows, cols);
    let x = Tensor::<2>::ones([tokens, HIDDEN], (device, DType::F32));
    let wide = Tensor::<2>::ones([tokens, INTERMEDIATE], (device, DType::F32));
    let norm = Tensor::<1>::ones([HIDDEN], (device, DType::F32));
    let rope = Tensor::<2>::ones([CAPACITY, HEAD_DIM], (device, DType::F32));
    let ids = vec![7u32; tokens];
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [tokens]), (device, DType::U32));
    let history = Tensor::<1, Int>::from_data(TensorData::new(vec![1u32, 1, 7], [3]), (device, DType::U32));
    let mut cache = KvLayer::new(CAPACITY, KV_HEADS, HEAD_DIM, KvFormat::default(), device);
    let kv_rows = KV_HEADS * HEAD_DIM;
    let layout = |rows| PackedLayout::new(GgmlType::Q4_1, rows, HIDDEN);
    let layouts = [layout(HIDDEN)?, layout(kv_rows)?, layout(kv_rows)?];
    let all = words(layouts.iter().map(PackedLayout::words).sum());
    let qkv = QkvWeights::new(vec![1.0; HIDDEN], layouts, all, None, device)?;
    let (out, gate, up) = (q4(HIDDEN, HIDDEN)?, q4(INTERMEDIATE, HIDDEN)?, q4(INTERMEDIATE, HIDDEN)?);
    let (down, table) = (q4(HIDDEN, INTERMEDIATE)?, matrix(GgmlType::Q8_0, VOCAB, HIDDEN)?);
    let q = Tensor::<3>::ones([tokens, HEADS, HEAD_DIM], (device, DType::F32));
    let heads = Heads { heads: HEADS, kv_heads: KV_HEADS, head_dim: HEAD_DIM };
    let place = Position::new(position, device);
    let scores: Vec<_> = words(VOCAB).iter().map(|word| (word % 4096) as f32 / 128.0 - 20.0).collect();
    let scores = Tensor::<1>::from_data(TensorData::new(scores, [VOCAB]), (device, DType::F32));
    let chat = SampleParams { temperature: 0.7, top_p: 0.95, ..SampleParams::greedy() };
    let warm = SampleParams { temperature: 0.8, top_k: 40, top_p: 0.9, min_p: 0.05, ..SampleParams::greedy() };

    println!("{tokens} token(s) at position {position}, microseconds:");
    time("embed", 20, || embed(ids.clone(), tokens, &table));
    let inputs = QkvInputs { rope: &rope, head_dim: HEAD_DIM, norm_eps: EPS, position: &place };
    time("qkv_rope", 20, || qkv_rope(x.clone(), &qkv, &mut cache, inputs));
    time("attention", 20, || attention(q.clone(), &cache, heads, &place));
    time("linear_add 576 x 576", 20, || linear_add(x.clone(), &out, x.clone()));
    time("gated_mlp 2 x 1536 x 576", 20, || gated_mlp(x.clone(), &norm, EPS, &gate, &up));
    time("linear_add 576 x 1536", 20, || linear_add(wide.clone(), &down, x.clone()));
    time("logits 49152 x 576 (Q8_0)", 5, || logits(x.clone(), &norm, EPS, &table));
    time("sample, greedy", 5, || sample(scores.clone(), history.clone(), SampleParams::greedy()).float());
    time("sample, as in a chat", 5, || sample(scores.clone(), history.clone(), chat).float());
    time("sample, all filters", 5, || sample(scores.clone(), history.clone(), warm).float());
    Ok(())
}

/// Attention of one layer, over caches of each format.
fn time_attention(device: &Device, tokens: usize, position: usize) {
    let heads = Heads { heads: HEADS, kv_heads: KV_HEADS, head_dim: HEAD_DIM };
    let q = Tensor::<3>::ones([tokens, HEADS, HEAD_DIM], (device, DType::F32));
    let place = Position::new(position, device);
    println!("attention of {tokens} token(s) at position {position}, microseconds:");
    let formats = [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0];
    let on_gpu = *device != Device::flex();
    for format in formats.into_iter().filter(|&format| !on_gpu || format != KvFormat::Q8_0) {
        let cache = |_| KvLayer::new(CAPACITY, KV_HEADS, HEAD_DIM, format, device);
        let caches: Vec<_> = (0..LAYERS).map(cache).collect();
        let mut layers = caches.iter().cycle();
        let runs = if tokens == 1 { 2 * LAYERS } else { LAYERS / 3 };
        time(format.name(), runs as u32, || attention(q.clone(), layers.next().expect("a layer"), heads, &place));
    }
}

/// Any bits are weights; these make scales of about 1.
fn words(count: usize) -> Vec<u32> {
    (0..count as u32).map(|at| at.wrapping_mul(0x9E37_79B9) & 0xFCFF_FCFF & 0x3FFF_3FFF).collect()
}

/// Least mean of three times `runs` runs, after two that compile; one read at the end waits for all of them.
fn time<const D: usize>(name: &str, runs: u32, mut run: impl FnMut() -> Tensor<D>) {
    // Looking at the bytes is what waits: reads are lazy.
    let wait = |tensor: Tensor<D>| assert!(!tensor.into_data().as_bytes().is_empty());
    wait(run());
    wait(run());
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        for _ in 1..runs {
            drop(run());
        }
        wait(run());
        least = least.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(runs));
    }
    println!("  {name:<28}{least:>10.0}");
}
