//! VNNI multiplies pairs and adds them to a lane in one instruction.

use std::arch::x86_64::*;

use super::super::avx512::Avx512;
use super::{Int8, Pairs, first_of};

impl Pairs for Avx512 {
    type Pairs = __m512i;
    type Dots = __m512i;

    #[inline(always)]
    fn get_pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs {
        let pairs: &[[i16; 2]; 16] = first_of(pairs);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_loadu_si512(pairs.as_ptr().cast()) }
    }

    #[inline(always)]
    fn get_byte_pairs(self, pairs: &[[i8; 2]]) -> Self::Pairs {
        let pairs: &[[i8; 2]; 16] = first_of(pairs);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(pairs.as_ptr().cast())) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: &[i16; 2]) -> Self::Pairs {
        // SAFETY: the token proves the features.
        unsafe { _mm512_set1_epi32(bytemuck::cast(*pair)) }
    }

    #[inline(always)]
    fn no_dots(self) -> Self::Dots {
        self.no_sums()
    }

    #[inline(always)]
    fn plus_dots(self, dots: Self::Dots, a: Self::Pairs, b: Self::Pairs) -> Self::Dots {
        // SAFETY: the token proves the features.
        unsafe { _mm512_dpwssd_epi32(dots, a, b) }
    }

    #[inline(always)]
    fn dots(self, dots: Self::Dots) -> Self::Lanes {
        self.floats(dots)
    }

    #[inline(always)]
    fn larger(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }

    #[inline(always)]
    fn at_least(self, lanes: Self::Lanes, least: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_max_ps(_mm512_set1_ps(least), lanes) }
    }

    #[inline(always)]
    fn exponent(self, lanes: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(lanes))) }
    }
}
