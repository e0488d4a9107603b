//! Activations rounded to 15 bits, once per operation. Eight bits, for which the products are ready, would be half the work
//! where bytes are multiplied, and keep the perplexity of `tests/golden/perplexity.txt` (but for Q, K and V: there a
//! log-probability is off by 0.26, with 15 bits everywhere by 0.003). But then CPUs that add in another order come to
//! round some activations otherwise, and an answer that goes on on another machine turns at a near tie.

use bytemuck::Zeroable;

use super::super::matmul::Rows;
use super::super::parallel::{for_each, shares};
use super::super::simd::int8::{Int8, RUN};
use super::super::simd::{self, Kernel, Simd};

/// Words of an [`Int8::Run`]: 32 numbers of 16 bits, or two planes of 32 bytes, or both.
const RUN_WORDS: usize = if cfg!(all(target_arch = "wasm32", feature = "relaxed-simd")) { 16 } else { 8 };

/// Bits that a rounded activation has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// A byte, as llama.cpp has it. No operation asks for it, see above.
    Eight,
    /// Two planes of bytes, or one of 16-bit numbers.
    Fifteen,
}

/// `[tokens, runs]` of 32 activations each, in the order that this CPU's instructions want.
pub struct Activations {
    /// Whole [`Int8::Run`]s, whose order depends on the CPU; their size does not.
    bytes: Vec<u64>,
    scales: Vec<f32>,
    sums: Vec<f32>,
    runs: usize,
    bits: Bits,
}

/// What rounds some of the runs.
struct Rounding<'a> {
    values: &'a [[f32; RUN]],
    bytes: &'a mut [u64],
    scales: &'a mut [f32],
    sums: &'a mut [f32],
    bits: Bits,
}

impl Kernel for &mut Rounding<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        const { assert!(size_of::<S::Run>() == RUN_WORDS * 8, "a run has one size") };
        let runs: &mut [S::Run] = bytemuck::cast_slice_mut(self.bytes);
        for (((values, run), scale), sum) in self.values.iter().zip(runs).zip(&mut *self.scales).zip(&mut *self.sums) {
            let (rounded, run_scale) = round(values, self.bits);
            *run = S::arrange(&rounded, self.bits == Bits::Eight);
            *scale = run_scale;
            *sum = run_scale * rounded.iter().map(|&q| i32::from(q)).sum::<i32>() as f32;
        }
    }
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
        let runs = x.cols() / RUN;
        let all = x.count() * runs;
        let mut out =
            Self { bytes: vec![0; all * RUN_WORDS], scales: vec![0.0; all], sums: vec![0.0; all], runs, bits };
        let share = shares(x.count()) * runs;
        let (scales, sums) = (out.scales.chunks_mut(share), out.sums.chunks_mut(share));
        let values = x.values().as_chunks::<RUN>().0.chunks(share);
        let parts = values.zip(out.bytes.chunks_mut(share * RUN_WORDS)).zip(scales).zip(sums);
        let mut tasks: Vec<_> =
            parts.map(|(((values, bytes), scales), sums)| Rounding { values, bytes, scales, sums, bits }).collect();
        for_each(&mut tasks, || (), |task, ()| simd::run(task));
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
