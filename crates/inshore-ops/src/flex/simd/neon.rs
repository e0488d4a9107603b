//! Lanes on AArch64: four 128-bit registers of NEON, which is part of every target that has a standard library.

use std::arch::aarch64::*;

use super::{Kernel, LANES, Simd};

/// Proof that the CPU has NEON.
#[derive(Clone, Copy)]
pub struct Neon(());

impl Neon {
    /// The token, if this CPU has the instructions.
    #[inline]
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// Runs `kernel`, compiled for these instructions.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) {
        #[target_feature(enable = "neon")]
        fn enter<K: Kernel>(simd: Neon, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: the token proves that the CPU has the features of `enter`.
        unsafe { enter(self, kernel) }
    }
}

impl Simd for Neon {
    const REGISTERS: usize = 8;

    type Floats = [float32x4_t; 4];
    type Bytes = uint8x16_t;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { [vdupq_n_f32(value); 4] }
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; the loads are as long as the arrays, and need no alignment.
        unsafe {
            let mut out = self.splat(0.0);
            for (out, four) in out.iter_mut().zip(values.as_chunks::<4>().0) {
                *out = vld1q_f32(four.as_ptr());
            }
            out
        }
    }

    #[inline(always)]
    fn store(self, values: Self::Floats, out: &mut [f32; LANES]) {
        // SAFETY: the token proves the features; the stores are as long as the arrays, and need no alignment.
        unsafe {
            for (out, four) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                vst1q_f32(out.as_mut_ptr(), four);
            }
        }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe {
            [
                vfmaq_f32(c[0], a[0], b[0]),
                vfmaq_f32(c[1], a[1], b[1]),
                vfmaq_f32(c[2], a[2], b[2]),
                vfmaq_f32(c[3], a[3], b[3]),
            ]
        }
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1]), vaddq_f32(a[2], b[2]), vaddq_f32(a[3], b[3])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1]), vmulq_f32(a[2], b[2]), vmulq_f32(a[3], b[3])] }
    }

    #[inline(always)]
    fn sum(self, values: Self::Floats) -> f32 {
        // SAFETY: the token proves the features.
        unsafe {
            let four = vaddq_f32(vaddq_f32(values[0], values[2]), vaddq_f32(values[1], values[3]));
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        }
    }

    #[inline(always)]
    fn load_f16(self, bits: &[u16; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; the loads are as long as the arrays, and need no alignment.
        unsafe {
            let mut out = self.splat(0.0);
            for (out, four) in out.iter_mut().zip(bits.as_chunks::<4>().0) {
                *out = self.halves(vld1_u16(four.as_ptr()));
            }
            out
        }
    }

    #[inline(always)]
    fn load_bf16(self, bits: &[u16; LANES]) -> Self::Floats {
        // SAFETY: the token proves the features; the loads are as long as the arrays, and need no alignment.
        unsafe {
            let mut out = self.splat(0.0);
            for (out, four) in out.iter_mut().zip(bits.as_chunks::<4>().0) {
                *out = vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(four.as_ptr())));
            }
            out
        }
    }

    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES]) -> Self::Bytes {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { vld1q_u8(bytes.as_ptr()) }
    }

    #[inline(always)]
    fn shift_right(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes {
        // SAFETY: the token proves the features.
        unsafe { vandq_u8(vshlq_u8(bytes, vdupq_n_s8(-(shift as i8))), vdupq_n_u8(mask)) }
    }

    #[inline(always)]
    fn or_shifted(self, low: Self::Bytes, high: Self::Bytes, shift: u32) -> Self::Bytes {
        // SAFETY: the token proves the features.
        unsafe { vorrq_u8(low, vshlq_u8(high, vdupq_n_s8(shift as i8))) }
    }

    #[inline(always)]
    fn spread_bits(self, bits: u16) -> Self::Bytes {
        // SAFETY: the token proves the features.
        unsafe {
            let [low, high] = bits.to_le_bytes();
            let own_byte = vcombine_u8(vdup_n_u8(low), vdup_n_u8(high));
            let own_bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
            vandq_u8(vtstq_u8(own_byte, own_bit), vdupq_n_u8(1))
        }
    }

    #[inline(always)]
    fn sub(self, bytes: Self::Bytes, offset: u8) -> Self::Bytes {
        // SAFETY: the token proves the features.
        unsafe { vsubq_u8(bytes, vdupq_n_u8(offset)) }
    }

    #[inline(always)]
    fn unsigned(self, bytes: Self::Bytes) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe {
            let [low, high] = [vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)];
            [
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
                vcvtq_f32_u32(vmovl_high_u16(low)),
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
                vcvtq_f32_u32(vmovl_high_u16(high)),
            ]
        }
    }

    #[inline(always)]
    fn signed(self, bytes: Self::Bytes) -> Self::Floats {
        // SAFETY: the token proves the features.
        unsafe {
            let bytes = vreinterpretq_s8_u8(bytes);
            let [low, high] = [vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)];
            [
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_high_s16(low)),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_high_s16(high)),
            ]
        }
    }
}

impl Neon {
    /// Widens four IEEE binary16 numbers.
    #[inline(always)]
    pub(super) fn halves(self, bits: uint16x4_t) -> float32x4_t {
        // SAFETY: the token proves the features.
        unsafe { vcvt_f32_f16(vreinterpret_f16_u16(bits)) }
    }
}
