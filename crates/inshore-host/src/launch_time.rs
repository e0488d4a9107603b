//! How long a step keeps the CPU before its device computes: until the read of its token waits.

use std::pin::pin;
use std::time::{Duration, Instant};

/// Runs a step to its end; with its result, the time of the first poll. A step waits for nothing but its one readback,
/// so on a GPU all of its kernels are handed to the driver by then; on the CPU they are done.
pub async fn timed<F: Future>(step: F) -> (F::Output, Duration) {
    let mut step = pin!(step);
    let mut launched = None;
    let output = std::future::poll_fn(|context| {
        let started = Instant::now();
        let polled = step.as_mut().poll(context);
        launched.get_or_insert_with(|| started.elapsed());
        polled
    })
    .await;
    (output, launched.unwrap_or_default())
}

/// The times of an answer's steps, without its first, which is the prompt's.
#[derive(Debug, Default)]
pub struct LaunchTimes {
    steps: usize,
    decode: Vec<Duration>,
}

impl LaunchTimes {
    /// Notes the next step.
    pub fn push(&mut self, launched: Duration) {
        if self.steps > 0 {
            self.decode.push(launched);
        }
        self.steps += 1;
    }

    /// The middle one in microseconds: a thread that has to wait for a core makes some of them long.
    pub fn median_us(mut self) -> Option<f64> {
        let middle = self.decode.len() / 2;
        (middle < self.decode.len()).then(|| self.decode.select_nth_unstable(middle).1.as_secs_f64() * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[test]
    fn waiting_does_not_count() {
        let mut polls = 0;
        let step = std::future::poll_fn(|context| {
            polls += 1;
            if polls == 1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            std::thread::sleep(Duration::from_millis(200));
            Poll::Ready(7)
        });
        let (output, launched) = pollster::block_on(timed(step));
        assert_eq!(output, 7);
        assert!(launched < Duration::from_millis(150), "{launched:?}");
    }

    #[test]
    fn the_first_step_is_left_out() {
        let mut times = LaunchTimes::default();
        for micros in [900, 30, 10, 20] {
            times.push(Duration::from_micros(micros));
        }
        assert!((times.median_us().expect("three") - 20.0).abs() < 1e-9);
        assert_eq!(LaunchTimes { steps: 1, decode: Vec::new() }.median_us(), None);
    }
}
