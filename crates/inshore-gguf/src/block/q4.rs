//! Q4_0 and Q4_1: 32 nibbles.

use super::half_at;

/// 32 values `d * (q - 8)`, q from 0 to 15.
///
/// ```text
/// byte 0 1 | 2          3          .... 17
///      d   | q16 : q0   q17 : q1   .... q31 : q15
///      f16 | high : low nibble of each byte
/// ```
pub fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((&byte, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = d * (f32::from(byte & 15) - 8.0);
        *high = d * (f32::from(byte >> 4) - 8.0);
    }
}

/// 32 values `d * q + m`, q from 0 to 15.
///
/// ```text
/// byte 0 1 | 2 3 | 4          5          .... 19
///      d   | m   | q16 : q0   q17 : q1   .... q31 : q15
///      f16 | f16 | high : low nibble of each byte
/// ```
pub fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let m = half_at(block, 2);
    let (low, high) = out.split_at_mut(16);
    for ((&byte, low), high) in block[4..].iter().zip(low).zip(high) {
        *low = d * f32::from(byte & 15) + m;
        *high = d * f32::from(byte >> 4) + m;
    }
}
