//! Floats: blocks of a single value.

/// One IEEE binary32.
///
/// ```text
/// byte 0 1 2 3
///      f32
/// ```
pub fn f32(block: &[u8; 4], out: &mut [f32; 1]) {
    out[0] = f32::from_le_bytes(*block);
}

/// One IEEE binary16.
///
/// ```text
/// byte 0 1
///      f16: sign 15, exponent 14..10, fraction 9..0
/// ```
pub fn f16(block: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = half::f16::from_le_bytes(*block).to_f32();
}

/// One bfloat16: the upper half of a binary32.
///
/// ```text
/// byte 0 1
///      bf16: sign 15, exponent 14..7, fraction 6..0
/// ```
pub fn bf16(block: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = f32::from_bits(u32::from(u16::from_le_bytes(*block)) << 16);
}
