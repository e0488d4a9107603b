//! AVX2: `pmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16 bits, which cannot overflow here. Where numbers
//! are small several of these sums fit 16 bits, too, and are widened together.

use std::arch::x86_64::*;

use super::super::avx2::Avx2;
use super::{Int8, Line, RUN, first_of, first_of_mut, group_of, groups_in_16_bits, part_of, part_of_mut, planes};

impl Int8 for Avx2 {
    const ROWS: usize = 8;
    const PLANES: usize = 2;

    type Run = [i8; 2 * RUN];
    type Words = __m256i;
    type Quad = __m256i;
    type Sums = __m256i;
    /// Sixteen sums of 16 bits, two a row.
    type Partial = __m256i;
    type Lanes = __m256;

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        planes(values)
    }

    #[inline(always)]
    fn words(self, line: &Line, part: usize) -> Self::Words {
        let words: &[u32; 8] = part_of(line, part);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_words(self, words: Self::Words, line: &mut Line, part: usize) {
        let line: &mut [u32; 8] = part_of_mut(line, part);
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm256_storeu_si256(line.as_mut_ptr().cast(), words) };
    }

    #[inline(always)]
    fn and(self, words: Self::Words, mask: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm256_and_si256(words, _mm256_set1_epi32(mask as i32)) }
    }

    #[inline(always)]
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    fn shr(self, words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm256_srl_epi32(words, _mm_cvtsi32_si128(by as i32)) }
    }

    #[inline(always)]
    fn shl(self, words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm256_sll_epi32(words, _mm_cvtsi32_si128(by as i32)) }
    }

    #[inline(always)]
    fn multiply(self, words: Self::Words, factor: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { _mm256_mullo_epi32(words, _mm256_set1_epi32(factor as i32)) }
    }

    #[inline(always)]
    fn integers(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_cvtepi32_ps(words) }
    }

    #[inline(always)]
    fn low_halves(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe {
            let even_bytes = _mm256_set_epi64x(-1, 0x0D0C_0908_0504_0100, -1, 0x0D0C_0908_0504_0100);
            let halves = _mm256_permute4x64_epi64::<0b1000>(_mm256_shuffle_epi8(words, even_bytes));
            _mm256_cvtph_ps(_mm256_castsi256_si128(halves))
        }
    }

    #[inline(always)]
    fn quad(self, _: bool, numbers: Self::Words) -> Self::Quad {
        numbers
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
        // SAFETY: the token proves the features.
        unsafe {
            let x = _mm256_set1_epi32(bytemuck::cast(*group_of(run, place)));
            // Signed numbers become their magnitude, the sign goes to the activations; both stay in their range, also
            // for -128.
            let (numbers, x) = if signed { (_mm256_abs_epi8(quad), _mm256_sign_epi8(x, quad)) } else { (quad, x) };
            _mm256_add_epi16(sums, _mm256_maddubs_epi16(numbers, x))
        }
    }

    #[inline(always)]
    fn partial_groups(self, largest: u32) -> usize {
        groups_in_16_bits(largest)
    }

    #[inline(always)]
    fn plus(self, _: bool, sums: Self::Sums, partial: Self::Partial) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(partial, _mm256_set1_epi16(1))) }
    }

    #[inline(always)]
    fn raised_plus(self, high: Self::Sums, low: Self::Sums) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm256_add_epi32(_mm256_slli_epi32::<7>(high), low) }
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn no_partial(self) -> Self::Partial {
        self.no_sums()
    }

    #[inline(always)]
    fn less(self, sums: Self::Sums, by: i32) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm256_sub_epi32(sums, _mm256_set1_epi32(by)) }
    }

    #[inline(always)]
    fn floats(self, sums: Self::Sums) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_cvtepi32_ps(sums) }
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_fmadd_ps(a, b, acc) }
    }

    #[inline(always)]
    fn get_lanes(self, values: &[f32]) -> Self::Lanes {
        let values: &[f32; 8] = first_of(values);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm256_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    fn put_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        let out: &mut [f32; 8] = first_of_mut(out);
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), lanes) };
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        // SAFETY: a prefetch reads nothing that anyone sees, and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
}
