//! Numbers as integers with a scale.

/// Adding it to a small number leaves the nearest integer (ties to even) in the lowest bits.
pub const ROUND: f32 = 12_582_912.0;

/// The integers next to `values / scale`, and `scale`: the largest magnitude becomes `largest`, which is below 2^15. What is not
/// finite leaves a scale that is not, or integers without meaning.
#[inline(always)]
pub fn round<const N: usize>(values: &[f32; N], largest: f32) -> ([i16; N], f32) {
    // Bits of what has no sign are ordered as the numbers are; what is not a number is above all.
    let magnitudes = values.map(|value| value.to_bits() & 0x7FFF_FFFF);
    let mut maxima = [0; 4];
    for four in magnitudes.as_chunks::<4>().0 {
        for (max, &magnitude) in maxima.iter_mut().zip(four) {
            *max = magnitude.max(*max);
        }
    }
    let max = f32::from_bits(maxima.into_iter().fold(0, u32::max));
    let scale = max / largest;
    // A reciprocal that overflows belongs to values so small that 0 will do.
    let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    let mut rounded = [0; N];
    for (rounded, value) in rounded.iter_mut().zip(values) {
        *rounded = (value * inverse + ROUND).to_bits() as i16;
    }
    (rounded, scale)
}
