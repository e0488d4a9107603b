//! Relaxed SIMD: `i32x4.relaxed_dot_i8x16_i7x16_add_s` multiplies signed bytes by numbers below 128 and adds four products
//! to a lane. Within these bounds its result is the same everywhere. Signed numbers (Q8_0) go the way of fixed-width SIMD.

use std::arch::wasm32::*;

use super::{RUN, fixed, load};

pub const PLANES: usize = 2;

/// For signed numbers as [`fixed::Run`]; for others as bytes, the high plane, then the low one: `value = 128 * high + low`,
/// `low` in -64..=63.
pub type Run = [fixed::Run; 2];

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

/// Both planes of a run.
#[inline(always)]
fn planes(run: &Run) -> &[u8; 2 * RUN] {
    bytemuck::cast_ref(&run[1])
}

/// `sums + bytes * numbers`, four neighbours in each lane.
#[inline(always)]
fn add_products(sums: v128, bytes: v128, numbers: v128) -> v128 {
    i32x4_relaxed_dot_i8x16_i7x16_add(bytes, numbers, sums)
}

#[inline(always)]
pub fn dot<const SIGNED: bool>(numbers: [v128; 2], run: &Run) -> v128 {
    if SIGNED {
        return fixed::dot::<true>(numbers, &run[0]);
    }
    let planes = planes(run);
    let high = add_products(i32x4_splat(0), load(planes, 0), numbers[0]);
    let high = add_products(high, load(planes, 16), numbers[1]);
    let sums = add_products(i32x4_shl(high, 7), load(planes, RUN), numbers[0]);
    add_products(sums, load(planes, RUN + 16), numbers[1])
}

#[inline(always)]
pub fn quad<const SIGNED: bool>(bytes: v128) -> [v128; 2] {
    if SIGNED { fixed::quad::<true>(bytes) } else { [bytes; 2] }
}

/// Signed numbers have it all in the low plane.
#[inline(always)]
pub fn group_dot<const SIGNED: bool>(sums: v128, quad: [v128; 2], run: &Run, (plane, group): (usize, usize)) -> v128 {
    if !SIGNED {
        let four: [u8; 4] = *planes(run)[plane * RUN + group * 4..].first_chunk().expect("a plane has eight groups");
        return add_products(sums, i32x4_splat(i32::from_le_bytes(four)), quad[0]);
    }
    if plane == 0 { sums } else { fixed::group_dot::<true>(sums, quad, &run[0], (0, group)) }
}

#[inline(always)]
pub fn plus_product(acc: v128, a: v128, b: v128) -> v128 {
    f32x4_relaxed_madd(a, b, acc)
}
