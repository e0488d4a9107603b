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

pub use self::gpu::{CapturedGraph, WarmUp};

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

/// Words that are being read back from a GPU.
///
/// Dropping it before it has arrived leaks a few hundred bytes on purpose: the runtime would otherwise reuse the memory while the
/// driver still writes to it. So await it even if the result is no longer needed.
pub struct PendingReadback(Option<Words>);

/// They, or why there are none.
type Words = Pin<Box<dyn Future<Output = Result<Vec<u32>, String>> + Send>>;

impl PendingReadback {
    const fn from_future(words: Words) -> Self {
        Self(Some(words))
    }

    /// What `words` are behind all that was launched before, whatever is launched later. `None`: they are not on a GPU.
    pub fn of(words: &Tensor<1, Int>) -> Option<Self> {
        gpu::read(words.clone().into_dispatch()).map(Self::from_future)
    }
}

impl Future for PendingReadback {
    type Output = Result<Vec<u32>, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(words) = &mut self.0 else { return Poll::Ready(Err("the words were read before".to_owned())) };
        let arrived = words.as_mut().poll(context);
        if arrived.is_ready() {
            self.0 = None;
        }
        arrived
    }
}

impl Drop for PendingReadback {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

impl std::fmt::Debug for PendingReadback {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PendingReadback")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;

    /// Arrives at its second poll; its memory is free once `memory` is the only owner.
    fn readback(memory: &Arc<()>) -> PendingReadback {
        let memory = Arc::clone(memory);
        let mut polls = 0;
        PendingReadback::from_future(Box::pin(std::future::poll_fn(move |_| {
            polls += 1;
            if polls > 1 { Poll::Ready(Ok(vec![Arc::strong_count(&memory) as u32])) } else { Poll::Pending }
        })))
    }

    fn poll(readback: &mut PendingReadback) -> Poll<Result<Vec<u32>, String>> {
        Pin::new(readback).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_readback_that_is_dropped_unread_keeps_its_memory() {
        for polls in [0, 1] {
            let memory = Arc::new(());
            let mut dropped = readback(&memory);
            for _ in 0..polls {
                assert!(poll(&mut dropped).is_pending());
            }
            drop(dropped);
            assert_eq!(Arc::strong_count(&memory), 2, "after {polls} polls");
        }
    }

    #[test]
    fn a_readback_that_arrived_gives_its_memory_back() {
        let memory = Arc::new(());
        let mut read = readback(&memory);
        assert!(poll(&mut read).is_pending());
        assert_eq!(poll(&mut read), Poll::Ready(Ok(vec![2])));
        assert_eq!(Arc::strong_count(&memory), 1);
        assert!(matches!(poll(&mut read), Poll::Ready(Err(_))), "read once");
    }
}
