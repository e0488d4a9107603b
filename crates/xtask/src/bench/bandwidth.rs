//! Memory bandwidth of this machine, measured in the same run: what decode speed is bound by.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use serde::Serialize;

/// Far beyond any cache.
const BUFFER_BYTES: usize = 512 << 20;
const PASSES: usize = 6;
/// A sum in several independent numbers, so that the additions do not wait for one another.
const LANES: usize = 16;

/// The best of several passes over a buffer of 512 MiB, in bytes per second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Bandwidth {
    /// Threads that shared the buffer.
    pub threads: usize,
    /// Reading alone, as decode reads weights.
    pub read_bytes_per_s: f64,
    /// Copying; bytes read and bytes written both count.
    pub copy_bytes_per_s: f64,
}

impl Bandwidth {
    /// With `threads` threads; takes a second or two.
    pub fn measure(threads: usize) -> Self {
        let words = BUFFER_BYTES / size_of::<u64>();
        // Not zero: the system would back an untouched buffer by one page of zeros.
        let mut source = vec![1_u64; words];
        let mut target = vec![2_u64; words / 2];
        let part = words.div_ceil(threads);
        let read = best(|| {
            thread::scope(|scope| {
                for piece in source.chunks(part) {
                    scope.spawn(move || black_box(sum(black_box(piece))));
                }
            });
        });
        let half = &mut source[..words / 2];
        let copy = best(|| {
            thread::scope(|scope| {
                for (from, to) in half.chunks(part.div_ceil(2)).zip(target.chunks_mut(part.div_ceil(2))) {
                    scope.spawn(move || black_box(to).copy_from_slice(black_box(from)));
                }
            });
        });
        Self { threads, read_bytes_per_s: BUFFER_BYTES as f64 / read, copy_bytes_per_s: BUFFER_BYTES as f64 / copy }
    }
}

/// Measures again and keeps the better figures: somebody may have disturbed the first ones.
pub fn refine(all: &mut [Bandwidth]) {
    for one in all {
        let again = Bandwidth::measure(one.threads);
        one.read_bytes_per_s = one.read_bytes_per_s.max(again.read_bytes_per_s);
        one.copy_bytes_per_s = one.copy_bytes_per_s.max(again.copy_bytes_per_s);
    }
}

/// Seconds of the fastest pass.
fn best(mut pass: impl FnMut()) -> f64 {
    (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn sum(words: &[u64]) -> u64 {
    let mut lanes = [0_u64; LANES];
    for chunk in words.chunks_exact(LANES) {
        for (lane, word) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(*word);
        }
    }
    lanes.iter().fold(0, |total, lane| total.wrapping_add(*lane))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_sees_every_word() {
        let words: Vec<u64> = (0..LANES as u64 * 5).collect();
        assert_eq!(sum(&words), words.iter().sum::<u64>());
    }
}
