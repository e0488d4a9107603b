//! From how many places a browser's CPU reads a matrix: what its prefetchers like is not to be asked, only measured.

use burn::tensor::{DType, Tensor};
use inshore_ops::device::OpenDevice;
use inshore_ops::{Readers, gated_mlp, use_readers};
use web_time::Instant;

use crate::llama::Llama;

/// Weights that a measurement goes through: more than caches hold.
const WORDS: usize = 8 << 20;
/// Measurements of each, of which the least counts: a wrong choice costs some speed, no result.
const REPETITIONS: usize = 5;
const CANDIDATES: [Readers; 2] = [Readers::One, Readers::Four];

/// Chooses by the model's own layers; a few tens of milliseconds. A GPU has no readers, nor has a matrix that is not in panels.
pub fn settle_readers(model: &Llama, device: &OpenDevice) {
    let (None, Some(first)) = (device.gpu_traits(), model.layers.first()) else { return };
    if !first.gate_proj.layout().panels {
        return;
    }
    let norm = &first.post_attention_layernorm;
    let x = Tensor::<2>::ones([1, model.config.hidden_size], (&device.device, DType::F32));
    let words = first.gate_proj.layout().words() + first.up_proj.layout().words();
    let layers = &model.layers[..model.layers.len().min(WORDS.div_ceil(words.max(1)))];
    let pass = || {
        for layer in layers {
            drop(gated_mlp(x.clone(), norm, model.config.rms_norm_eps, &layer.gate_proj, &layer.up_proj));
        }
    };
    let mut least_ms = [f64::INFINITY; 2];
    for _ in 0..REPETITIONS {
        for (readers, least_ms) in CANDIDATES.into_iter().zip(&mut least_ms) {
            use_readers(readers);
            let started = Instant::now();
            pass();
            *least_ms = least_ms.min(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [one_ms, four_ms] = least_ms;
    use_readers(if one_ms < four_ms { Readers::One } else { Readers::Four });
}
