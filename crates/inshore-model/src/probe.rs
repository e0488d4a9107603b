//! The probe: a few milliseconds of a model's real shapes on synthetic weights predict its speed, before any download.
//!
//! A forward pass costs `fixed + layers * layer + vocab * row`. Three small decoders tell the three terms: one without
//! layers, one without layers and with more words, one with layers.

use burn::tensor::{DType, Int, Tensor, TensorData};
use inshore_ops::{KvFormat, SampleParams, device::OpenDevice, sample};
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
/// A pass was held up if it took this many times the fastest, and this much longer, in ms: by a scheduler that gives the
/// process a share of a core, by other work. Compiling a function anew costs less.
const HELD_UP: f64 = 4.0;
const HELD_UP_MS: f64 = 20.0;
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

/// Measures `device` with synthetic weights of `shape`, for a context of `context_tokens` kept in `kv_format`.
///
/// # Errors
/// [`ModelError`] for shapes that make no sense and devices that fail.
pub async fn probe(
    device: &OpenDevice,
    shape: &ModelShape,
    context_tokens: usize,
    kv_format: KvFormat,
) -> Result<Probe, ModelError> {
    let started = Instant::now();
    shape.check()?;
    let kv_format = KvCache::format_on(kv_format, device)?.format;
    let mut weights = Weights::new(shape, device);
    let capacity = PREFILL_TOKENS;
    let [few, many] = VOCABS.map(|vocab| vocab.min(shape.vocab));
    let rig =
        |model: Llama| Rig { cache: KvCache::new(&model.config, capacity, kv_format, &device.device), model, device };
    let mut empty = rig(weights.llama(0, few, capacity)?);
    let mut wordy = rig(weights.llama(0, many, capacity)?);
    let mut layered = rig(weights.llama(LAYERS, few, capacity)?);

    let decode = [empty.passes(1).await?, wordy.passes(1).await?, layered.passes(1).await?];
    let prefill = layered.passes(PREFILL_TOKENS).await?;

    let [fixed_ms, wordy_ms, layered_ms] = decode.each_ref().map(Passes::fastest_ms);
    let row_ms = (wordy_ms - fixed_ms).max(0.0) / (many - few).max(1) as f64;
    let per_layer_ms = |layered_ms: f64| (layered_ms - fixed_ms).max(1e-6) / LAYERS as f64;
    let head_ms = fixed_ms + row_ms * (shape.vocab - few) as f64;
    let stretch = stretch(&decode);
    let decode_ms = stretch * (head_ms + per_layer_ms(layered_ms) * shape.layers as f64);
    // Passes so long have their pauses in them.
    let prefill_ms = stretch * head_ms + per_layer_ms(prefill.usual_ms()) * shape.layers as f64;
    let weight_bytes = shape.weight_bytes();
    let kv_bytes = shape.kv_bytes(context_tokens.min(shape.train_context_tokens), kv_format, &device.device);
    Ok(Probe {
        prefill_tps: PREFILL_TOKENS as f64 * 1e3 / prefill_ms,
        decode_tps: 1e3 / decode_ms,
        fixed_ms,
        weight_bytes_per_s: weight_bytes as f64 * 1e3 / decode_ms,
        memory_bytes: weight_bytes.saturating_add(kv_bytes).saturating_add(OVERHEAD_BYTES),
        probe_ms: started.elapsed().as_secs_f64() * 1e3,
    })
}

/// A small decoder with its cache, to be timed.
struct Rig<'a> {
    model: Llama,
    cache: KvCache,
    device: &'a OpenDevice,
}

impl Rig<'_> {
    /// Forward passes of `tokens` tokens, after one that compiles kernels and does not count.
    async fn passes(&mut self, tokens: usize) -> Result<Passes, ModelError> {
        self.pass_ms(tokens).await?;
        let mut passes = Passes(Vec::with_capacity(HELD_UP_REPETITIONS * REPETITIONS));
        while !passes.are_enough() {
            passes.0.push(self.pass_ms(tokens).await?);
        }
        Ok(passes)
    }

    /// One forward pass with its sampling and its one readback.
    async fn pass_ms(&mut self, tokens: usize) -> Result<f64, ModelError> {
        let device = &self.device.device;
        let ints = |words: Vec<u32>| {
            let len = words.len();
            Tensor::<1, Int>::from_data(TensorData::new(words, [len]), (device, DType::U32))
        };
        let ids: Vec<_> = (1..=tokens as u32).collect();
        let (input, no_history) = (ints(ids.clone()), ints(vec![0, 0, 0]));
        self.cache.clear();
        let started = Instant::now();
        let logits = self.model.forward(input, &ids, &mut self.cache);
        read_words(sample(logits, no_history, SampleParams::greedy())).await?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    }
}

