//! Activations rounded to 8 or 15 bits, once per operation. Where bytes are multiplied, 15 bits are twice the work of 8, but
//! what goes into attention and what comes out as logits is worth it: of the 2,019 tokens of `tests/golden/perplexity.txt`
//! the worst log-probability is off by 0.003 with 15 bits everywhere, by 0.26 with 8 for Q, K and V alone, and by 0.29 with 8
//! for all the rest but the logits.

use bytemuck::Zeroable;

use super::super::matmul::Rows;
use super::super::simd::int8::{Int8, RUN};
use super::super::simd::{self, Kernel, Simd};

/// Bits that a rounded activation has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// A byte, as llama.cpp has it.
    Eight,
    /// Two planes of bytes, or one of 16-bit numbers.
    Fifteen,
}

/// `[tokens, runs]` of 32 activations each, in the order that this CPU's instructions want.
pub struct Activations {
    /// Whole [`Int8::Run`]s. Only their size depends on the instruction set, so that this type need not.
    bytes: Vec<u64>,
    scales: Vec<f32>,
    sums: Vec<f32>,
    runs: usize,
    bits: Bits,
}

/// One token's activations.
pub struct Token<'a, S: Int8> {
    /// Rounded values.
    pub runs: &'a [S::Run],
    /// What a rounded value of each run stands for.
    pub scales: &'a [f32],
    /// `scale * Σ q` of each run.
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
    pub fn of(x: Rows<'_>, bits: Bits) -> Self {
        struct Quantise<'a>(Rows<'a>, &'a mut Activations);
        impl Kernel for Quantise<'_> {
            #[inline(always)]
            fn run<S: Simd>(self, _: S) {
                let Self(x, out) = self;
                out.bytes = vec![0; x.count() * out.runs * size_of::<S::Run>() / 8];
                let all_runs: &mut [S::Run] = bytemuck::cast_slice_mut(&mut out.bytes);
                for token in 0..x.count() {
                    let values = x.row(token).as_chunks::<RUN>().0;
                    let own = token * out.runs..(token + 1) * out.runs;
                    let (scales, sums) = (&mut out.scales[own.clone()], &mut out.sums[own.clone()]);
                    let runs = &mut all_runs[own];
                    for (((values, run), scale), sum) in values.iter().zip(runs).zip(scales).zip(sums) {
                        let (rounded, run_scale) = round(values, out.bits);
                        // A byte is the high plane.
                        let is_plane = S::PLANES == 2 && out.bits == Bits::Eight;
                        *run = S::arrange(&if is_plane { rounded.map(|q| q << 7) } else { rounded });
                        *scale = run_scale;
                        *sum = run_scale * rounded.iter().map(|&q| i32::from(q)).sum::<i32>() as f32;
                    }
                }
            }
        }
        let mut out = Self { bytes: Vec::new(), scales: Vec::new(), sums: Vec::new(), runs: x.cols() / RUN, bits };
        let all = x.count() * out.runs;
        (out.scales, out.sums) = (vec![0.0; all], vec![0.0; all]);
        simd::run(Quantise(x, &mut out));
        out
    }

    /// What they were rounded to.
    pub const fn bits(&self) -> Bits {
        self.bits
    }

    /// Runs of a token.
    pub const fn runs(&self) -> usize {
        self.runs
    }

    /// The activations of token `at`; `S` must be what [`simd::run`] chose when they were made.
    #[inline(always)]
    pub fn token<S: Int8>(&self, at: usize) -> Token<'_, S> {
        let all_runs: &[S::Run] = bytemuck::cast_slice(&self.bytes);
        let own = at * self.runs..(at + 1) * self.runs;
        Token { runs: &all_runs[own.clone()], scales: &self.scales[own.clone()], sums: &self.sums[own] }
    }
}

/// The integers next to `values / scale`, and `scale`: the largest magnitude becomes 127 or 16256. What is not finite leaves its
/// run without meaning, as it would leave any product.
#[inline(always)]
pub fn round(values: &[f32; RUN], bits: Bits) -> ([i16; RUN], f32) {
    let largest = match bits {
        Bits::Eight => 127.0,
        // `127 * 128`: what the high one of two planes of bytes can hold.
        Bits::Fifteen => 16_256.0,
    };
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
    let scale = max / largest;
    // A reciprocal that overflows belongs to values so small that 0 will do.
    let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    let mut rounded = <[i16; RUN]>::zeroed();
    for (rounded, value) in rounded.iter_mut().zip(values) {
        *rounded = (value * inverse + ROUND).to_bits() as i16;
    }
    (rounded, scale)
}
