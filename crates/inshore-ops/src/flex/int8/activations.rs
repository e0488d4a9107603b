//! Activations rounded to 15 bits, once per operation. Eight bits would be half the work where bytes are multiplied and keep
//! the perplexity of `tests/golden/perplexity.txt`, but not the answers: of 32 greedy ones, 48 tokens each, 13 were those of
//! f32 activations; with 15 bits all 32 are. What a page with a GPU began must not turn where a CPU goes on.

use super::super::matmul::Rows;
use super::super::parallel::{for_each, shares};
use super::super::round::round;
use super::super::simd::int8::{Int8, RUN};
use super::super::simd::{self, Kernel, Simd};

/// Words of an [`Int8::Run`]: 32 numbers of 16 bits, or two planes of 32 bytes, or both.
const RUN_WORDS: usize = if cfg!(all(target_arch = "wasm32", feature = "relaxed-simd")) { 16 } else { 8 };

/// The largest magnitude of a rounded activation, `127 * 128`: what the high one of two planes of bytes can hold.
pub const LARGEST: f32 = 16_256.0;

/// `[tokens, runs]` of 32 activations each, in the order that this CPU's instructions want.
pub struct Activations {
    /// Whole [`Int8::Run`]s, whose order depends on the CPU; their size does not.
    bytes: Vec<u64>,
    summaries: Vec<Summary>,
    runs: usize,
}

/// What is needed of a run of rounded values `q` beside them.
#[derive(Clone, Copy, Default)]
pub struct Summary {
    /// What a 1 stands for.
    pub scale: f32,
    /// `Σ q`.
    total: i32,
    /// `Σ q` of the first sixteen.
    first_total: i32,
    /// `scale * Σ q`.
    pub sum: f32,
}

impl Summary {
    /// `Σ q` of the values that share scale `scale` of a run that has one or two.
    #[inline(always)]
    pub const fn total_of(&self, scales: usize, scale: usize) -> i32 {
        match (scales, scale) {
            (1, _) => self.total,
            (_, 0) => self.first_total,
            _ => self.total - self.first_total,
        }
    }
}

/// What rounds some of the runs.
struct Rounding<'a> {
    values: &'a [[f32; RUN]],
    bytes: &'a mut [u64],
    summaries: &'a mut [Summary],
}

impl Kernel for &mut Rounding<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        const { assert!(size_of::<S::Run>() == RUN_WORDS * 8, "a run has one size") };
        let runs: &mut [S::Run] = bytemuck::cast_slice_mut(self.bytes);
        for ((values, run), summary) in self.values.iter().zip(runs).zip(&mut *self.summaries) {
            let (rounded, scale) = round(values, LARGEST);
            *run = S::arrange(&rounded);
            let [first_total, second_total] =
                [0, RUN / 2].map(|first| rounded[first..][..RUN / 2].iter().map(|&q| i32::from(q)).sum::<i32>());
            let total = first_total + second_total;
            *summary = Summary { scale, total, first_total, sum: scale * total as f32 };
        }
    }
}

/// One token's activations.
pub struct Token<'a, S: Int8> {
    /// Rounded values.
    pub runs: &'a [S::Run],
    /// Of each run.
    pub summaries: &'a [Summary],
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
        let runs = x.cols() / RUN;
        let all = x.count() * runs;
        let mut out = Self { bytes: vec![0; all * RUN_WORDS], summaries: vec![Summary::default(); all], runs };
        let share = shares(x.count()) * runs;
        let (bytes, summaries) = (out.bytes.chunks_mut(share * RUN_WORDS), out.summaries.chunks_mut(share));
        let parts = x.values().as_chunks::<RUN>().0.chunks(share).zip(bytes).zip(summaries);
        let mut tasks: Vec<_> =
            parts.map(|((values, bytes), summaries)| Rounding { values, bytes, summaries }).collect();
        for_each(&mut tasks, || (), |task, ()| simd::run(task));
        out
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
        Token { runs: &all_runs[own.clone()], summaries: &self.summaries[own] }
    }
}
