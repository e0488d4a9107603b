//! Lanes on x86-64 with AVX-512 and its byte products (VNNI; 2019 and later): one 512-bit register. Bytes are those of
//! AVX2. The first AVX-512 CPUs, without VNNI, lower their clock for wide registers and are served by AVX2.

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::{Kernel, LANES, Simd};

/// Proof that the CPU has AVX-512 F, BW, VL and VNNI beside AVX2: only [`detect`](Self::detect) makes one.
#[derive(Clone, Copy)]
pub struct Avx512 {
    pub(super) bytes: Avx2,
}

impl Avx512 {
    /// The token, if this CPU has the instructions.
    #[inline]
    pub fn detect() -> Option<Self> {
        let bytes = Avx2::detect()?;
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Self { bytes })
    }

    /// Runs `kernel`, compiled for these instructions.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
        fn enter<K: Kernel>(simd: Avx512, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: the token proves that the CPU has the features of `enter`.
        unsafe { enter(self, kernel) }
    }
}

impl Simd for Avx512 {
    const REGISTERS: usize = 32;

    type Floats = __m512;
    type Bytes = __m128i;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, values: Self::Floats, out: &mut [f32; LANES]) {
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn sum(self, values: Self::Floats) -> f32 {
        // SAFETY: the token proves the features.
        let halves = unsafe {
            let high = _mm512_shuffle_f32x4::<0b1110_1110>(values, values);
            [_mm512_castps512_ps256(values), _mm512_castps512_ps256(high)]
        };
        self.bytes.sum(halves)
    }

    #[inline(always)]
    fn f16(self, bits: u16) -> f32 {
        self.bytes.f16(bits)
    }

    #[inline(always)]
    fn load_f16(self, bits: &[u16; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(bits.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_bf16(self, bits: &[u16; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe {
            let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(bits.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
        }
    }

    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES]) -> Self::Bytes {
        self.bytes.load_bytes(bytes)
    }

    #[inline(always)]
    fn shift_right(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes {
        self.bytes.shift_right(bytes, shift, mask)
    }

    #[inline(always)]
    fn or_shifted(self, low: Self::Bytes, high: Self::Bytes, shift: u32) -> Self::Bytes {
        self.bytes.or_shifted(low, high, shift)
    }

    #[inline(always)]
    fn spread_bits(self, bits: u16) -> Self::Bytes {
        self.bytes.spread_bits(bits)
    }

    #[inline(always)]
    fn sub(self, bytes: Self::Bytes, offset: u8) -> Self::Bytes {
        self.bytes.sub(bytes, offset)
    }

    #[inline(always)]
    fn unsigned(self, bytes: Self::Bytes) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)) }
    }

    #[inline(always)]
    fn signed(self, bytes: Self::Bytes) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)) }
    }
}
