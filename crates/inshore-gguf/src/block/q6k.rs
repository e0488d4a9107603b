//! Q6_K: super-blocks of 256 values, sixteen sub-blocks of 16 with a signed byte as scale.

use super::half_at;

/// 256 values `(d * s_j) * (q - 32)`, q from 0 to 63, sub-block j of 16 values.
///
/// ```text
/// byte 0 ............ 127 | 128 ........... 191 | 192 .... 207 | 208 209
///      lower four bits    | upper two bits      | s0 ..... s15 | d
///      two halves of 64   | two halves of 32    | i8 each      | f16
///
/// The values come in two halves of 128, each in four quarters of 32. Value i of quarter
///   0 is  low nibble of lower[i]       with bits 1 0 of upper[i]
///   1 is  low nibble of lower[i + 32]  with bits 3 2 of upper[i]
///   2 is high nibble of lower[i]       with bits 5 4 of upper[i]
///   3 is high nibble of lower[i + 32]  with bits 7 6 of upper[i]
/// ```
pub fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let (lower, rest) = block.split_at(128);
    let (upper, rest) = rest.split_at(64);
    let scales = &rest[..16];
    let d = half_at(block, 208);
    for (j, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = d * f32::from(scales[j] as i8);
        let (half, quarter, odd) = (j / 8, j / 2 % 4, j % 2);
        let lower = &lower[half * 64 + quarter % 2 * 32 + odd * 16..][..16];
        let upper = &upper[half * 32 + odd * 16..][..16];
        for ((value, &lower), &upper) in out.iter_mut().zip(lower).zip(upper) {
            let q = ((lower >> (quarter / 2 * 4)) & 15) | (((upper >> (quarter * 2)) & 3) << 4);
            *value = scale * (f32::from(q) - 32.0);
        }
    }
}
