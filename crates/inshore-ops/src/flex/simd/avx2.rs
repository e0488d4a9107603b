//! Lanes on x86-64 with AVX2, FMA and F16C (2013 and later): two 256-bit registers.

use std::arch::x86_64::*;

use super::{Kernel, LANES, Simd};

/// Proof that the CPU has AVX2, FMA and F16C: only [`detect`](Self::detect) makes one.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// The token, if this CPU has the instructions.
    #[inline]
    pub fn detect() -> Option<Self> {
        let found =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }

    /// Runs `kernel`, compiled for these instructions.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn enter<K: Kernel>(simd: Avx2, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: the token proves that the CPU has the features of `enter`.
        unsafe { enter(self, kernel) }
    }
}

impl Simd for Avx2 {
    const REGISTERS: usize = 8;

    type Floats = [__m256; 2];
    type Bytes = __m128i;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        // SAFETY: the token proves the features.
        [unsafe { _mm256_set1_ps(value) }; 2]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; both loads lie inside the array, and need no alignment.
        unsafe { [_mm256_loadu_ps(values.as_ptr()), _mm256_loadu_ps(values[8..].as_ptr())] }
    }

    #[inline(always)]
    fn store(self, values: Self::Floats, out: &mut [f32; LANES]) {
        // SAFETY: the token proves the features; both stores lie inside the array, and need no alignment.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), values[0]);
            _mm256_storeu_ps(out[8..].as_mut_ptr(), values[1]);
        }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn sum(self, values: Self::Floats) -> f32 {
        // SAFETY: the token proves the features.
        unsafe {
            let eight = _mm256_add_ps(values[0], values[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn f16(self, bits: u16) -> f32 {
        // SAFETY: the token proves the features.
        unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits.into()))) }
    }

    #[inline(always)]
    fn load_f16(self, bits: &[u16; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; both loads lie inside the array, and need no alignment.
        unsafe {
            let low = _mm_loadu_si128(bits.as_ptr().cast());
            let high = _mm_loadu_si128(bits[8..].as_ptr().cast());
            [_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)]
        }
    }

    #[inline(always)]
    fn load_bf16(self, bits: &[u16; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; both loads lie inside the array, and need no alignment.
        unsafe {
            let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(bits.as_ptr().cast()));
            let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(bits[8..].as_ptr().cast()));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high))]
        }
    }

    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES]) -> Self::Bytes {
        // SAFETY: SSE2 is part of every x86-64; the load is as long as the array, and needs no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn shift_right(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes {
        // SAFETY: SSE2 is part of every x86-64.
        unsafe {
            // There is no shift of bytes; the mask drops what comes over from the neighbour.
            let shifted = _mm_srl_epi16(bytes, _mm_cvtsi32_si128(shift as i32));
            _mm_and_si128(shifted, _mm_set1_epi8(mask as i8))
        }
    }

    #[inline(always)]
    fn or_shifted(self, low: Self::Bytes, high: Self::Bytes, shift: u32) -> Self::Bytes {
        // SAFETY: SSE2 is part of every x86-64.
        unsafe { _mm_or_si128(low, _mm_sll_epi16(high, _mm_cvtsi32_si128(shift as i32))) }
    }

    #[inline(always)]
    fn spread_bits(self, bits: u16) -> Self::Bytes {
        // SAFETY: the token proves the features.
        unsafe {
            let halves = _mm_set_epi64x(0x0101_0101_0101_0101, 0);
            let own_byte = _mm_shuffle_epi8(_mm_set1_epi16(bits as i16), halves);
            let own_bit = _mm_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let is_set = _mm_cmpeq_epi8(_mm_and_si128(own_byte, own_bit), own_bit);
            _mm_and_si128(is_set, _mm_set1_epi8(1))
        }
    }

    #[inline(always)]
    fn sub(self, bytes: Self::Bytes, offset: u8) -> Self::Bytes {
        // SAFETY: SSE2 is part of every x86-64.
        unsafe { _mm_sub_epi8(bytes, _mm_set1_epi8(offset as i8)) }
    }

    #[inline(always)]
    fn unsigned(self, bytes: Self::Bytes) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe {
            let low = _mm256_cvtepu8_epi32(bytes);
            let high = _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes));
            [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)]
        }
    }

    #[inline(always)]
    fn signed(self, bytes: Self::Bytes) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe {
            let low = _mm256_cvtepi8_epi32(bytes);
            let high = _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes));
            [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)]
        }
    }
}
