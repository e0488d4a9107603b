//! Kernels recorded once and launched again: on a GPU everything that a launch resolves (pipeline, buffers, bind group) is
//! kept, and a step that does the same with other words in the same memory costs the host only the commands themselves.

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "recording/no_gpu.rs"]
mod gpu;

use std::pin::Pin;
use std::task::{Context, Poll};

use burn::tensor::{Int, Tensor};

use crate::SampleParams;

pub use self::gpu::{Recording, WarmUp};

impl WarmUp {
    /// What is launched from now on brings memory and caches to the size that a recording needs. `None` where nothing can be
    /// recorded: `words` are in a CPU's memory, or the device records something else.
    pub fn begin(words: &Tensor<1, Int>) -> Option<Self> {
        Self::of(words.clone().into_dispatch())
    }
}

/// Replaces `words` in the device's memory, behind all that was launched before. Whether that is possible: on a GPU.
pub fn rewrite(words: &Tensor<1, Int>, values: &[u32]) -> bool {
    gpu::rewrite(words.clone().into_dispatch(), values)
}

/// As [`sample`](crate::sample), with the result in the memory of `out: [2 + 2 * top_logprobs]`, where the next step may find its
/// input. For recordings, so on a GPU: nothing happens elsewhere.
pub fn sample_into(logits: Tensor<1>, history: Tensor<1, Int>, params: SampleParams, out: &Tensor<1, Int>) {
    gpu::sample_into(logits.into_dispatch(), history.into_dispatch(), params, out.clone().into_dispatch());
}

/// Words on their way from a GPU. Wait for them: the runtime takes the memory that they arrive in for free once this is dropped,
/// while the driver still holds it.
pub struct Reading(Words);

/// They, or why there are none.
type Words = Pin<Box<dyn Future<Output = Result<Vec<u32>, String>> + Send>>;

impl Reading {
    /// What `words` are behind all that was launched before, whatever is launched later. `None`: they are not on a GPU.
    pub fn of(words: &Tensor<1, Int>) -> Option<Self> {
        gpu::read(words.clone().into_dispatch()).map(Self)
    }
}

impl Future for Reading {
    type Output = Result<Vec<u32>, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reading")
    }
}
