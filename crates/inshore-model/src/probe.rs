//! The probe: a few milliseconds of a model's real shapes on synthetic weights predict its speed, before any download.
//!
//! A forward pass costs `fixed + layers * layer + vocab * row`. Three small decoders tell the three terms: one without
//! layers, one without layers and with more words, one with layers.

use burn::tensor::{DType, Int, Tensor, TensorData};
use inshore_ops::{SampleParams, device::OpenDevice, sample};
use serde::Serialize;
use web_time::Instant;

use crate::ModelError;
use crate::cache::KvCache;
use crate::engine::read_words;
use crate::llama::Llama;
use crate::shape::ModelShape;
use crate::synthetic::Weights;

/// Layers of the measured decoder: several, so that its weights do not all stay in the nearest caches.
const LAYERS: usize = 4;
/// Words of the small and of the larger vocabulary.
const VOCABS: [usize; 2] = [512, 4096];
/// Tokens of the measured prefill.
const PREFILL_TOKENS: usize = 16;
/// Repetitions of each measurement, unless its time is up.
const REPETITIONS: usize = 8;
/// Time for the repetitions of one measurement at the speed of its fastest, in ms; the first two are always made.
const BUDGET_MS: f64 = 30.0;
/// Time for further passes where one was held up, in ms, and how many times more they may be.
const HELD_UP_BUDGET_MS: f64 = 400.0;
const HELD_UP_REPETITIONS: usize = 3;
/// A pass that took longer than this many of the fastest was held up: by a scheduler that gives this process a share of
/// a core, by other work, by a hot device. Compiling a function anew costs less.
const HELD_UP: f64 = 4.0;
/// Memory of code, activations and buffers beside weights and cache, in bytes.
const OVERHEAD_BYTES: u64 = 48 << 20;

/// What a device is predicted to do with a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Prompt tokens per second.
    pub prefill_tps: f64,
    /// Generated tokens per second.
    pub decode_tps: f64,
    /// Time of one token that does not depend on the model's size (dispatch, sampling, readback), in ms.
    pub fixed_ms: f64,
    /// Weight bytes read per second while decoding.
    pub weight_bytes_per_s: f64,
    /// Memory of weights, cache and everything else, in bytes.
    pub memory_bytes: u64,
    /// What the probe took, in ms.
    pub probe_ms: f64,
}

/// Measures `device` with synthetic weights of `shape`.
///
/// # Errors
/// [`ModelError`] for shapes that make no sense and devices that fail.
pub async fn probe(device: &OpenDevice, shape: &ModelShape, context_tokens: usize) -> Result<Probe, ModelError> {
    let started = Instant::now();
    shape.check()?;
    let mut weights = Weights::new(shape, &device.device);
    let capacity = PREFILL_TOKENS;
    let [few, many] = VOCABS.map(|vocab| vocab.min(shape.vocab));
    let mut empty = Rig::new(weights.llama(0, few, capacity)?, capacity, device);
    let mut wordy = Rig::new(weights.llama(0, many, capacity)?, capacity, device);
    let mut layered = Rig::new(weights.llama(LAYERS, few, capacity)?, capacity, device);

    let fixed_ms = empty.typical_ms(1).await?;
    let row_ms = match many - few {
        0 => 0.0,
        rows => (wordy.typical_ms(1).await? - fixed_ms).max(0.0) / rows as f64,
    };
    let per_layer_ms = |layered_ms: f64| (layered_ms - fixed_ms).max(1e-6) / LAYERS as f64;
    let decode_layer_ms = per_layer_ms(layered.typical_ms(1).await?);
    let prefill_layer_ms = per_layer_ms(layered.typical_ms(PREFILL_TOKENS).await?);

    let head_ms = fixed_ms + row_ms * (shape.vocab - few) as f64;
    let decode_ms = head_ms + decode_layer_ms * shape.layers as f64;
    let prefill_ms = head_ms + prefill_layer_ms * shape.layers as f64;
    let weight_bytes = shape.weight_bytes();
    Ok(Probe {
        prefill_tps: PREFILL_TOKENS as f64 * 1e3 / prefill_ms,
        decode_tps: 1e3 / decode_ms,
        fixed_ms,
        weight_bytes_per_s: weight_bytes as f64 * 1e3 / decode_ms,
        memory_bytes: weight_bytes + shape.kv_bytes(context_tokens.min(shape.train_context_tokens)) + OVERHEAD_BYTES,
        probe_ms: started.elapsed().as_secs_f64() * 1e3,
    })
}

/// A small decoder with its cache, to be timed.
struct Rig<'a> {
    model: Llama,
    cache: KvCache,
    device: &'a OpenDevice,
}

