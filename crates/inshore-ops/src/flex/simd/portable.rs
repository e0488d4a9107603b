//! The lanes as arrays: the path of CPUs that have no kernel of their own here. Compilers turn it into what vector
//! instructions the target's baseline has (SSE2 on x86-64).

use super::{LANES, Simd, f16_to_f32};

/// Needs nothing of the CPU.
#[derive(Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn each<A: Copy, B: Copy + Default>(a: [A; LANES], f: impl Fn(A) -> B) -> [B; LANES] {
    let mut out = [B::default(); LANES];
    for i in 0..LANES {
        out[i] = f(a[i]);
    }
    out
}

#[inline(always)]
fn pairs<A: Copy + Default>(a: [A; LANES], b: [A; LANES], f: impl Fn(A, A) -> A) -> [A; LANES] {
    let mut out = [A::default(); LANES];
    for i in 0..LANES {
        out[i] = f(a[i], b[i]);
    }
    out
}

impl Simd for Portable {
    const REGISTERS: usize = 4;

    type Floats = [f32; LANES];
    type Bytes = [u8; LANES];

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Floats {
        *values
    }

    #[inline(always)]
    fn store(self, values: Self::Floats, out: &mut [f32; LANES]) {
        *out = values;
    }

    // Without an FMA instruction `f32::mul_add` is a slow library call: two roundings are the lesser evil.
    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        pairs(pairs(a, b, |a, b| a * b), c, |product, c| product + c)
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        pairs(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        pairs(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn sum(self, mut values: Self::Floats) -> f32 {
        for width in [8, 4, 2, 1] {
            for i in 0..width {
                values[i] += values[i + width];
            }
        }
        values[0]
    }

    #[inline(always)]
    fn load_f16(self, bits: &[u16; LANES]) -> Self::Floats {
        each(*bits, f16_to_f32)
    }

    #[inline(always)]
    fn load_bf16(self, bits: &[u16; LANES]) -> Self::Floats {
        each(*bits, |bits| f32::from_bits(u32::from(bits) << 16))
    }

    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES]) -> Self::Bytes {
        *bytes
    }

    #[inline(always)]
    fn shift_right(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes {
        each(bytes, |byte| (byte >> shift) & mask)
    }

    #[inline(always)]
    fn or_shifted(self, low: Self::Bytes, high: Self::Bytes, shift: u32) -> Self::Bytes {
        pairs(low, high, |low, high| low | (high << shift))
    }

    #[inline(always)]
    fn spread_bits(self, bits: u16) -> Self::Bytes {
        let mut out = [0; LANES];
        for (i, out) in out.iter_mut().enumerate() {
            *out = (bits >> i) as u8 & 1;
        }
        out
    }

    #[inline(always)]
    fn sub(self, bytes: Self::Bytes, offset: u8) -> Self::Bytes {
        each(bytes, |byte| byte.wrapping_sub(offset))
    }

    #[inline(always)]
    fn unsigned(self, bytes: Self::Bytes) -> Self::Floats {
        each(bytes, f32::from)
    }

    #[inline(always)]
    fn signed(self, bytes: Self::Bytes) -> Self::Floats {
        each(bytes, |byte| f32::from(byte as i8))
    }
}
