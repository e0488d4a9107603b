//! The decode step, recorded: from its second token on, an answer on a GPU costs the host no more than the commands themselves,
//! and each step finds its token where the one before left it, so that it need not wait for the host to have read it.

use burn::tensor::{Int, Tensor};
use inshore_ops::device::OpenDevice;
use inshore_ops::sample::reference::noise_key;
use inshore_ops::{CapturedGraph, PendingReadback, Position, SampleParams, WarmUp, rewrite, sample_into};

use crate::cache::KvCache;
use crate::engine::word_tensor;
use crate::llama::Llama;

/// The step of one conversation's memory, with one way to draw.
#[derive(Debug)]
pub struct DecodeGraph {
    recording: CapturedGraph,
    params: SampleParams,
    // What the kernels read and write stays where it is.
    position: Position,
    history: Tensor<1, Int>,
    /// What the step draws, which begins with a token: the input of the next step.
    drawn: Tensor<1, Int>,
}

impl DecodeGraph {
    /// Records the step, which has just been done on `device` in `warm_up`. `None` if the runtime cannot.
    pub fn record(
        warm_up: WarmUp,
        model: &Llama,
        cache: &mut KvCache,
        params: SampleParams,
        device: &OpenDevice,
    ) -> Option<Self> {
        let drawn = word_tensor(&vec![0; params.result_words()], device);
        // One pair that counts nothing, and the noise's key.
        let history = word_tensor(&[0, 0, 0], device);
        let position = Position::new(0, &device.device);
        let (recording, ()) = warm_up.record(|| {
            let logits = model.forward_at(drawn.clone(), &position, cache);
            sample_into(logits, history.clone(), params, &drawn);
        })?;
        Some(Self { recording, params: constant(params), position, history, drawn })
    }

    /// Whether it draws like `params`, but for the noise.
    pub fn draws_like(&self, params: SampleParams) -> bool {
        self.params == constant(params)
    }

    /// Launches the step for token `id`, or for the one that it drew last, behind `tokens` others; what it draws. `None`, and
    /// nothing is launched, if it cannot be launched here and now.
    pub fn launch(&mut self, id: Option<u32>, tokens: usize, params: SampleParams) -> Option<PendingReadback> {
        let key = noise_key(params.seed, params.step);
        let is_noisy = params.temperature > 0.0;
        let written = id.is_none_or(|id| self.give(id))
            && self.position.rewrite(tokens)
            && (!is_noisy || rewrite(&self.history, &[0, 0, key]));
        if written && self.recording.replay() { PendingReadback::of(&self.drawn) } else { None }
    }

    fn give(&self, id: u32) -> bool {
        let mut words = vec![0; self.drawn.dims()[0]];
        words[0] = id;
        rewrite(&self.drawn, &words)
    }

    /// What was drawn last, on the device.
    pub fn drawn(&self) -> Tensor<1, Int> {
        self.drawn.clone()
    }
}

/// Decides when decode steps are captured. A capture may fail because memory has just moved, or because the device does not support
/// it. So every failure doubles the number of answers before the next attempt.
#[derive(Debug, Default)]
pub struct CapturePolicy {
    failures: u32,
    next_generation: u64,
}

impl CapturePolicy {
    /// Whether a step of the generation may be captured.
    pub const fn allows(&self, generation_id: u64) -> bool {
        generation_id >= self.next_generation
    }

    /// Call after a successful capture.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Call after a failed capture in a step of the generation.
    pub fn failed(&mut self, generation_id: u64) {
        const MOST_DOUBLINGS: u32 = 6;
        self.next_generation = generation_id + (1 << self.failures.min(MOST_DOUBLINGS));
        self.failures += 1;
    }
}

/// `params` without what changes from token to token.
const fn constant(params: SampleParams) -> SampleParams {
    SampleParams { seed: 0, step: 0, ..params }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_capture_is_tried_again_later_and_later() {
        let mut policy = CapturePolicy::default();
        let mut tries = Vec::new();
        for generation_id in 1..200 {
            if policy.allows(generation_id) {
                tries.push(generation_id);
                policy.failed(generation_id);
                assert!(!policy.allows(generation_id), "once an answer");
            }
        }
        assert_eq!(tries, [1, 2, 4, 8, 16, 32, 64, 128, 192]);
        policy.succeeded();
        assert!(policy.allows(193));
        policy.failed(193);
        assert!(policy.allows(194), "a success forgets the failures before it");
    }
}
