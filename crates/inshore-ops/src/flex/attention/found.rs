//! What queries have found in the positions that they saw, as a softmax with a running maximum keeps it.

use super::super::exp::exp;
use super::super::simd::LANES;
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

    /// Turns a row's scores of a block into weights and scales what was found before to the new maximum.
    #[inline(always)]
    pub fn weigh(&mut self, row: usize, scores: &mut [f32], columns: usize) {
        let max = largest(scores, self.maxima[row]);
        let factor = exp(self.maxima[row] - max);
        self.maxima[row] = max;
        self.sums[row] = self.sums[row] * factor + exponentials(scores, max);
        if factor != 1.0 {
            self.values[row * columns..][..columns].iter_mut().for_each(|value| *value *= factor);
        }
    }
}

/// The largest of `scores` and `least`.
#[inline(always)]
fn largest(scores: &[f32], least: f32) -> f32 {
    let (runs, rest) = scores.as_chunks::<LANES>();
    let mut maxima = [least; LANES];
    for run in runs {
        for (max, &score) in maxima.iter_mut().zip(run) {
            *max = if score > *max { score } else { *max };
        }
    }
    maxima.iter().chain(rest).copied().fold(least, f32::max)
}

/// `scores` become `e^(score - max)`; returns their sum.
#[inline(always)]
fn exponentials(scores: &mut [f32], max: f32) -> f32 {
    let (runs, rest) = scores.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for run in runs {
        for (sum, score) in sums.iter_mut().zip(run) {
            let weight = exp(*score - max);
            *score = weight;
            *sum += weight;
        }
    }
    let mut rest_sum = 0.0;
    for score in rest {
        let weight = exp(*score - max);
        *score = weight;
        rest_sum += weight;
    }
    sums.iter().sum::<f32>() + rest_sum
}
