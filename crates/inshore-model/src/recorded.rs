//! The decode step, recorded: from its second token on, an answer on a GPU costs the host no more than the commands themselves.

use burn::tensor::{Int, Tensor};
use inshore_ops::device::OpenDevice;
use inshore_ops::sample::reference::noise_key;
use inshore_ops::{Position, Recording, SampleParams, WarmUp, rewrite, sample};

use crate::cache::KvCache;
use crate::engine::word_tensor;
use crate::llama::Llama;

/// The step of one conversation's memory, with one way to draw.
#[derive(Debug)]
pub struct RecordedStep {
    recording: Recording,
    params: SampleParams,
    // What the kernels read and write stays where it is.
    input: Tensor<1, Int>,
    position: Position,
    history: Tensor<1, Int>,
    drawn: Tensor<1, Int>,
}

impl RecordedStep {
    /// Records the step, which has just been done on `device` in `warm_up`. `None` if the runtime cannot.
    pub fn record(
        warm_up: WarmUp,
        model: &Llama,
        cache: &mut KvCache,
        params: SampleParams,
        device: &OpenDevice,
    ) -> Option<Self> {
        let input = word_tensor(&[0], device);
        // One pair that counts nothing, and the noise's key.
        let history = word_tensor(&[0, 0, 0], device);
        let position = Position::new(0, &device.device);
        let (recording, drawn) = warm_up.record(|| {
            let logits = model.forward_at(input.clone(), &position, cache);
            sample(logits, history.clone(), params)
        })?;
        Some(Self { recording, params: constant(params), input, position, history, drawn })
    }

    /// Whether it draws like `params`, but for the noise.
    pub fn draws_like(&self, params: SampleParams) -> bool {
        self.params == constant(params)
    }

    /// Launches the step for token `id` behind `tokens` others; what it draws. `None`, and nothing is launched, if it cannot
    /// be launched here and now.
    pub fn launch(&mut self, id: u32, tokens: usize, params: SampleParams) -> Option<Tensor<1, Int>> {
        let key = noise_key(params.seed, params.step);
        let is_noisy = params.temperature > 0.0;
        let written = rewrite(&self.input, &[id])
            && self.position.rewrite(tokens)
            && (!is_noisy || rewrite(&self.history, &[0, 0, key]));
        (written && self.recording.replay()).then(|| self.drawn.clone())
    }
}

/// `params` without what changes from token to token.
const fn constant(params: SampleParams) -> SampleParams {
    SampleParams { seed: 0, step: 0, ..params }
}
