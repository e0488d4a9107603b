//! The exponential and what is built on it, without branches, so that loops over it become vector code.

use super::round::ROUND;
use super::simd::Simd;

/// ln 2 in two parts, the first with few enough bits for an exact product with a small integer.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
/// Factors of `e^r`, from that of `r^7` on.
const SERIES: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

/// `e^x` to about one unit in the last place; 0 where the result would be subnormal, at most `e^88`.
///
/// With `n` the integer next to `x / ln 2` and `r = x - n ln 2`: `2^n e^r`, `e^r` by its Taylor series up to `r^7`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let bounded = if x > 88.0 { 88.0 } else { x };
    let rounded = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (bounded - n * LN_2[0]) - n * LN_2[1];
    let series = SERIES.into_iter().reduce(|sum, factor| factor + r * sum).unwrap_or(0.0);
    let power = f32::from_bits(rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { series * power }
}

/// `e^(x - max)` of each lane, as [`exp`]; `x` is at most `max`, and what would be less than `e^-87` is that.
#[inline(always)]
pub fn exp_below<S: Simd>(simd: S, x: S::Lanes, max: f32) -> S::Lanes {
    // Of a number in the lowest bits nothing else is left when it becomes an exponent.
    const BIASED_ROUND: f32 = ROUND + 127.0;
    let difference = |a, b: S::Lanes| simd.plus_product(a, b, simd.lanes(-1.0));
    let x = simd.at_least(difference(x, simd.lanes(max)), -87.0);
    let rounded = simd.plus_product(simd.lanes(BIASED_ROUND), x, simd.lanes(std::f32::consts::LOG2_E));
    let n = difference(rounded, simd.lanes(BIASED_ROUND));
    let r = LN_2.into_iter().fold(x, |r, part| simd.plus_product(r, n, simd.lanes(-part)));
    let mut series = simd.lanes(SERIES[0]);
    for factor in &SERIES[1..] {
        series = simd.plus_product(simd.lanes(*factor), r, series);
    }
    simd.times(series, simd.exponent(rounded))
}

/// SiLU (arXiv 1702.03118): `x / (1 + e^-x)`.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_f64() {
        for i in -8_700..=8_800 {
            let x = i as f32 * 0.01 + 0.001;
            let (got, expected) = (f64::from(exp(x)), f64::from(x).exp());
            if i < 8_799 {
                assert!((got / expected - 1.0).abs() < 2.5e-7, "exp({x}) = {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-87.5), 0.0);
        assert!(exp(f32::INFINITY).is_finite() && exp(1e9) > 1e38);
        assert!(exp(f32::NAN).is_nan());
        assert!(silu(-1e9).abs() < 1e-28);
        assert_eq!(silu(1e9), 1e9);
    }
}