impl<'a> Rig<'a> {
    fn new(model: Llama, capacity: usize, device: &'a OpenDevice) -> Self {
        let cache = KvCache::new(&model.config, capacity, &device.device);
        Self { model, cache, device }
    }

    /// What a forward pass of `tokens` tokens takes, in ms, after one that compiles kernels and does not count.
    async fn typical_ms(&mut self, tokens: usize) -> Result<f64, ModelError> {
        self.pass_ms(tokens).await?;
        let mut times_ms = Vec::with_capacity(HELD_UP_REPETITIONS * REPETITIONS);
        while !is_enough(&times_ms) {
            times_ms.push(self.pass_ms(tokens).await?);
        }
        Ok(typical(&times_ms))
    }

    /// One forward pass with its sampling and its one readback.
    async fn pass_ms(&mut self, tokens: usize) -> Result<f64, ModelError> {
        let device = &self.device.device;
        let ints = |words: Vec<u32>| {
            let len = words.len();
            Tensor::<1, Int>::from_data(TensorData::new(words, [len]), (device, DType::U32))
        };
        let (ids, no_history) = (ints((1..=tokens as u32).collect()), ints(vec![0, 0]));
        self.cache.clear();
        let started = Instant::now();
        let logits = self.model.forward(ids, tokens, &mut self.cache);
        read_words(sample(logits, no_history, SampleParams::greedy())).await?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    }
}

/// Whether passes that took `times_ms` tell what one takes.
fn is_enough(times_ms: &[f64]) -> bool {
    let passes = times_ms.len();
    if passes < 2 {
        return false;
    }
    if held_up(times_ms) {
        return passes >= HELD_UP_REPETITIONS * REPETITIONS || times_ms.iter().sum::<f64>() >= HELD_UP_BUDGET_MS;
    }
    passes >= REPETITIONS || fastest(times_ms) * passes as f64 >= BUDGET_MS
}

/// The fastest of `times_ms`, as browsers compile a module's hot functions anew while it runs. Where one was held up, the
/// mean of the later half: a process that gets 5 ms of every 100 ms runs most short passes at full speed.
fn typical(times_ms: &[f64]) -> f64 {
    if !held_up(times_ms) {
        return fastest(times_ms);
    }
    let later = &times_ms[times_ms.len() / 2..];
    later.iter().sum::<f64>() / later.len() as f64
}

fn held_up(times_ms: &[f64]) -> bool {
    times_ms.iter().any(|&time_ms| time_ms > HELD_UP * fastest(times_ms))
}

fn fastest(times_ms: &[f64]) -> f64 {
    times_ms.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(layers: usize, vocab: usize) -> ModelShape {
        ModelShape {
            layers,
            hidden: 256,
            intermediate: 512,
            heads: 4,
            kv_heads: 2,
            head_dim: 64,
            vocab,
            train_context_tokens: 2048,
            quantisation: "Q4_0".to_owned(),
        }
    }

    #[test]
    fn more_layers_are_slower_and_heavier() {
        let device = OpenDevice::cpu();
        let run = |layers| pollster::block_on(probe(&device, &shape(layers, 8192), 2048)).unwrap();
        let (small, large) = (run(2), run(200));
        assert!(small.decode_tps > large.decode_tps && small.prefill_tps > large.prefill_tps);
        assert!(small.memory_bytes < large.memory_bytes);
        assert!(large.decode_tps > 0.0 && large.fixed_ms > 0.0 && large.probe_ms > 0.0);
    }

    #[test]
    fn a_device_that_stands_still_most_of_the_time_is_slow() {
        assert_eq!(typical(&[3.0, 1.0, 1.1, 2.0, 1.5]), 1.0);
        // 5 ms of every 100 ms: three passes at full speed, one with the pause in it, over and over.
        let paused = [1.25, 1.25, 96.25, 1.25].repeat(2);
        assert_eq!(typical(&paused), 25.0);
        assert!(!is_enough(&paused) && is_enough(&paused.repeat(3)));
        assert!(!is_enough(&[1.0]) && is_enough(&[20.0, 20.0]) && is_enough(&[1.0; REPETITIONS]));
    }

    #[test]
    fn odd_shapes_are_refused_or_measured() {
        let device = OpenDevice::cpu();
        let run = |shape: ModelShape| pollster::block_on(probe(&device, &shape, 64));
        assert!(run(shape(1, 1)).is_ok());
        assert!(run(ModelShape { hidden: 100, ..shape(1, 64) }).is_err());
        assert!(run(ModelShape { kv_heads: 3, ..shape(1, 64) }).is_err());
        assert!(run(ModelShape { layers: usize::MAX, ..shape(1, 64) }).is_err());
    }
}
