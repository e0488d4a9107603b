use std::arch::x86_64::*;

use super::super::avx2::Avx2;
use super::{Int8, Pairs, first_of};

impl Pairs for Avx2 {
    type Pairs = __m256i;
    type Dots = __m256i;

    #[inline(always)]
    fn get_pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs {
        let pairs: &[[i16; 2]; 8] = first_of(pairs);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm256_loadu_si256(pairs.as_ptr().cast()) }
    }

    #[inline(always)]
    fn get_byte_pairs(self, pairs: &[[i8; 2]]) -> Self::Pairs {
        let pairs: &[[i8; 2]; 8] = first_of(pairs);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(pairs.as_ptr().cast())) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: &[i16; 2]) -> Self::Pairs {
        // SAFETY: the token proves the features.
        unsafe { _mm256_set1_epi32(bytemuck::cast(*pair)) }
    }

    #[inline(always)]
    fn no_dots(self) -> Self::Dots {
        self.no_sums()
    }

    #[inline(always)]
    fn plus_dots(self, dots: Self::Dots, a: Self::Pairs, b: Self::Pairs) -> Self::Dots {
        // SAFETY: the token proves the features.
        unsafe { _mm256_add_epi32(dots, _mm256_madd_epi16(a, b)) }
    }

    #[inline(always)]
    fn dots(self, dots: Self::Dots) -> Self::Lanes {
        self.floats(dots)
    }

    #[inline(always)]
    fn larger(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }

    #[inline(always)]
    fn at_least(self, lanes: Self::Lanes, least: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_max_ps(_mm256_set1_ps(least), lanes) }
    }

    #[inline(always)]
    fn exponent(self, lanes: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(lanes))) }
    }
}
