//! Finds NaN and infinity in packed weights without unpacking them: quantised numbers are finite if their scales are.

use crate::GgmlType;

/// Returns the index of the first block with a NaN or an infinity. `bytes` holds whole blocks of `kind`; for F32, F16 and BF16 a
/// block is one value.
pub fn first_not_finite(kind: GgmlType, bytes: &[u8]) -> Option<usize> {
    match kind {
        GgmlType::F32 => values::<4>(bytes, |value| u32::from_le_bytes(*value) & 0x7F80_0000 == 0x7F80_0000),
        GgmlType::F16 => values::<2>(bytes, is_not_finite_f16),
        GgmlType::Bf16 => values::<2>(bytes, |value| u16::from_le_bytes(*value) & 0x7F80 == 0x7F80),
        GgmlType::Q8_0 | GgmlType::Q4_0 | GgmlType::Q5_0 => scales(kind, bytes, &[0]),
        // Scale and minimum, or their scales.
        GgmlType::Q4_1 | GgmlType::Q5_1 | GgmlType::Q4K | GgmlType::Q5K => scales(kind, bytes, &[0, 2]),
        GgmlType::Q6K => scales(kind, bytes, &[208]),
    }
}

const fn is_not_finite_f16(value: &[u8; 2]) -> bool {
    u16::from_le_bytes(*value) & 0x7C00 == 0x7C00
}

/// Checks runs of values without a branch inside, so that the compiler vectorises it.
fn values<const N: usize>(bytes: &[u8], is_bad: impl Fn(&[u8; N]) -> bool) -> Option<usize> {
    const RUN: usize = 64;
    let (values, _) = bytes.as_chunks::<N>();
    let run = values.chunks(RUN).position(|run| run.iter().fold(false, |bad, value| bad | is_bad(value)))?;
    let within = values[run * RUN..].iter().position(is_bad)?;
    Some(run * RUN + within)
}

fn scales(kind: GgmlType, bytes: &[u8], offsets: &[usize]) -> Option<usize> {
    let is_bad = |block: &[u8]| offsets.iter().any(|&at| is_not_finite_f16(&[block[at], block[at + 1]]));
    bytes.chunks_exact(kind.block_bytes()).position(is_bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::dequantize;

    /// Whatever the bytes are, the answer is that of the unpacked values.
    #[test]
    fn a_block_is_bad_where_one_of_its_values_is() {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        for kind in GgmlType::ALL {
            let (mut found, mut sound) = (0, 0);
            for _ in 0..2000 {
                let mut bytes = vec![0; 5 * kind.block_bytes()];
                for byte in &mut bytes {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (state >> 33) as u8;
                }
                let mut values = vec![0.0; 5 * kind.block_len()];
                dequantize(kind, &bytes, &mut values).expect("whole blocks");
                // A scale that is not finite may be multiplied with zeros only where 0 · ∞ is NaN, so it always shows.
                let bad = values.iter().position(|value| !value.is_finite()).map(|at| at / kind.block_len());
                assert_eq!(first_not_finite(kind, &bytes), bad, "{kind}");
                if bad.is_some() { found += 1 } else { sound += 1 }
            }
            assert!(found > 0 && sound > 0, "{kind}: {found} bad, {sound} sound");
        }
    }

    #[test]
    fn every_place_is_looked_at() {
        for kind in GgmlType::ALL {
            for at in [0, 1, 63, 64, 65, 130] {
                let mut bytes = vec![0; 131 * kind.block_bytes()];
                let scale = if kind == GgmlType::Q6K { 208 } else { 0 };
                let infinity: &[u8] = match kind {
                    GgmlType::F32 => &[0, 0, 0x80, 0xFF],
                    GgmlType::Bf16 => &[0x80, 0x7F],
                    _ => &[0, 0x7C],
                };
                assert_eq!(first_not_finite(kind, &bytes), None, "{kind}");
                bytes[at * kind.block_bytes() + scale..][..infinity.len()].copy_from_slice(infinity);
                assert_eq!(first_not_finite(kind, &bytes), Some(at), "{kind}");
            }
        }
    }
}
