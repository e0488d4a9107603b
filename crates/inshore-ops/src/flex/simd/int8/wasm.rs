//! WebAssembly's SIMD. What its dot products take differs between the two builds: 16-bit numbers ([`fixed`]), or also
//! bytes ([`relaxed`]).

use std::arch::wasm32::*;

use super::super::wasm::Simd128;
use super::{Int8, RUN};

mod fixed;
#[cfg(feature = "relaxed-simd")]
mod relaxed;

#[cfg(not(feature = "relaxed-simd"))]
use self::fixed as products;
#[cfg(feature = "relaxed-simd")]
use self::relaxed as products;

#[inline(always)]
fn load<const N: usize>(bytes: &[u8; N], at: usize) -> v128 {
    let sixteen: &[u8; 16] = bytes[at..].first_chunk().expect("sixteen bytes from here on");
    // SAFETY: the load is as long as the array, and needs no alignment.
    unsafe { v128_load(sixteen.as_ptr().cast()) }
}

/// Widens the half in the upper 16 bits of each word, which is finite: exponents differ by 112. Subnormal halves become
/// subnormal f32 on the way, which is slow on some CPUs; as scales they are rare.
#[inline(always)]
fn widen(upper: v128) -> [f32; 4] {
    let shifted = v128_and(i32x4_shr(upper, 3), u32x4_splat(0x8FFF_E000));
    let widened = f32x4_mul(shifted, f32x4_splat(f32::from_bits((127 + 112) << 23)));
    let mut out = [0.0; 4];
    // SAFETY: the store is as long as the array, and needs no alignment.
    unsafe { v128_store(out.as_mut_ptr().cast(), widened) };
    out
}

impl Int8 for Simd128 {
    const ROWS: usize = 4;
    const PLANES: usize = products::PLANES;

    type Run = products::Run;
    type Numbers = [v128; 2];
    type Group = [u32; 4];
    type Quad = [v128; 2];
    type Sums = v128;
    type Lanes = v128;
    type Row = [f32; 4];

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        products::arrange(values)
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; 16]) -> Self::Numbers {
        let (bytes, mask) = (load(bytes, 0), u8x16_splat(15));
        // As 16-bit lanes: CPUs have no shift of bytes.
        [v128_and(bytes, mask), v128_and(u16x8_shr(bytes, 4), mask)]
    }

    #[inline(always)]
    fn bytes(self, bytes: &[u8; RUN]) -> Self::Numbers {
        [load(bytes, 0), load(bytes, 16)]
    }

    #[inline(always)]
    fn with_fifth(self, numbers: Self::Numbers, bits: u32) -> Self::Numbers {
        let all = u32x4_splat(bits);
        let own_bit = u64x2_splat(0x8040_2010_0804_0201);
        let fifth = |own_byte: v128| {
            let is_set = i8x16_eq(v128_and(i8x16_swizzle(all, own_byte), own_bit), own_bit);
            v128_and(is_set, u8x16_splat(16))
        };
        let first = u8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        let second = u8x16(2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
        [v128_or(numbers[0], fifth(first)), v128_or(numbers[1], fifth(second))]
    }

    #[inline(always)]
    fn store_numbers(self, numbers: Self::Numbers) -> [u8; RUN] {
        let mut out = [0; RUN];
        // SAFETY: the stores are as long as the array, and need no alignment.
        unsafe {
            v128_store(out.as_mut_ptr().cast(), numbers[0]);
            v128_store(out[16..].as_mut_ptr().cast(), numbers[1]);
        }
        out
    }

    #[inline(always)]
    fn dot<const SIGNED: bool>(self, numbers: Self::Numbers, run: &Self::Run) -> Self::Sums {
        products::dot::<SIGNED>(numbers, run)
    }

    #[inline(always)]
    fn quad<const SIGNED: bool>(self, group: &Self::Group) -> Self::Quad {
        products::quad::<SIGNED>(load::<16>(bytemuck::cast_ref(group), 0))
    }

    #[inline(always)]
    fn group_dot<const SIGNED: bool>(
        self,
        sums: Self::Sums,
        quad: Self::Quad,
        run: &Self::Run,
        plane: usize,
        group: usize,
    ) -> Self::Sums {
        products::group_dot::<SIGNED>(sums, quad, run, (plane, group))
    }

    #[inline(always)]
    fn raise(self, sums: Self::Sums) -> Self::Sums {
        i32x4_shl(sums, 7)
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        f32x4_splat(value)
    }

    #[inline(always)]
    fn load_row(self, row: &Self::Row) -> Self::Lanes {
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { v128_load(row.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_row(self, lanes: Self::Lanes) -> Self::Row {
        let mut row = [0.0; 4];
        // SAFETY: the store is as long as the array, and needs no alignment.
        unsafe { v128_store(row.as_mut_ptr().cast(), lanes) };
        row
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        f32x4_mul(a, b)
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        products::plus_product(acc, a, b)
    }

    #[inline(always)]
    fn plus_scaled(self, acc: Self::Lanes, sums: Self::Sums, scale: Self::Lanes) -> Self::Lanes {
        products::plus_product(acc, f32x4_convert_i32x4(sums), scale)
    }

    #[inline(always)]
    fn total(self, a: Self::Lanes, b: Self::Lanes) -> f32 {
        let four = f32x4_add(a, b);
        let two = f32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
        f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
    }

    #[inline(always)]
    fn four_halves(self, bits: [u16; 4]) -> [f32; 4] {
        widen(i32x4_shl(u32x4_extend_low_u16x8(u64x2(bytemuck::cast(bits), 0)), 16))
    }

    #[inline(always)]
    fn half_pairs(self, words: [u32; 4]) -> [[f32; 4]; 2] {
        let words = u32x4(words[0], words[1], words[2], words[3]);
        [widen(i32x4_shl(words, 16)), widen(words)]
    }
}
