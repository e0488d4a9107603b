//! Relaxed SIMD: `i32x4.relaxed_dot_i8x16_i7x16_add_s` multiplies signed bytes by numbers below 128 and adds four products
//! to a lane. Within these bounds its result is the same everywhere. Signed numbers (Q8_0) go the way of fixed-width SIMD.

use std::arch::wasm32::*;

use super::{RUN, fixed};

pub const PLANES: usize = 2;

/// For signed numbers as [`fixed::Run`]; for others as bytes, the high plane, then the low one: `value = 128 * high + low`,
/// `low` in -64..=63.
pub type Run = [fixed::Run; 2];
pub type Quad = fixed::Quad;

#[inline(always)]
pub fn arrange(values: &[i16; RUN]) -> Run {
    let mut planes = [0_i8; 2 * RUN];
    for (at, value) in values.iter().enumerate() {
        // Wrapping: what became of a value that is not finite may be any number.
        let high = value.wrapping_add(64) >> 7;
        planes[at] = high as i8;
        planes[RUN + at] = value.wrapping_sub(high << 7) as i8;
    }
    [fixed::arrange(values), bytemuck::cast(planes)]
}

#[inline(always)]
pub fn quad(signed: bool, bytes: v128) -> Quad {
    if signed { fixed::quad(true, bytes) } else { [bytes; 2] }
}

/// Signed numbers have it all in the low plane.
#[inline(always)]
pub fn group_dot(signed: bool, sums: v128, quad: Quad, run: &Run, [plane, group]: [usize; 2]) -> v128 {
    if signed {
        return if plane == 0 { sums } else { fixed::group_dot(true, sums, quad, &run[0], [0, group]) };
    }
    let planes: &[u8; 2 * RUN] = bytemuck::cast_ref(&run[1]);
    let four: &[u8; 4] = planes[plane * RUN + group * 4..].first_chunk().expect("a plane has eight groups");
    // SAFETY: the load is as long as the array, and needs no alignment.
    let four = unsafe { v128_load32_splat(four.as_ptr().cast()) };
    i32x4_relaxed_dot_i8x16_i7x16_add(four, quad[0], sums)
}

#[inline(always)]
pub fn plus_product(acc: v128, a: v128, b: v128) -> v128 {
    f32x4_relaxed_madd(a, b, acc)
}
