//! Q4_K and Q5_K: super-blocks of 256 values, eight sub-blocks of 32 with six-bit scale and minimum each.

use super::half_at;

/// Bytes of the packed scales and minima of a Q4_K or Q5_K block.
pub const K_SCALES_BYTES: usize = 12;

/// Scale and minimum (0 to 63 each) of sub-block `j` from 0 to 7.
///
/// ```text
///            bits 7 6       5 4 3 2 1 0
/// byte 0..3   s4..7 hi  |   s0..3             s: scale, m: minimum
/// byte 4..7   m4..7 hi  |   m0..3             hi: upper two bits, lo: lower four bits
///            bits 7 6 5 4   3 2 1 0
/// byte 8..11  m4..7 lo    | s4..7 lo
/// ```
///
/// # Panics
/// If `j` is above 7.
pub fn k_scale_min(scales: &[u8; K_SCALES_BYTES], j: usize) -> (u8, u8) {
    if j < 4 {
        (scales[j] & 63, scales[j + 4] & 63)
    } else {
        let low = scales[j + 4];
        ((low & 15) | ((scales[j - 4] >> 6) << 4), (low >> 4) | ((scales[j] >> 6) << 4))
    }
}

/// 256 values `(d * s_j) * q - dmin * m_j`, q from 0 to 15, sub-block j of 32 values.
///
/// ```text
/// byte 0 1 | 2 3  | 4 ....... 15 | 16 ........................................... 143
///      d   | dmin | s and m      | four runs of 32 bytes; run r has sub-block 2r in its
///      f16 | f16  | 12 bytes     | low nibbles and sub-block 2r + 1 in its high nibbles
/// ```
pub fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (header, quants) = block.split_at(16);
    let (runs, _) = quants.as_chunks::<32>();
    for (j, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (d, m) = sub_block_scale(header, j);
        let shift = j % 2 * 4;
        for (value, &byte) in out.iter_mut().zip(&runs[j / 2]) {
            *value = d * f32::from((byte >> shift) & 15) - m;
        }
    }
}

/// 256 values `(d * s_j) * q - dmin * m_j`, q from 0 to 31, sub-block j of 32 values.
///
/// ```text
/// byte 0 1 | 2 3  | 4 ....... 15 | 16 .............. 47 | 48 ....................... 175
///      d   | dmin | s and m      | bit j of byte i is   | lower four bits, as in Q4_K
///      f16 | f16  | 12 bytes     | bit 4 of q_i of sub- |
///          |      |              | block j              |
/// ```
pub fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (header, rest) = block.split_at(16);
    let (fifth, nibbles) = rest.split_at(32);
    let (runs, _) = nibbles.as_chunks::<32>();
    for (j, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (d, m) = sub_block_scale(header, j);
        let shift = j % 2 * 4;
        for ((value, &byte), &fifth) in out.iter_mut().zip(&runs[j / 2]).zip(fifth) {
            let q = ((byte >> shift) & 15) | (((fifth >> j) & 1) << 4);
            *value = d * f32::from(q) - m;
        }
    }
}

/// `d * s_j` and `dmin * m_j` from the first 16 bytes of a block.
fn sub_block_scale(header: &[u8], j: usize) -> (f32, f32) {
    let mut scales = [0; K_SCALES_BYTES];
    scales.copy_from_slice(&header[4..16]);
    let (scale, min) = k_scale_min(&scales, j);
    (half_at(header, 0) * f32::from(scale), half_at(header, 2) * f32::from(min))
}