/// What each of several equal passes took, in ms.
#[derive(Debug)]
struct Passes(Vec<f64>);

impl Passes {
    /// What one takes where nothing holds it up. The fastest, as browsers compile hot functions anew while they run.
    fn fastest_ms(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn total_ms(&self) -> f64 {
        self.0.iter().sum()
    }

    /// Time in which passes were held up.
    fn held_up_ms(&self) -> f64 {
        let fastest_ms = self.fastest_ms();
        let held_up = |&&time_ms: &&f64| time_ms > (HELD_UP * fastest_ms).max(fastest_ms + HELD_UP_MS);
        self.0.iter().filter(held_up).map(|time_ms| time_ms - fastest_ms).sum()
    }

    /// The fastest; the mean where one was held up.
    fn usual_ms(&self) -> f64 {
        if self.held_up_ms() > 0.0 { self.total_ms() / self.0.len() as f64 } else { self.fastest_ms() }
    }

    /// Whether they tell what one takes.
    fn are_enough(&self) -> bool {
        let passes = self.0.len();
        if passes < 2 {
            return false;
        }
        if self.held_up_ms() > 0.0 {
            return passes >= HELD_UP_REPETITIONS * REPETITIONS || self.total_ms() >= HELD_UP_BUDGET_MS;
        }
        passes >= REPETITIONS || self.fastest_ms() * passes as f64 >= BUDGET_MS
    }
}

/// Time that goes by for each unit of time that the device computes: a process that gets 5 ms of every 100 ms runs most
/// short passes at full speed, so their times alone say nothing.
fn stretch(measurements: &[Passes]) -> f64 {
    let total_ms: f64 = measurements.iter().map(Passes::total_ms).sum();
    let held_up_ms: f64 = measurements.iter().map(Passes::held_up_ms).sum();
    if held_up_ms > 0.0 { total_ms / (total_ms - held_up_ms) } else { 1.0 }
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
        let run = |layers| pollster::block_on(probe(&device, &shape(layers, 8192), 2048, KvFormat::F16)).unwrap();
        let (small, large) = (run(2), run(200));
        assert!(small.decode_tps > large.decode_tps && small.prefill_tps > large.prefill_tps);
        assert!(small.memory_bytes < large.memory_bytes);
        assert!(large.decode_tps > 0.0 && large.fixed_ms > 0.0 && large.probe_ms > 0.0);
    }

    #[test]
    fn a_device_that_stands_still_most_of_the_time_is_slow() {
        let steady = Passes(vec![12.0, 1.0, 1.1, 2.0, 1.5]);
        assert_eq!((steady.usual_ms(), stretch(&[steady])), (1.0, 1.0));
        // 5 ms of every 100 ms: three passes at full speed, one with the pause in it, over and over.
        let paused = || Passes([1.25, 1.25, 96.25, 1.25].repeat(2));
        assert!((stretch(&[paused(), Passes(vec![0.1; 8])]) - 20.0).abs() < 2.0);
        assert_eq!(paused().usual_ms(), 25.0);
        assert!(!paused().are_enough() && Passes([1.25, 1.25, 96.25, 1.25].repeat(6)).are_enough());
        assert!(!Passes(vec![1.0]).are_enough() && Passes(vec![20.0; 2]).are_enough());
        assert!(Passes(vec![1.0; REPETITIONS]).are_enough());
    }

    #[test]
    fn odd_shapes_are_refused_or_measured() {
        let device = OpenDevice::cpu();
        let run = |shape: ModelShape| pollster::block_on(probe(&device, &shape, 64, KvFormat::F16));
        assert!(run(shape(1, 1)).is_ok());
        assert!(run(ModelShape { hidden: 100, ..shape(1, 64) }).is_err());
        assert!(run(ModelShape { kv_heads: 3, ..shape(1, 64) }).is_err());
        assert!(run(ModelShape { layers: usize::MAX, ..shape(1, 64) }).is_err());
    }
}
