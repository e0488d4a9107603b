//! Kernels recorded once and launched again: on a GPU everything that a launch resolves (pipeline, buffers, bind group) is
//! kept, and a step that does the same with other words in the same memory costs the host only the commands themselves.

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "recording/no_gpu.rs"]
mod gpu;

use burn::tensor::{Int, Tensor};

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
