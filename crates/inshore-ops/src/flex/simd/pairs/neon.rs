use std::arch::aarch64::*;

use super::super::neon::Neon;
use super::{Int8, Pairs, first_of};

impl Pairs for Neon {
    type Pairs = int16x8_t;
    /// Two lanes a pair, which are added last: of pairs 0 and 1, then of pairs 2 and 3.
    type Dots = [int32x4_t; 2];

    #[inline(always)]
    fn get_pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs {
        let pairs: &[[i16; 2]; 4] = first_of(pairs);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { vld1q_s16(pairs.as_ptr().cast()) }
    }

    #[inline(always)]
    fn get_byte_pairs(self, pairs: &[[i8; 2]]) -> Self::Pairs {
        let pairs: &[[i8; 2]; 4] = first_of(pairs);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { vmovl_s8(vld1_s8(pairs.as_ptr().cast())) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: &[i16; 2]) -> Self::Pairs {
        // SAFETY: the token proves the features.
        unsafe { vreinterpretq_s16_s32(vdupq_n_s32(bytemuck::cast(*pair))) }
    }

    #[inline(always)]
    fn no_dots(self) -> Self::Dots {
        self.no_partial()
    }

    #[inline(always)]
    fn plus_dots(self, [low, high]: Self::Dots, a: Self::Pairs, b: Self::Pairs) -> Self::Dots {
        // SAFETY: the token proves the features.
        unsafe { [vmlal_s16(low, vget_low_s16(a), vget_low_s16(b)), vmlal_high_s16(high, a, b)] }
    }

    #[inline(always)]
    fn dots(self, [low, high]: Self::Dots) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vcvtq_f32_s32(vpaddq_s32(low, high)) }
    }

    #[inline(always)]
    fn larger(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b))) }
    }

    #[inline(always)]
    fn at_least(self, lanes: Self::Lanes, least: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vmaxq_f32(vdupq_n_f32(least), lanes) }
    }

    #[inline(always)]
    fn exponent(self, lanes: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<23>(vreinterpretq_u32_f32(lanes))) }
    }
}
