//! What queries have found in the positions that they saw, as a softmax with a running maximum keeps it.

use super::super::exp::{exp, exp_below};
use super::super::simd::{LANES, Simd};
use super::tiles::TILE_ROWS;

/// Of each row: the largest score, `Σ e^(score - max)`, and `Σ e^(score - max) value`.
pub struct Found {
    maxima: Vec<f32>,
    pub sums: Vec<f32>,
    pub values: Vec<f32>,
}

impl Found {
    /// For `rows` queries that have seen no position; there is room for the rows that fill up the last tile.
    pub fn nothing(rows: usize, columns: usize) -> Self {
        let values = vec![0.0; (rows + TILE_ROWS - 1) * columns];
        Self { maxima: vec![f32::NEG_INFINITY; rows], sums: vec![0.0; rows], values }
    }

    /// Forgets what the first `rows` found.
    pub fn clear(&mut self, rows: usize, columns: usize) {
        self.maxima[..rows].fill(f32::NEG_INFINITY);
        self.sums[..rows].fill(0.0);
        self.values[..rows * columns].fill(0.0);
    }

    /// Takes in what the same rows found at later positions; nothing changes where they saw none of these.
    pub fn join(&mut self, more: &Self, columns: usize) {
        for row in 0..self.sums.len() {
            let max = self.maxima[row].max(more.maxima[row]);
            let [own, others] = [self.maxima[row], more.maxima[row]].map(|found| exp(found - max));
            self.maxima[row] = max;
            self.sums[row] = self.sums[row] * own + more.sums[row] * others;
            let range = row * columns..(row + 1) * columns;
            for (value, more) in self.values[range.clone()].iter_mut().zip(&more.values[range]) {
                *value = *value * own + more * others;
            }
        }
    }

    /// Turns the first `seen` of a row's scores of a block into weights, and the rest into 0; scales what was found before to the new
    /// maximum. `scores` are whole runs of lanes.
    #[inline(always)]
    pub fn weigh<S: Simd>(&mut self, simd: S, row: usize, scores: &mut [f32], seen: usize, columns: usize) {
        scores[seen..].fill(f32::NEG_INFINITY);
        let max = largest(scores, self.maxima[row]);
        let factor = exp(self.maxima[row] - max);
        self.maxima[row] = max;
        self.sums[row] = self.sums[row] * factor + exponentials(simd, &mut scores[..seen.next_multiple_of(LANES)], max);
        scores[seen..].fill(0.0);
        if factor != 1.0 {
            self.values[row * columns..][..columns].iter_mut().for_each(|value| *value *= factor);
        }
    }
}

/// The largest of `scores` and `least`.
#[inline(always)]
fn largest(scores: &[f32], least: f32) -> f32 {
    let mut maxima = [least; LANES];
    for run in scores.as_chunks::<LANES>().0 {
        for (max, &score) in maxima.iter_mut().zip(run) {
            *max = if score > *max { score } else { *max };
        }
    }
    maxima.into_iter().fold(least, f32::max)
}

/// `scores` become `e^(score - max)`; returns their sum.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, scores: &mut [f32], max: f32) -> f32 {
    let mut sums = [0.0; LANES];
    for run in scores.as_chunks_mut::<LANES>().0 {
        for first in (0..LANES).step_by(S::ROWS) {
            let weights = exp_below(simd, simd.get_lanes(&run[first..]), max);
            simd.put_lanes(weights, &mut run[first..]);
            let sum = simd.plus_product(simd.get_lanes(&sums[first..]), weights, simd.lanes(1.0));
            simd.put_lanes(sum, &mut sums[first..]);
        }
    }
    sums.iter().sum()
}
