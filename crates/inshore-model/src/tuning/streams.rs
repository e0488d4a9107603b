//! From how many places a browser's CPU reads a matrix: what its prefetchers like is not to be asked, only measured.

use burn::tensor::{DType, Tensor};
use inshore_ops::device::OpenDevice;
use inshore_ops::{WeightStreams, gated_mlp};
use web_time::Instant;

use crate::llama::Llama;

/// Weights that a measurement goes through: more than caches hold.
const WORDS: usize = 8 << 20;
/// Measurements of each, of which the least counts: a wrong choice costs some speed, no result.
const REPETITIONS: usize = 5;
const CANDIDATES: [WeightStreams; 2] = [WeightStreams::One, WeightStreams::Four];

/// Chooses by the model's own layers, for this model alone; a few tens of milliseconds. A GPU has no streams, nor has a matrix that
/// is not in panels.
pub fn tune_streams(model: &mut Llama, device: &OpenDevice) {
    let (None, Some(first)) = (device.gpu_traits(), model.layers.first()) else { return };
    if !first.gate_proj.layout().panels {
        return;
    }
    let x = Tensor::<2>::ones([1, model.config.hidden_size], (&device.device, DType::F32));
    let words = first.gate_proj.layout().words() + first.up_proj.layout().words();
    let count = model.layers.len().min(WORDS.div_ceil(words.max(1)));
    let pass = |model: &Llama| {
        for layer in &model.layers[..count] {
            let norm = &layer.post_attention_layernorm;
            drop(gated_mlp(x.clone(), norm, model.config.rms_norm_eps, &layer.gate_proj, &layer.up_proj));
        }
    };
    let mut least_ms = [f64::INFINITY; 2];
    for _ in 0..REPETITIONS {
        for (streams, least_ms) in CANDIDATES.into_iter().zip(&mut least_ms) {
            model.set_streams(streams);
            let started = Instant::now();
            pass(model);
            *least_ms = least_ms.min(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [one_ms, four_ms] = least_ms;
    model.set_streams(if one_ms < four_ms { WeightStreams::One } else { WeightStreams::Four });
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::{Engine, LoadOptions, testing::tiny_llama};

    /// Nothing that is measured for one model is a setting of the process.
    #[test]
    fn what_is_chosen_for_a_model_is_that_models() {
        let load = |seed| {
            let file = tiny_llama(seed);
            let load = Engine::load(&file, OpenDevice::cpu(), LoadOptions::default(), |_| {});
            pollster::block_on(load).expect("it loads").model
        };
        let streams = |model: &Llama| model.layers[1].down_proj.layout().streams;
        let (mut one, mut other) = (load(1), load(2));
        one.set_streams(WeightStreams::One);
        assert_eq!((streams(&one), streams(&other)), (WeightStreams::One, WeightStreams::Four));
        other.set_streams(WeightStreams::One);
        tune_streams(&mut one, &OpenDevice::cpu());
        assert_eq!(streams(&other), WeightStreams::One);
        let all = |model: &Llama| {
            let layers = model.layers.iter().flat_map(|layer| [&layer.o_proj, &layer.gate_proj, &layer.up_proj]);
            layers
                .chain([&model.embed_tokens, &model.lm_head])
                .map(|matrix| matrix.layout().streams)
                .collect::<Vec<_>>()
        };
        assert!(all(&one).iter().all(|chosen| *chosen == streams(&one)), "one choice for the whole model");
    }
}
