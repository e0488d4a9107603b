//! Integer dot products of packed numbers (bytes) with rounded activations, per instruction set. Activations have 15 bits:
//! where the CPU multiplies bytes they are two planes, `128 * high + low`, where it multiplies 16-bit numbers they are one.
//!
//! Both come in runs of 32 columns. A number is a byte: unsigned and below 128 in formats with an offset (Q4, Q5, Q6),
//! signed in Q8_0. Every implementation gives the exact integer: they differ only in how the 32 products are spread over lanes.

use bytemuck::Pod;

use super::{first_of, first_of_mut};
use crate::packed::PANEL_ROWS;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

/// Columns that share one scale of the activations.
pub const RUN: usize = 32;
/// Groups of four columns in a run: what one lane of [`Int8::group_dot`] takes at a time.
pub const GROUPS: usize = RUN / 4;
/// Steps of a run. A step takes groups `step` and `step + 4`, which share a word in formats of nibbles.
pub const STEPS: usize = GROUPS / 2;
/// How far ahead of the use memory is asked for: what it delivers while it takes to answer. CPUs' own prefetchers stop at
/// every 4 KiB page.
const AHEAD_BYTES: usize = 4096;
/// The same word of the sixteen rows of a panel.
pub type Line = [u32; PANEL_ROWS];

/// Registers of 32-bit lanes, one lane a row, and their integer dot products. Every method is inlined into the kernel that
/// uses it.
pub trait Int8: Copy {
    /// Lanes of a register: rows of a panel that are multiplied side by side.
    const ROWS: usize;
    /// Planes of activations.
    const PLANES: usize;
    /// The same where numbers are signed.
    const SIGNED_PLANES: usize = Self::PLANES;
    /// Added to signed numbers for CPUs whose instruction wants them unsigned; a multiple of 128.
    const BIAS: i32 = 0;

    /// A run of activations in memory, in the order that the instructions want.
    type Run: Pod;
    /// A register of u32.
    type Words: Copy;
    /// Four columns of each row, made ready for [`group_dot`](Self::group_dot).
    type Quad: Copy;
    /// A register of i32.
    type Sums: Copy;
    /// Sums of a few groups, where the instruction leaves narrower ones than [`Sums`](Self::Sums).
    type Partial: Copy;
    /// A register of f32.
    type Lanes: Copy;

    /// Puts rounded activations, -16256..=16256, in order.
    fn arrange(values: &[i16; RUN]) -> Self::Run;
    /// [`STEPS`]; hidden from compilers that would mix the steps.
    #[inline(always)]
    fn steps(self) -> usize {
        STEPS
    }

    /// The words of rows `part * ROWS..` of a panel.
    fn words(self, line: &Line, part: usize) -> Self::Words;
    /// Words to `line[part * ROWS..]`.
    fn store_words(self, words: Self::Words, line: &mut Line, part: usize);
    /// `words & mask`.
    fn and(self, words: Self::Words, mask: u32) -> Self::Words;
    /// `a | b`.
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// `words >> by`.
    fn shr(self, words: Self::Words, by: u32) -> Self::Words;
    /// `words << by`.
    fn shl(self, words: Self::Words, by: u32) -> Self::Words;
    /// `words * factor`, modulo 2^32.
    fn multiply(self, words: Self::Words, factor: u32) -> Self::Words;
    /// Words as i32, as f32.
    fn integers(self, words: Self::Words) -> Self::Lanes;
    /// Widens the IEEE binary16 numbers in the low half of each word, which are finite.
    fn low_halves(self, words: Self::Words) -> Self::Lanes;
    /// Widens those in the high halves.
    #[inline(always)]
    fn high_halves(self, words: Self::Words) -> Self::Lanes {
        self.low_halves(self.shr(words, 16))
    }

