//! Lanes in WebAssembly with fixed-width SIMD: four 128-bit registers. Only loads and stores are unsafe here: the module as
//! a whole is compiled with `simd128`.

use std::arch::wasm32::*;

use super::{Kernel, LANES, Simd};

/// The module is compiled with `simd128`. `PAIRS`: dot products of bytes by pairs, which are added in 16 bits, instead of by
/// fours; see [`pairs_are_quicker`].
#[derive(Clone, Copy)]
pub struct Simd128<const PAIRS: bool = false>;

/// Runs `kernel`, compiled for the instructions of this module.
#[inline]
pub fn run<K: Kernel>(kernel: K) {
    #[cfg(feature = "relaxed-simd")]
    relaxed::<K, false>(kernel);
    #[cfg(not(feature = "relaxed-simd"))]
    kernel.run(Simd128::<false>);
}

#[cfg(feature = "relaxed-simd")]
#[target_feature(enable = "relaxed-simd")]
fn relaxed<K: Kernel, const PAIRS: bool>(kernel: K) {
    kernel.run(Simd128::<PAIRS>);
}

/// As [`run`], with dot products by pairs.
#[cfg(feature = "relaxed-simd")]
#[inline]
pub fn run_pairs<K: Kernel>(kernel: K) {
    relaxed::<K, true>(kernel);
}

/// Whether this CPU has dot products of bytes by pairs only, so that those by fours are several instructions: x86 without
/// VNNI. Beyond its bounds, where the instruction may do what the CPU does, such a CPU is the one that saturates the pairs.
#[cfg(feature = "relaxed-simd")]
pub fn pairs_are_quicker() -> bool {
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    // Threads of a page may ask at once, and the standard library there knows of one: no `OnceLock`.
    const UNKNOWN: u8 = 2;
    static SATURATES: AtomicU8 = AtomicU8::new(UNKNOWN);

    #[target_feature(enable = "relaxed-simd")]
    fn of_extremes() -> i32 {
        let [lowest, all_bits] = std::hint::black_box([i8::MIN, -1]);
        let fours = i32x4_relaxed_dot_i8x16_i7x16_add(i8x16_splat(lowest), i8x16_splat(all_bits), i32x4_splat(0));
        i32x4_extract_lane::<0>(fours)
    }

    #[cfg(test)]
    if let Some(forced) = super::tests::forced_pairs() {
        return forced;
    }
    if SATURATES.load(Relaxed) == UNKNOWN {
        SATURATES.store((of_extremes() == 2 * i32::from(i16::MIN)).into(), Relaxed);
    }
    SATURATES.load(Relaxed) == 1
}

/// `acc + a * b`.
#[inline(always)]
pub fn plus_product(acc: v128, a: v128, b: v128) -> v128 {
    #[cfg(feature = "relaxed-simd")]
    return f32x4_relaxed_madd(a, b, acc);
    #[cfg(not(feature = "relaxed-simd"))]
    f32x4_add(acc, f32x4_mul(a, b))
}

/// Widens the binary16 numbers in the high half of each word, which are finite. Exponents differ by 112. Subnormal halves
/// become subnormal f32 on the way, which is slow on some CPUs; they are rare.
#[inline(always)]
pub fn high_halves(words: v128) -> v128 {
    let shifted = v128_and(i32x4_shr(words, 3), u32x4_splat(0x8FFF_E000));
    f32x4_mul(shifted, f32x4_splat(f32::from_bits((127 + 112) << 23)))
}

