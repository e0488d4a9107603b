//! Q8_0: 32 signed bytes.

use super::half_at;

/// 32 values `d * q`, q from -128 to 127.
///
/// ```text
/// byte 0 1 | 2 ........ 33
///      d   | q0 .... q31
///      f16 | i8 each
/// ```
pub fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (value, &q) in out.iter_mut().zip(&block[2..]) {
        *value = d * f32::from(q as i8);
    }
}
