//! How long to wait before the engine is loaded again.

use std::time::Duration;

/// Wait before the second attempt in a row.
const FIRST: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits that double with each failure in a row: none before the first attempt, then 1, 2, 4 … up to 60 seconds.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and returns the wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let wait = match self.failures {
            0 => Duration::ZERO,
            // 2^6 seconds are longer than the longest wait.
            more => (FIRST * (1 << (more - 1).min(6))).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Call after a completed answer: the next failure counts as the first.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_cap_and_start_anew_after_an_answer() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..9).map(|_| backoff.next_wait().as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.next_wait(), Duration::ZERO);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.next_wait(), LONGEST, "the count does not wrap");
    }
}
