//! Q5_0 and Q5_1: 32 nibbles and their fifth bits.

use super::half_at;

/// 32 values `d * (q - 16)`, q from 0 to 31; bit i of `h` is bit 4 of q_i, `n` are the lower four bits.
///
/// ```text
/// byte 0 1 | 2 3 4 5 | 6          7          .... 21
///      d   | h       | n16 : n0   n17 : n1   .... n31 : n15
///      f16 | u32     | high : low nibble of each byte
/// ```
pub fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let quants = five_bits([block[2], block[3], block[4], block[5]], &block[6..]);
    for (value, q) in out.iter_mut().zip(quants) {
        *value = d * (q - 16.0);
    }
}

/// 32 values `d * q + m`, q from 0 to 31; bit i of `h` is bit 4 of q_i, `n` are the lower four bits.
///
/// ```text
/// byte 0 1 | 2 3 | 4 5 6 7 | 8          9          .... 23
///      d   | m   | h       | n16 : n0   n17 : n1   .... n31 : n15
///      f16 | f16 | u32     | high : low nibble of each byte
/// ```
pub fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let m = half_at(block, 2);
    let quants = five_bits([block[4], block[5], block[6], block[7]], &block[8..]);
    for (value, q) in out.iter_mut().zip(quants) {
        *value = d * q + m;
    }
}

/// Joins 16 bytes of nibbles with their fifth bits; 0 to 31 as floats.
fn five_bits(fifth: [u8; 4], nibbles: &[u8]) -> [f32; 32] {
    let fifth = u32::from_le_bytes(fifth);
    let mut quants = [0.0; 32];
    for (i, &byte) in nibbles.iter().enumerate() {
        let low_bit = (fifth >> i) as u8 & 1;
        let high_bit = (fifth >> (i + 16)) as u8 & 1;
        quants[i] = f32::from((byte & 15) | (low_bit << 4));
        quants[i + 16] = f32::from((byte >> 4) | (high_bit << 4));
    }
    quants
}
