//! Relaxed SIMD: `i32x4.relaxed_dot_i8x16_i7x16_add_s` multiplies signed bytes by numbers below 128 and adds four products
//! to a lane; `i16x8.relaxed_dot_i8x16_i7x16_s` adds pairs. Within these bounds their results are the same everywhere. Signed
//! numbers (Q8_0) go the way of fixed-width SIMD.

use std::arch::wasm32::*;

use super::super::{group_of, groups_in_16_bits, planes};
use super::{GROUPS, RUN, fixed};

pub const PLANES: usize = 2;

/// For signed numbers as [`fixed::Run`]; for others as [`planes`].
pub type Run = [fixed::Run; 2];
pub type Quad = fixed::Quad;

#[inline(always)]
pub fn arrange(values: &[i16; RUN]) -> Run {
    [fixed::arrange(values), bytemuck::cast(planes(values))]
}

#[inline(always)]
pub fn quad(signed: bool, bytes: v128) -> Quad {
    if signed { fixed::quad(true, bytes) } else { [bytes; 2] }
}

/// Sums of pairs have 16 bits.
#[inline(always)]
pub const fn partial_groups<const PAIRS: bool>(largest: u32) -> usize {
    if PAIRS { groups_in_16_bits(largest) } else { GROUPS }
}

#[inline(always)]
pub fn group_dot<const PAIRS: bool>(
    signed: bool,
    sums: v128,
    quad: Quad,
    run: &Run,
    [plane, group]: [usize; 2],
) -> v128 {
    if signed {
        return fixed::group_dot::<PAIRS>(true, sums, quad, &run[0], [plane, group]);
    }
    let four = group_of(bytemuck::cast_ref(&run[1]), [plane, group]);
    // SAFETY: the load is as long as the array, and needs no alignment.
    let four = unsafe { v128_load32_splat(four.as_ptr().cast()) };
    if PAIRS {
        i16x8_add(sums, i16x8_relaxed_dot_i8x16_i7x16(four, quad[0]))
    } else {
        i32x4_relaxed_dot_i8x16_i7x16_add(four, quad[0], sums)
    }
}
