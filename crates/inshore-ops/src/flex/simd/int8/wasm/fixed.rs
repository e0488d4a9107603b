//! Fixed-width SIMD: bytes are split into even and odd columns of 16 bits, for `i32x4.dot_i16x8_s`, which is one
//! instruction on every CPU. Activations are stored that way.

use std::arch::wasm32::*;

use super::RUN;

#[cfg(not(feature = "relaxed-simd"))]
pub const PLANES: usize = 1;

/// Of each sixteen columns the even ones, then the odd ones.
pub type Run = [i16; RUN];

#[inline(always)]
pub fn arrange(values: &[i16; RUN]) -> Run {
    std::array::from_fn(|at| values[at / 16 * 16 + at % 8 * 2 + at / 8 % 2])
}

/// Even and odd bytes as 16-bit numbers.
#[inline(always)]
fn split<const SIGNED: bool>(bytes: v128) -> [v128; 2] {
    if SIGNED {
        [i16x8_shr(i16x8_shl(bytes, 8), 8), i16x8_shr(bytes, 8)]
    } else {
        [v128_and(bytes, i16x8_splat(0xFF)), u16x8_shr(bytes, 8)]
    }
}

#[inline(always)]
fn load_x(run: &[i16; RUN], at: usize) -> v128 {
    let eight: &[i16; 8] = run[at..].first_chunk().expect("a run has four eights");
    // SAFETY: the load is as long as the array, and needs no alignment.
    unsafe { v128_load(eight.as_ptr().cast()) }
}

/// Two neighbours of `run`, in every lane.
#[inline(always)]
fn pair(run: &[i16; RUN], at: usize) -> v128 {
    let two: [i16; 2] = *run[at..].first_chunk().expect("a run has sixteen pairs");
    i32x4_splat(bytemuck::cast(two))
}

#[inline(always)]
pub fn dot<const SIGNED: bool>(numbers: [v128; 2], run: &Run) -> v128 {
    let ([a, b], [c, d]) = (split::<SIGNED>(numbers[0]), split::<SIGNED>(numbers[1]));
    let first = i32x4_add(i32x4_dot_i16x8(a, load_x(run, 0)), i32x4_dot_i16x8(b, load_x(run, 8)));
    let second = i32x4_add(i32x4_dot_i16x8(c, load_x(run, 16)), i32x4_dot_i16x8(d, load_x(run, 24)));
    i32x4_add(first, second)
}

#[inline(always)]
pub fn quad<const SIGNED: bool>(bytes: v128) -> [v128; 2] {
    split::<SIGNED>(bytes)
}

/// There is one plane.
#[inline(always)]
pub fn group_dot<const SIGNED: bool>(sums: v128, quad: [v128; 2], run: &Run, (_, group): (usize, usize)) -> v128 {
    let even = group / 4 * 16 + group % 4 * 2;
    let sums = i32x4_add(sums, i32x4_dot_i16x8(quad[0], pair(run, even)));
    i32x4_add(sums, i32x4_dot_i16x8(quad[1], pair(run, even + 8)))
}

#[cfg(not(feature = "relaxed-simd"))]
#[inline(always)]
pub fn plus_product(acc: v128, a: v128, b: v128) -> v128 {
    f32x4_add(acc, f32x4_mul(a, b))
}
