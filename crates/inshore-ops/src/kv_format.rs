//! How keys and values are kept.

use burn::tensor::Device;

use crate::flex::head_words;

/// A number of the KV cache. The cache is 32-bit words on every device, so that a GPU needs no 16-bit types; a CPU
/// has a scale, of a word, for each run of 32 numbers that it rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KvFormat {
    /// As it was computed: binary32, a word each.
    F32,
    /// In 16 bits: half the memory, and half of what attention reads. On a GPU binary16, two in a word (the lower half first); on
    /// a CPU integers up to 8191, whose products are exact and cost half of those of binary16.
    #[default]
    F16,
    /// In 8 bits, integers up to 127: a quarter of the memory. Only on a CPU.
    Q8_0,
}

impl KvFormat {
    /// `f32`, `f16` or `q8_0`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::Q8_0].into_iter().find(|format| format.name() == name)
    }

    /// Words of a head's key, or value, of a token on `device`.
    pub fn head_words(self, head_dim: usize, device: &Device) -> usize {
        if *device == Device::flex() { head_words(self, head_dim) } else { self.words(head_dim) }
    }

    /// Words of `values` numbers as a GPU keeps them, which are a whole number of words.
    pub(crate) const fn words(self, values: usize) -> usize {
        match self {
            Self::F32 => values,
            Self::F16 => values / 2,
            Self::Q8_0 => panic!("a GPU does not keep keys and values as q8_0"),
        }
    }
}

#[cfg(all(test, feature = "gpu"))]
pub(crate) mod tests {
    use half::f16;

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

    /// The binary16 next to `value`, the even one of two; where that would be infinite, the largest finite one: a score of an
    /// infinite key would be no number, and so would be all that comes after it.
    pub(crate) fn nearest(value: f32) -> u16 {
        let nearest = f16::from_f32(value);
        if nearest.is_infinite() { f16::MAX.copysign(nearest).to_bits() } else { nearest.to_bits() }
    }
}
