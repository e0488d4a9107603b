use std::arch::wasm32::*;

use super::super::wasm::Simd128;
use super::{Pairs, first_of};

impl<const BY_PAIRS: bool> Pairs for Simd128<BY_PAIRS> {
    type Pairs = v128;
    type Dots = v128;

    #[inline(always)]
    fn get_pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs {
        let pairs: &[[i16; 2]; 4] = first_of(pairs);
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { v128_load(pairs.as_ptr().cast()) }
    }

    #[inline(always)]
    fn get_byte_pairs(self, pairs: &[[i8; 2]]) -> Self::Pairs {
        let pairs: &[[i8; 2]; 4] = first_of(pairs);
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { i16x8_load_extend_i8x8(pairs.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: &[i16; 2]) -> Self::Pairs {
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { v128_load32_splat(pair.as_ptr().cast()) }
    }

    #[inline(always)]
    fn no_dots(self) -> Self::Dots {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn plus_dots(self, dots: Self::Dots, a: Self::Pairs, b: Self::Pairs) -> Self::Dots {
        i32x4_add(dots, i32x4_dot_i16x8(a, b))
    }

    #[inline(always)]
    fn dots(self, dots: Self::Dots) -> Self::Lanes {
        f32x4_convert_i32x4(dots)
    }

    #[inline(always)]
    fn larger(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        u32x4_max(a, b)
    }

    #[inline(always)]
    fn at_least(self, lanes: Self::Lanes, least: f32) -> Self::Lanes {
        f32x4_pmax(lanes, f32x4_splat(least))
    }

    #[inline(always)]
    fn exponent(self, lanes: Self::Lanes) -> Self::Lanes {
        i32x4_shl(lanes, 23)
    }
}
