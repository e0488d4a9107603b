//! Host side of sampling.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::SampleParams;
use super::kernel::{DrawLaunch, Flags, UNITS, sample};
use crate::cube::{dispatch, empty_words};

/// Draws from `logits: [vocab]` with the pairs of `history` and the noise's key behind them, which are in memory as a launch's
/// constants cost an upload whenever they change; the packed result as a new tensor.
pub(crate) fn draw(logits: &CubeTensor, history: &CubeTensor, params: &SampleParams) -> CubeTensor {
    let out = empty_words(logits, params.result_words());
    draw_into(logits, history, params, out.clone());
    out
}

/// As [`draw`], with the result in the memory of `out`.
pub(crate) fn draw_into(logits: &CubeTensor, history: &CubeTensor, params: &SampleParams, out: CubeTensor) {
    let vocab = logits.meta.shape()[0];
    let flags = flags(params, vocab);
    let scratch = empty_words(logits, vocab);
    dispatch();
    sample::launch(
        &logits.client,
        CubeCount::new_single(),
        CubeDim::new_1d(UNITS as u32),
        logits.clone().into_buffer_arg(),
        history.clone().into_buffer_arg(),
        scratch.into_buffer_arg(),
        out.into_buffer_arg(),
        DrawLaunch::new(
            vocab,
            (history.meta.shape()[0] - 1) / 2,
            params.temperature,
            params.top_k as f32,
            params.top_p,
            if flags.min_p { params.temperature * params.min_p.min(1.0).ln() } else { 0.0 },
            params.repetition_penalty,
            params.frequency_penalty,
            params.presence_penalty,
            params.top_logprobs as usize,
            flags,
        ),
    );
}

fn flags(params: &SampleParams, vocab: usize) -> Flags {
    let noise = params.temperature.is_normal() && params.temperature > 0.0;
    Flags {
        penalise: params.repetition_penalty != 1.0 || params.frequency_penalty != 0.0 || params.presence_penalty != 0.0,
        noise,
        top_k: noise && params.top_k > 0 && (params.top_k as usize) < vocab,
        top_p: noise && params.top_p < 1.0,
        min_p: noise && params.min_p > 0.0,
    }
}
