//! How keys and values are kept.

/// A number of the KV cache. The cache is 32-bit words on every device, so that a GPU needs no 16-bit types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KvFormat {
    /// As it was computed: binary32, a word each.
    F32,
    /// Rounded to binary16, two in a word (the lower half first): half the memory, and half of what attention reads.
    #[default]
    F16,
}

impl KvFormat {
    /// `f32` or `f16`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::F16].into_iter().find(|format| format.name() == name)
    }

    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// Words of `values` numbers, which are a whole number of words.
    pub(crate) const fn words(self, values: usize) -> usize {
        values * self.bytes() / size_of::<u32>()
    }
}

/// The binary16 next to `value`, the even one of two; where that would be infinite, the largest finite one: a score of an
/// infinite key would be no number, and so would be all that comes after it.
#[inline(always)]
pub(crate) const fn to_half(value: f32) -> u16 {
    const LARGEST: u32 = 0x7BFF;
    const SMALLEST_NORMAL: u32 = 113 << 23;
    // Its last bit is worth the smallest subnormal of binary16.
    const ROUNDER: f32 = 0.5;
    let sign = (value.to_bits() >> 16) & 0x8000;
    let magnitude = value.to_bits() & 0x7FFF_FFFF;
    // Added to what is cut off it carries where that is more than a half, or a half behind an odd number.
    let carry = 0xFFF + ((magnitude >> 13) & 1);
    let normal = magnitude.wrapping_sub(112 << 23).wrapping_add(carry) >> 13;
    let subnormal = (f32::from_bits(magnitude) + ROUNDER).to_bits() - ROUNDER.to_bits();
    let rounded = if magnitude < SMALLEST_NORMAL { subnormal } else { normal };
    let finite = if rounded > LARGEST { LARGEST } else { rounded };
    let kept = if magnitude > 0x7F80_0000 { 0x7E00 } else { finite };
    (sign | kept) as u16
}

#[cfg(test)]
pub(crate) mod tests {
    use half::f16;

    use super::*;

    /// Numbers of every exponent, and around every tie and every edge between two binary16.
    pub(crate) fn edges() -> Vec<f32> {
        let halves = (0..=0x7BFFu16).flat_map(|bits| {
            let [low, high] = [bits, bits + 1].map(|bits| f64::from(f16::from_bits(bits)));
            let tie = if bits == 0x7BFF { 65_520.0 } else { (low + high) / 2.0 } as f32;
            [low as f32, tie.next_down(), tie, tie.next_up()]
        });
        let exponents =
            (0..=255u32).flat_map(|exponent| [0, 1, 0x40_0000, 0x7F_FFFF].map(|bits| exponent << 23 | bits));
        let positive = halves.chain(exponents.map(f32::from_bits));
        positive.flat_map(|value| [value, -value]).collect()
    }

    /// What [`to_half`] must give.
    pub(crate) fn nearest(value: f32) -> u16 {
        let nearest = f16::from_f32(value);
        if nearest.is_infinite() { f16::MAX.copysign(nearest).to_bits() } else { nearest.to_bits() }
    }

    #[test]
    fn halves_are_the_nearest_and_never_infinite() {
        for value in edges() {
            let half = to_half(value);
            if value.is_nan() {
                assert!(f16::from_bits(half).is_nan());
            } else {
                assert_eq!(half, nearest(value), "{value:e}, {:#010x}", value.to_bits());
            }
        }
    }

    #[test]
    fn what_is_a_half_stays_what_it_is() {
        for bits in (0..=u16::MAX).filter(|bits| bits & 0x7C00 != 0x7C00) {
            assert_eq!(to_half(f16::from_bits(bits).to_f32()), bits);
        }
    }
}
