//! AVX-512 with VNNI: `vpdpbusd` multiplies unsigned by signed bytes and adds four products to a 32-bit lane. One row at
//! a time is as wide as a run (256 bits); a panel is sixteen rows.

use std::arch::x86_64::*;

use super::super::avx512::Avx512;
use super::{Int8, RUN, avx2};

impl Int8 for Avx512 {
    const ROWS: usize = 16;
    const PLANES: usize = 2;
    const BIAS: u8 = 128;

    type Run = [i8; 2 * RUN];
    type Numbers = __m256i;
    type Group = [u32; 16];
    type Quad = __m512i;
    type Sums = __m512i;
    type Lanes = __m512;
    type Row = [f32; 16];

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        avx2::planes(values)
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; 16]) -> Self::Numbers {
        self.bytes.nibbles(bytes)
    }

    #[inline(always)]
    fn bytes(self, bytes: &[u8; RUN]) -> Self::Numbers {
        Int8::bytes(self.bytes, bytes)
    }

    #[inline(always)]
    fn with_fifth(self, numbers: Self::Numbers, bits: u32) -> Self::Numbers {
        self.bytes.with_fifth(numbers, bits)
    }

    #[inline(always)]
    fn store_numbers(self, numbers: Self::Numbers) -> [u8; RUN] {
        self.bytes.store_numbers(numbers)
    }

    #[inline(always)]
    fn dot<const SIGNED: bool>(self, numbers: Self::Numbers, run: &Self::Run) -> Self::Sums {
        let plane = |at| avx2::load(self.bytes, avx2::plane(run, at));
        let (high_numbers, high) = self.bytes.magnitudes::<SIGNED>(numbers, plane(0));
        let (low_numbers, low) = self.bytes.magnitudes::<SIGNED>(numbers, plane(1));
        // SAFETY: the token proves the features. The upper half of the register is 0.
        unsafe {
            let sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), high_numbers, high);
            _mm512_zextsi256_si512(_mm256_dpbusd_epi32(_mm256_slli_epi32::<7>(sums), low_numbers, low))
        }
    }

    #[inline(always)]
    fn quad<const SIGNED: bool>(self, group: &Self::Group) -> Self::Quad {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_loadu_si512(group.as_ptr().cast()) }
    }

    #[inline(always)]
    fn group_dot<const SIGNED: bool>(
        self,
        sums: Self::Sums,
        quad: Self::Quad,
        run: &Self::Run,
        plane: usize,
        group: usize,
    ) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_dpbusd_epi32(sums, quad, _mm512_set1_epi32(avx2::word(run, plane, group))) }
    }

    #[inline(always)]
    fn raise(self, sums: Self::Sums) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_slli_epi32::<7>(sums) }
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load_row(self, row: &Self::Row) -> Self::Lanes {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_loadu_ps(row.as_ptr()) }
    }

    #[inline(always)]
    fn store_row(self, lanes: Self::Lanes) -> Self::Row {
        let mut row = [0.0; 16];
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm512_storeu_ps(row.as_mut_ptr(), lanes) };
        row
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
    fn plus_scaled(self, acc: Self::Lanes, sums: Self::Sums, scale: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), scale, acc) }
    }

    #[inline(always)]
    fn total(self, a: Self::Lanes, b: Self::Lanes) -> f32 {
        // SAFETY: the token proves the features.
        super::super::Simd::sum(self, unsafe { _mm512_add_ps(a, b) })
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        self.bytes.prefetch(address);
    }

    #[inline(always)]
    fn four_halves(self, bits: [u16; 4]) -> [f32; 4] {
        self.bytes.four_halves(bits)
    }

    #[inline(always)]
    fn half_pairs(self, words: [u32; 4]) -> [[f32; 4]; 2] {
        self.bytes.half_pairs(words)
    }
}
