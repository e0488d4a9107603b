//! The K formats: blocks of 256 values, with a scale (and minimum) of their own for each 32 or 16 of them.

use super::{Sink, half_at, sixteen};
use crate::flex::simd::Simd;

/// Scales and minima of the eight groups of a Q4_K or Q5_K block: six bits each in twelve bytes, four groups at a time.
#[inline(always)]
fn scales_and_minima<const N: usize>(block: &[u8; N]) -> ([u8; 8], [u8; 8]) {
    let scales = word_at(block, 4);
    let minima = word_at(block, 8);
    let low = word_at(block, 12);
    (
        join(scales & 0x3F3F_3F3F, low & 0x0F0F_0F0F | upper_bits(scales)),
        join(minima & 0x3F3F_3F3F, low >> 4 & 0x0F0F_0F0F | upper_bits(minima)),
    )
}

#[inline(always)]
fn word_at<const N: usize>(block: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// The two highest bits of each byte, as bits 4 and 5.
#[inline(always)]
fn upper_bits(word: u32) -> u32 {
    (word >> 6 & 0x0303_0303) << 4
}

#[inline(always)]
fn join(first: u32, second: u32) -> [u8; 8] {
    (u64::from(second) << 32 | u64::from(first)).to_le_bytes()
}

#[inline(always)]
pub fn q4_k<S: Simd>(simd: S, bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, block) in bytes.as_chunks::<144>().0.iter().enumerate() {
        let (scale, min) = (half_at(simd, block, 0), half_at(simd, block, 2));
        let (scales, minima) = scales_and_minima(block);
        for group in 0..8 {
            let own_scale = simd.splat(scale * f32::from(scales[group]));
            let own_min = simd.splat(-min * f32::from(minima[group]));
            let run = group * 2;
            sink.put::<0>(simd, at * 16 + run, simd.mul_add(nibbles(simd, block, run), own_scale, own_min));
            sink.put::<1>(simd, at * 16 + run + 1, simd.mul_add(nibbles(simd, block, run + 1), own_scale, own_min));
        }
    }
}

/// Nibbles of run `run` of a Q4_K block: the lower ones of 32 bytes, then the upper ones.
#[inline(always)]
fn nibbles<S: Simd>(simd: S, block: &[u8; 144], run: usize) -> S::Floats {
    let bytes = simd.load_bytes(sixteen(block, 16 + run / 4 * 32 + run % 2 * 16));
    simd.unsigned(simd.shift_right(bytes, run as u32 / 2 % 2 * 4, 15))
}

#[inline(always)]
pub fn q5_k<S: Simd>(simd: S, bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, block) in bytes.as_chunks::<176>().0.iter().enumerate() {
        let (scale, min) = (half_at(simd, block, 0), half_at(simd, block, 2));
        let (scales, minima) = scales_and_minima(block);
        for group in 0..8 {
            let own_scale = simd.splat(scale * f32::from(scales[group]));
            let own_min = simd.splat(-min * f32::from(minima[group]));
            let run = group * 2;
            sink.put::<0>(simd, at * 16 + run, simd.mul_add(five_bits(simd, block, run), own_scale, own_min));
            sink.put::<1>(simd, at * 16 + run + 1, simd.mul_add(five_bits(simd, block, run + 1), own_scale, own_min));
        }
    }
}

/// Numbers of run `run` of a Q5_K block: nibbles as in Q4_K, and bit `run / 2` of 32 bytes for all groups.
#[inline(always)]
fn five_bits<S: Simd>(simd: S, block: &[u8; 176], run: usize) -> S::Floats {
    let fifth = simd.load_bytes(sixteen(block, 16 + run % 2 * 16));
    let fifth = simd.shift_right(fifth, run as u32 / 2, 1);
    let bytes = simd.load_bytes(sixteen(block, 48 + run / 4 * 32 + run % 2 * 16));
    let nibbles = simd.shift_right(bytes, run as u32 / 2 % 2 * 4, 15);
    simd.unsigned(simd.or_shifted(nibbles, fifth, 4))
}

#[inline(always)]
pub fn q6_k<S: Simd>(simd: S, scales: &[u16], bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, (block, &scale)) in bytes.as_chunks::<208>().0.iter().zip(scales).enumerate() {
        let scale = simd.f16(scale);
        for group in 0..8 {
            let run = group * 2;
            sink.put::<0>(simd, at * 16 + run, six_bits(simd, block, scale, run));
            sink.put::<1>(simd, at * 16 + run + 1, six_bits(simd, block, scale, run + 1));
        }
    }
}

/// Values of run `run` of a Q6_K block: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales. Half `h` of the
/// block takes nibbles from byte `64 h` and pairs from `32 h` on; quarter `q` of the half takes nibble `q / 2` of the bytes
/// from `32 (q % 2)` on, and pair `q`.
#[inline(always)]
fn six_bits<S: Simd>(simd: S, block: &[u8; 208], scale: f32, run: usize) -> S::Floats {
    let (half, quarter, part) = (run / 8, run / 2 % 4, run % 2);
    let nibbles = simd.load_bytes(sixteen(block, half * 64 + quarter % 2 * 32 + part * 16));
    let nibbles = simd.shift_right(nibbles, quarter as u32 / 2 * 4, 15);
    let pairs = simd.load_bytes(sixteen(block, 128 + half * 32 + part * 16));
    let pairs = simd.shift_right(pairs, quarter as u32 * 2, 3);
    let number = simd.sub(simd.or_shifted(nibbles, pairs, 4), 32);
    let own_scale = scale * f32::from(block[192 + run] as i8);
    simd.mul(simd.signed(number), simd.splat(own_scale))
}