#[inline(always)]
fn pairs(a: [v128; 4], b: [v128; 4], f: impl Fn(v128, v128) -> v128) -> [v128; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl<const PAIRS: bool> Simd for Simd128<PAIRS> {
    const REGISTERS: usize = 4;

    type Floats = [v128; 4];
    type Bytes = v128;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        [f32x4_splat(value); 4]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Floats {
        let mut out = [f32x4_splat(0.0); 4];
        for (out, four) in out.iter_mut().zip(values.as_chunks::<4>().0) {
            // SAFETY: the load is as long as the array, and needs no alignment.
            *out = unsafe { v128_load(four.as_ptr().cast()) };
        }
        out
    }

    #[inline(always)]
    fn store(self, values: Self::Floats, out: &mut [f32; LANES]) {
        for (out, four) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            // SAFETY: the store is as long as the array, and needs no alignment.
            unsafe { v128_store(out.as_mut_ptr().cast(), four) };
        }
    }

    /// One rounding in the relaxed build where the CPU can, as on other CPUs: answers go on elsewhere with the same bits.
    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        let mut out = c;
        for at in 0..4 {
            out[at] = plus_product(c[at], a[at], b[at]);
        }
        out
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        pairs(a, b, |a, b| f32x4_add(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        pairs(a, b, |a, b| f32x4_mul(a, b))
    }

    #[inline(always)]
    fn sum(self, values: Self::Floats) -> f32 {
        let four = f32x4_add(f32x4_add(values[0], values[2]), f32x4_add(values[1], values[3]));
        let two = f32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
        f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
    }

    #[inline(always)]
    fn load_f16(self, bits: &[u16; LANES]) -> Self::Floats {
        let zero = u16x8_splat(0);
        let mut out = [zero; 4];
        for (out, eight) in out.as_chunks_mut::<2>().0.iter_mut().zip(bits.as_chunks::<8>().0) {
            // SAFETY: the load is as long as the array, and needs no alignment.
            let eight = unsafe { v128_load(eight.as_ptr().cast()) };
            *out = [
                high_halves(i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(zero, eight)),
                high_halves(i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(zero, eight)),
            ];
        }
        out
    }

    #[inline(always)]
    fn load_bf16(self, bits: &[u16; LANES]) -> Self::Floats {
        self.load(&bits.map(|bits| f32::from_bits(u32::from(bits) << 16)))
    }

    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES]) -> Self::Bytes {
        // SAFETY: the load is as long as the array, and needs no alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn shift_right(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes {
        v128_and(u8x16_shr(bytes, shift), u8x16_splat(mask))
    }

    #[inline(always)]
    fn or_shifted(self, low: Self::Bytes, high: Self::Bytes, shift: u32) -> Self::Bytes {
        v128_or(low, u8x16_shl(high, shift))
    }

    #[inline(always)]
    fn spread_bits(self, bits: u16) -> Self::Bytes {
        let own_byte = i8x16_swizzle(u16x8_splat(bits), u8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
        let own_bit = u64x2_splat(0x8040_2010_0804_0201);
        v128_and(i8x16_ne(v128_and(own_byte, own_bit), u8x16_splat(0)), u8x16_splat(1))
    }

    #[inline(always)]
    fn sub(self, bytes: Self::Bytes, offset: u8) -> Self::Bytes {
        u8x16_sub(bytes, u8x16_splat(offset))
    }

    #[inline(always)]
    fn unsigned(self, bytes: Self::Bytes) -> Self::Floats {
        let [low, high] = [u16x8_extend_low_u8x16(bytes), u16x8_extend_high_u8x16(bytes)];
        [
            f32x4_convert_i32x4(u32x4_extend_low_u16x8(low)),
            f32x4_convert_i32x4(u32x4_extend_high_u16x8(low)),
            f32x4_convert_i32x4(u32x4_extend_low_u16x8(high)),
            f32x4_convert_i32x4(u32x4_extend_high_u16x8(high)),
        ]
    }

    #[inline(always)]
    fn signed(self, bytes: Self::Bytes) -> Self::Floats {
        let [low, high] = [i16x8_extend_low_i8x16(bytes), i16x8_extend_high_i8x16(bytes)];
        [
            f32x4_convert_i32x4(i32x4_extend_low_i16x8(low)),
            f32x4_convert_i32x4(i32x4_extend_high_i16x8(low)),
            f32x4_convert_i32x4(i32x4_extend_low_i16x8(high)),
            f32x4_convert_i32x4(i32x4_extend_high_i16x8(high)),
        ]
    }
}