    /// Four numbers of each row, a byte each, made ready. `signed` is known at compile time.
    fn quad(self, signed: bool, numbers: Self::Words) -> Self::Quad;
    /// Adds to each lane the dot product of its row's four columns with columns `4 * group..` of a plane of the run.
    fn group_dot(
        self,
        signed: bool,
        sums: Self::Partial,
        quad: Self::Quad,
        run: &Self::Run,
        place: [usize; 2],
    ) -> Self::Partial;
    /// Groups whose dot products a partial sum holds, if numbers are at most `largest` in magnitude; a power of two.
    #[inline(always)]
    fn partial_groups(self, largest: u32) -> usize {
        let _ = largest;
        GROUPS
    }
    /// `sums + partial`; `signed` as in [`group_dot`](Self::group_dot).
    fn plus(self, signed: bool, sums: Self::Sums, partial: Self::Partial) -> Self::Sums;
    /// `128 * high + low`.
    fn raised_plus(self, high: Self::Sums, low: Self::Sums) -> Self::Sums;

    /// All lanes 0.
    fn no_sums(self) -> Self::Sums;
    /// The same.
    fn no_partial(self) -> Self::Partial;
    /// `sums - by`.
    fn less(self, sums: Self::Sums, by: i32) -> Self::Sums;
    /// As f32.
    fn floats(self, sums: Self::Sums) -> Self::Lanes;
    /// All lanes `value`.
    fn lanes(self, value: f32) -> Self::Lanes;
    /// `a * b`.
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `acc + a * b`, rounded once or twice.
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The first [`ROWS`](Self::ROWS) of `values`.
    fn get_lanes(self, values: &[f32]) -> Self::Lanes;
    /// To the first [`ROWS`](Self::ROWS) of `out`.
    fn put_lanes(self, lanes: Self::Lanes, out: &mut [f32]);

    /// Asks for the memory at `address`, which need not be valid, ahead of its use; not every CPU can be asked.
    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        let _ = address;
    }
    /// Asks for what will be read next by who reads `now`, an ascending stream.
    #[inline(always)]
    fn prefetch_behind<T>(self, now: &T) {
        self.prefetch(std::ptr::from_ref(now).cast::<u8>().wrapping_add(AHEAD_BYTES));
    }
}

/// Groups whose dot products fit a sum of 16 bits, which takes of each group two products of a number, at most `largest`, and
/// an activation, at most 127; a power of two.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed-simd")))]
#[inline(always)]
const fn groups_in_16_bits(largest: u32) -> usize {
    let fit = i16::MAX as u32 / (2 * 127 * largest);
    if fit >= GROUPS as u32 { GROUPS } else { 1 << fit.ilog2() }
}

/// Rounded activations as two planes of bytes, the high one, then the low one: `value = 128 * high + low`, `low` in
/// -64..=63.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed-simd")))]
#[inline(always)]
fn planes(values: &[i16; RUN]) -> [i8; 2 * RUN] {
    let mut out = [0; 2 * RUN];
    for (at, value) in values.iter().enumerate() {
        // Wrapping: what became of a value that is not finite may be any number.
        let high = value.wrapping_add(64) >> 7;
        out[at] = high as i8;
        out[RUN + at] = value.wrapping_sub(high << 7) as i8;
    }
    out
}

/// Columns `4 * group..` of a plane as four bytes.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed-simd")))]
#[inline(always)]
fn group_of(planes: &[i8; 2 * RUN], [plane, group]: [usize; 2]) -> &[i8; 4] {
    planes[(plane * GROUPS + group) * 4..].first_chunk().expect("a plane has eight groups")
}

/// Rounded activations for products of 16-bit numbers: of each four columns the even ones, then the odd ones.
#[cfg(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn even_and_odd(values: &[i16; RUN]) -> [i16; RUN] {
    std::array::from_fn(|at| values[at / 4 * 4 + at % 2 * 2 + at / 2 % 2])
}

/// The lanes of a register in a line.
#[inline(always)]
fn part_of<T, const N: usize>(line: &[T; PANEL_ROWS], part: usize) -> &[T; N] {
    line[part * N..].first_chunk().expect("a line has whole registers")
}

/// The same to write to.
#[inline(always)]
fn part_of_mut<T, const N: usize>(line: &mut [T; PANEL_ROWS], part: usize) -> &mut [T; N] {
    line[part * N..].first_chunk_mut().expect("a line has whole registers")
}
