//! Small synthetic GGUF files for tests: a writer, simple quantisers and an executor for futures that never wait.
//!
//! Feature `testing`; for tests only: it panics on misuse, and its quantisers round to nearest without searching for
//! the best scales.

mod builder;
mod quantize;

pub use builder::GgufBuilder;
pub use quantize::quantize;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future to its end by polling; for futures over memory or [`crate::FileSource`], which never wait.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
