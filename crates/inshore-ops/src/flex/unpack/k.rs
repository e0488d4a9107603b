//! The K formats: blocks of 256 values, with a scale (and minimum) of their own for each 32 or 16 of them.

use super::{Sink, half_at, sixteen};
use crate::flex::simd::{Simd, f16_to_f32};

/// Scales and minima of the eight groups of a Q4_K or Q5_K block: six bits each in twelve bytes, four groups at a time.
#[inline(always)]
fn scales_and_minima<const N: usize>(block: &[u8; N]) -> [[u8; 8]; 2] {
    let word = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let [scales, minima, low] = [word(4), word(8), word(12)];
    let upper = |word: u32| (word >> 6 & 0x0303_0303) << 4;
    let join = |first: u32, second: u32| (u64::from(second) << 32 | u64::from(first)).to_le_bytes();
    [
        join(scales & 0x3F3F_3F3F, low & 0x0F0F_0F0F | upper(scales)),
        join(minima & 0x3F3F_3F3F, low >> 4 & 0x0F0F_0F0F | upper(minima)),
    ]
}

#[inline(always)]
pub fn q4_k<S: Simd>(simd: S, bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, block) in bytes.as_chunks::<144>().0.iter().enumerate() {
        let [scale, min] = [half_at(block, 0), half_at(block, 2)];
        let [scales, minima] = scales_and_minima(block);
        for group in 0..8 {
            let own_scale = simd.splat(scale * f32::from(scales[group]));
            let own_min = simd.splat(-min * f32::from(minima[group]));
            let [low, high] = [0, 16].map(|from| {
                let nibbles = simd.load_bytes(sixteen(block, 16 + group / 2 * 32 + from));
                simd.mul_add(simd.unsigned(simd.shift_right(nibbles, group as u32 % 2 * 4, 15)), own_scale, own_min)
            });
            sink.put::<0>(simd, at * 16 + group * 2, low);
            sink.put::<1>(simd, at * 16 + group * 2 + 1, high);
        }
    }
}

#[inline(always)]
pub fn q5_k<S: Simd>(simd: S, bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, block) in bytes.as_chunks::<176>().0.iter().enumerate() {
        let [scale, min] = [half_at(block, 0), half_at(block, 2)];
        let [scales, minima] = scales_and_minima(block);
        for group in 0..8 {
            let own_scale = simd.splat(scale * f32::from(scales[group]));
            let own_min = simd.splat(-min * f32::from(minima[group]));
            let [low, high] = [0, 16].map(|from| {
                let fifth = simd.shift_right(simd.load_bytes(sixteen(block, 16 + from)), group as u32, 1);
                let nibbles = simd.load_bytes(sixteen(block, 48 + group / 2 * 32 + from));
                let nibbles = simd.shift_right(nibbles, group as u32 % 2 * 4, 15);
                simd.mul_add(simd.unsigned(simd.or_shifted(nibbles, fifth, 4)), own_scale, own_min)
            });
            sink.put::<0>(simd, at * 16 + group * 2, low);
            sink.put::<1>(simd, at * 16 + group * 2 + 1, high);
        }
    }
}

/// 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales. Half `h` of the block takes nibbles `64 h..` and pairs
/// `32 h..`; quarter `q` of it takes nibble `q / 2` of the bytes from `q % 2 * 32` on, and pair `q`.
#[inline(always)]
pub fn q6_k<S: Simd>(simd: S, scales: &[u16], bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, (block, &scale)) in bytes.as_chunks::<208>().0.iter().zip(scales).enumerate() {
        let scale = f16_to_f32(scale);
        for group in 0..8 {
            let (half, quarter) = (group / 4, group % 4);
            let [low, high] = [0, 1].map(|run| {
                let nibbles = simd.load_bytes(sixteen(block, half * 64 + quarter % 2 * 32 + run * 16));
                let pairs = simd.load_bytes(sixteen(block, 128 + half * 32 + run * 16));
                let nibbles = simd.shift_right(nibbles, quarter as u32 / 2 * 4, 15);
                let number = simd.or_shifted(nibbles, simd.shift_right(pairs, quarter as u32 * 2, 3), 4);
                let own_scale = scale * f32::from(block[192 + group * 2 + run] as i8);
                simd.mul(simd.signed(simd.sub(number, 32)), simd.splat(own_scale))
            });
            sink.put::<0>(simd, at * 16 + group * 2, low);
            sink.put::<1>(simd, at * 16 + group * 2 + 1, high);
        }
    }
}
