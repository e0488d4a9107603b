//! AVX-512 with VNNI: `vpdpbusd` multiplies unsigned by signed bytes and adds four products to a 32-bit lane.

use std::arch::x86_64::*;

use super::super::avx512::Avx512;
use super::{Int8, Line, RUN, first_of, first_of_mut, group_of, part_of, part_of_mut, planes};

impl Int8 for Avx512 {
    const ROWS: usize = 16;
    const PLANES: usize = 2;
    const BIAS: i32 = 128;

    type Run = [i8; 2 * RUN];
    type Words = __m512i;
    type Quad = __m512i;
    type Sums = __m512i;
    type Partial = Self::Sums;
    type Lanes = __m512;

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        planes(values)
    }

    #[inline(always)]
    fn words(self, line: &Line, part: usize) -> Self::Words {
        let words: &[u32; 16] = part_of(line, part);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_words(self, words: Self::Words, line: &mut Line, part: usize) {
        let line: &mut [u32; 16] = part_of_mut(line, part);
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), words) };
    }

    #[inline(always)]
    fn and(self, words: Self::Words, mask: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm512_and_si512(words, _mm512_set1_epi32(mask as i32)) }
    }

    #[inline(always)]
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    fn shr(self, words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm512_srl_epi32(words, _mm_cvtsi32_si128(by as i32)) }
    }

    #[inline(always)]
    fn shl(self, words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm512_sll_epi32(words, _mm_cvtsi32_si128(by as i32)) }
    }

    #[inline(always)]
    fn multiply(self, words: Self::Words, factor: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm512_mullo_epi32(words, _mm512_set1_epi32(factor as i32)) }
    }

    #[inline(always)]
    fn integers(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_cvtepi32_ps(words) }
    }

    #[inline(always)]
    fn low_halves(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)) }
    }

    #[inline(always)]
    fn quad(self, signed: bool, numbers: Self::Words) -> Self::Quad {
        // A number and its bias, modulo 256, are a change of the sign bit.
        // SAFETY: the token proves the features.
        unsafe { if signed { _mm512_xor_si512(numbers, _mm512_set1_epi32(0x8080_8080_u32 as i32)) } else { numbers } }
    }

    #[inline(always)]
    fn group_dot(
        self,
        _: bool,
        sums: Self::Partial,
        quad: Self::Quad,
        run: &Self::Run,
        place: [usize; 2],
    ) -> Self::Partial {
        // SAFETY: the token proves the features.
        unsafe { _mm512_dpbusd_epi32(sums, quad, _mm512_set1_epi32(bytemuck::cast(*group_of(run, place)))) }
    }

    #[inline(always)]
    fn plus(self, _: bool, sums: Self::Sums, partial: Self::Partial) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_add_epi32(sums, partial) }
    }

    #[inline(always)]
    fn raised_plus(self, high: Self::Sums, low: Self::Sums) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_add_epi32(_mm512_slli_epi32::<7>(high), low) }
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn no_partial(self) -> Self::Partial {
        self.no_sums()
    }

    #[inline(always)]
    fn less(self, sums: Self::Sums, by: i32) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_sub_epi32(sums, _mm512_set1_epi32(by)) }
    }

    #[inline(always)]
    fn floats(self, sums: Self::Sums) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_cvtepi32_ps(sums) }
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_fmadd_ps(a, b, acc) }
    }

    #[inline(always)]
    fn get_lanes(self, values: &[f32]) -> Self::Lanes {
        let values: &[f32; 16] = first_of(values);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    fn put_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        let out: &mut [f32; 16] = first_of_mut(out);
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), lanes) };
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        // SAFETY: a prefetch reads nothing that anyone sees, and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
}
