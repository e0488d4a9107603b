//! Fixed-width SIMD: bytes are split into even and odd columns of 16 bits, for `i32x4.dot_i16x8_s`, which is one
//! instruction on every CPU. Activations are stored that way.

use std::arch::wasm32::*;

use super::super::even_and_odd;
#[cfg(not(feature = "relaxed-simd"))]
use super::GROUPS;
use super::RUN;

#[cfg(not(feature = "relaxed-simd"))]
pub const PLANES: usize = 1;

pub type Run = [i16; RUN];
/// Even and odd bytes as 16-bit numbers.
pub type Quad = [v128; 2];

#[inline(always)]
pub fn arrange(values: &[i16; RUN]) -> Run {
    even_and_odd(values)
}

#[inline(always)]
pub fn quad(signed: bool, bytes: v128) -> Quad {
    if signed {
        [i16x8_shr(i16x8_shl(bytes, 8), 8), i16x8_shr(bytes, 8)]
    } else {
        [v128_and(bytes, i16x8_splat(0xFF)), u16x8_shr(bytes, 8)]
    }
}

/// Two neighbours of `run`, in every lane.
#[inline(always)]
fn pair(run: &Run, at: usize) -> v128 {
    let two: &[i16; 2] = run[at..].first_chunk().expect("a run has sixteen pairs");
    // SAFETY: the load is as long as the array, and needs no alignment.
    unsafe { v128_load32_splat(two.as_ptr().cast()) }
}

/// Sums of 32 bits hold all groups.
#[cfg(not(feature = "relaxed-simd"))]
#[inline(always)]
pub const fn partial_groups<const PAIRS: bool>(_: u32) -> usize {
    GROUPS
}

/// There is one plane.
#[inline(always)]
pub fn group_dot<const PAIRS: bool>(_: bool, sums: v128, quad: Quad, run: &Run, [_, group]: [usize; 2]) -> v128 {
    let even = i32x4_dot_i16x8(quad[0], pair(run, group * 4));
    let odd = i32x4_dot_i16x8(quad[1], pair(run, group * 4 + 2));
    i32x4_add(sums, i32x4_add(even, odd))
}
