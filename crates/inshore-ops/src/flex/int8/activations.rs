//! Activations rounded to 15 bits, once per operation. Eight bits would do for most tokens, but turn a few whose margin in
//! f32 is above 0.15 (the reference's `raw` prompt has one); the other seven cost little beside the reading of weights.

use bytemuck::Zeroable;

use super::super::matmul::Rows;
use super::super::simd::int8::{Int8, RUN};
use super::super::simd::{self, Kernel, Simd};

/// `[tokens, runs]` of 32 activations each, in the order that this CPU's instructions want.
pub struct Activations {
    /// Whole [`Int8::Run`]s. Only their size depends on the instruction set, so that this type need not.
    bytes: Vec<u64>,
    scales: Vec<f32>,
    sums: Vec<f32>,
    runs: usize,
}

/// One token's activations.
pub struct Token<'a, S: Int8> {
    /// Rounded values.
    pub runs: &'a [S::Run],
    /// What a rounded value of each run stands for; padded with 0 to a multiple of four.
    pub scales: &'a [f32],
    /// `scale * Σ q` of each run; padded likewise.
    pub sums: &'a [f32],
}

impl<S: Int8> Clone for Token<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Int8> Copy for Token<'_, S> {}

impl Activations {
    /// Rounds `x`, whose rows are whole runs.
    pub fn of(x: Rows<'_>) -> Self {
        struct Quantise<'a>(Rows<'a>, &'a mut Activations);
        impl Kernel for Quantise<'_> {
            #[inline(always)]
            fn run<S: Simd>(self, _: S) {
                let Self(x, out) = self;
                out.bytes = vec![0; x.count() * out.runs * size_of::<S::Run>() / 8];
                let padded = out.padded_runs();
                let all_runs: &mut [S::Run] = bytemuck::cast_slice_mut(&mut out.bytes);
                for token in 0..x.count() {
                    let values = x.row(token).as_chunks::<RUN>().0;
                    let runs = &mut all_runs[token * out.runs..][..out.runs];
                    let scales = &mut out.scales[token * padded..][..padded];
                    let sums = &mut out.sums[token * padded..][..padded];
                    for (((values, run), scale), sum) in values.iter().zip(runs).zip(scales).zip(sums) {
                        let (rounded, run_scale) = round(values);
                        *run = S::arrange(&rounded);
                        *scale = run_scale;
                        *sum = run_scale * rounded.iter().map(|&q| i32::from(q)).sum::<i32>() as f32;
                    }
                }
            }
        }
        let mut out = Self { bytes: Vec::new(), scales: Vec::new(), sums: Vec::new(), runs: x.cols() / RUN };
        let padded = x.count() * out.padded_runs();
        (out.scales, out.sums) = (vec![0.0; padded], vec![0.0; padded]);
        simd::run(Quantise(x, &mut out));
        out
    }

    /// Runs of a token.
    pub const fn runs(&self) -> usize {
        self.runs
    }

    const fn padded_runs(&self) -> usize {
        self.runs.next_multiple_of(4)
    }

    /// The activations of token `at`; `S` must be what [`simd::run`] chose when they were made.
    #[inline(always)]
    pub fn token<S: Int8>(&self, at: usize) -> Token<'_, S> {
        let all_runs: &[S::Run] = bytemuck::cast_slice(&self.bytes);
        let padded = self.padded_runs();
        Token {
            runs: &all_runs[at * self.runs..][..self.runs],
            scales: &self.scales[at * padded..][..padded],
            sums: &self.sums[at * padded..][..padded],
        }
    }
}

/// The integers next to `values / scale`, and `scale`: the largest magnitude becomes 16256. What is not finite leaves its
/// run without meaning, as it would leave any product.
#[inline(always)]
pub fn round(values: &[f32; RUN]) -> ([i16; RUN], f32) {
    // `127 * 128`: what the high one of two planes of bytes can hold.
    const LARGEST: f32 = 16_256.0;
    // Adding it leaves the nearest integer (ties to even) in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let mut maxima = [0.0f32; 8];
    for eight in values.as_chunks::<8>().0 {
        for (max, value) in maxima.iter_mut().zip(eight) {
            let magnitude = value.abs();
            *max = if magnitude > *max { magnitude } else { *max };
        }
    }
    let max = maxima.iter().fold(0.0f32, |a, &b| if b > a { b } else { a });
    let scale = max / LARGEST;
    // A reciprocal that overflows belongs to values so small that 0 will do.
    let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    let mut rounded = <[i16; RUN]>::zeroed();
    for (rounded, value) in rounded.iter_mut().zip(values) {
        *rounded = (value * inverse + ROUND).to_bits() as i16;
    }
    (rounded, scale)
}
