//! The exponential and what is built on it, without branches, so that loops over it become vector code.

/// `e^x` to about one unit in the last place; 0 where the result would be subnormal, at most `e^88`.
///
/// With `n` the integer next to `x / ln 2` and `r = x - n ln 2`: `2^n e^r`, `e^r` by its Taylor series up to `r^7`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding it leaves the integer part of a small number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with few enough bits for an exact product with n.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let bounded = if x > 88.0 { 88.0 } else { x };
    let rounded = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (bounded - n * LN_2_HIGH) - n * LN_2_LOW;
    let series = 1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let series = 0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * series));
    let series = 1.0 + r * (1.0 + r * series);
    let power = f32::from_bits(rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { series * power }
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
