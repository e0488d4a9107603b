//! WebAssembly's SIMD. What its dot products take differs between the two builds: 16-bit numbers ([`fixed`]), or also
//! bytes ([`relaxed`]).

use std::arch::wasm32::*;

use super::super::wasm::{Simd128, high_halves, plus_product};
use super::{GROUPS, Int8, Line, RUN, STEPS, first_of, first_of_mut, part_of, part_of_mut};

mod fixed;
#[cfg(feature = "relaxed-simd")]
mod relaxed;

#[cfg(not(feature = "relaxed-simd"))]
use self::fixed as products;
#[cfg(feature = "relaxed-simd")]
use self::relaxed as products;

impl<const PAIRS: bool> Int8 for Simd128<PAIRS> {
    const ROWS: usize = 4;
    const PLANES: usize = products::PLANES;
    const SIGNED_PLANES: usize = 1;

    type Run = products::Run;
    type Words = v128;
    type Quad = products::Quad;
    type Sums = v128;
    type Partial = Self::Sums;
    type Lanes = v128;

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        products::arrange(values)
    }

    /// LLVM moves what is used once in front of its use and V8 keeps that order, so that the sums of a run would become one
    /// chain of waiting additions after the other. Over a branch, which a number of steps that is not known brings after
    /// each step, nothing is moved.
    #[inline(always)]
    fn steps(self) -> usize {
        std::hint::black_box(STEPS)
    }

    #[inline(always)]
    fn words(self, line: &Line, part: usize) -> Self::Words {
        let words: &[u32; 4] = part_of(line, part);
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { v128_load(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_words(self, words: Self::Words, line: &mut Line, part: usize) {
        let line: &mut [u32; 4] = part_of_mut(line, part);
        // SAFETY: the store is as long as the array, and needs no alignment.
        unsafe { v128_store(line.as_mut_ptr().cast(), words) };
    }

    #[inline(always)]
    fn and(self, words: Self::Words, mask: u32) -> Self::Words {
        v128_and(words, u32x4_splat(mask))
    }

    #[inline(always)]
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words {
        v128_or(a, b)
    }

    #[inline(always)]
    fn shr(self, words: Self::Words, by: u32) -> Self::Words {
        u32x4_shr(words, by)
    }

    #[inline(always)]
    fn shl(self, words: Self::Words, by: u32) -> Self::Words {
        u32x4_shl(words, by)
    }

    #[inline(always)]
    fn multiply(self, words: Self::Words, factor: u32) -> Self::Words {
        i32x4_mul(words, u32x4_splat(factor))
    }

    #[inline(always)]
    fn integers(self, words: Self::Words) -> Self::Lanes {
        f32x4_convert_i32x4(words)
    }

    #[inline(always)]
    fn low_halves(self, words: Self::Words) -> Self::Lanes {
        self.high_halves(u32x4_shl(words, 16))
    }

    #[inline(always)]
    fn high_halves(self, words: Self::Words) -> Self::Lanes {
        high_halves(words)
    }

    #[inline(always)]
    fn quad(self, signed: bool, numbers: Self::Words) -> Self::Quad {
        products::quad(signed, numbers)
    }

    #[inline(always)]
    fn group_dot(
        self,
        signed: bool,
        sums: Self::Partial,
        quad: Self::Quad,
        run: &Self::Run,
        place: [usize; 2],
    ) -> Self::Partial {
        products::group_dot::<PAIRS>(signed, sums, quad, run, place)
    }

    #[inline(always)]
    fn partial_groups(self, largest: u32) -> usize {
        products::partial_groups::<PAIRS>(largest)
    }

    #[inline(always)]
    fn plus(self, signed: bool, sums: Self::Sums, partial: Self::Partial) -> Self::Sums {
        i32x4_add(sums, if PAIRS && !signed { i32x4_extadd_pairwise_i16x8(partial) } else { partial })
    }

    #[inline(always)]
    fn raised_plus(self, high: Self::Sums, low: Self::Sums) -> Self::Sums {
        i32x4_add(i32x4_shl(high, 7), low)
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn no_partial(self) -> Self::Partial {
        self.no_sums()
    }

    #[inline(always)]
    fn less(self, sums: Self::Sums, by: i32) -> Self::Sums {
        i32x4_sub(sums, i32x4_splat(by))
    }

    #[inline(always)]
    fn floats(self, sums: Self::Sums) -> Self::Lanes {
        f32x4_convert_i32x4(sums)
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        f32x4_splat(value)
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        f32x4_mul(a, b)
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        plus_product(acc, a, b)
    }

    #[inline(always)]
    fn get_lanes(self, values: &[f32]) -> Self::Lanes {
        let values: &[f32; 4] = first_of(values);
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { v128_load(values.as_ptr().cast()) }
    }

    #[inline(always)]
    fn put_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        let out: &mut [f32; 4] = first_of_mut(out);
        // SAFETY: the store is as long as the array, and needs no alignment.
        unsafe { v128_store(out.as_mut_ptr().cast(), lanes) };
    }
}
