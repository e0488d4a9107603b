//! Products of 16-bit numbers, by pairs: what a lane gets is `a[0] * b[0] + a[1] * b[1]`. Every implementation gives the exact
//! integer.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

use super::first_of;
use super::int8::Int8;

/// Registers of pairs of 16-bit numbers, [`ROWS`](Int8::ROWS) pairs each, and their dot products.
pub trait Pairs: Int8 {
    /// A register of pairs.
    type Pairs: Copy;
    /// Sums of their products.
    type Dots: Copy;

    /// The first pairs of `pairs`.
    fn get_pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs;
    /// The same, widened from bytes.
    fn get_byte_pairs(self, pairs: &[[i8; 2]]) -> Self::Pairs;
    /// `pair` in every lane.
    fn splat_pair(self, pair: &[i16; 2]) -> Self::Pairs;
    /// All sums 0.
    fn no_dots(self) -> Self::Dots;
    /// `dots + a · b`; sums fit 32 bits.
    fn plus_dots(self, dots: Self::Dots, a: Self::Pairs, b: Self::Pairs) -> Self::Dots;
    /// As f32, of each lane its sum.
    fn dots(self, dots: Self::Dots) -> Self::Lanes;
    /// Of each lane what is at least `least`, or not a number.
    fn at_least(self, lanes: Self::Lanes, least: f32) -> Self::Lanes;
    /// The lowest nine bits of each lane as sign and exponent of a power of two.
    fn exponent(self, lanes: Self::Lanes) -> Self::Lanes;
    /// Of each lane the larger of numbers that are not negative; what is not a number is larger than all.
    fn larger(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
}
