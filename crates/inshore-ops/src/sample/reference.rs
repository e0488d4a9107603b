//! Sampling in plain Rust: the meaning of [`DecoderOps::sample`](crate::extension::DecoderOps::sample), and what the CPU runs.
//!
//! Special values: a NaN logit counts as minus infinity, plus infinity as [`f32::MAX`]. If no logit is above minus infinity,
//! the token is 0 and its log-probability minus infinity. Ties go to the lowest id everywhere.

use super::SampleParams;

/// A permutation of the 32-bit words with good avalanche: PCG's output function as in Jarzynski and Olano,
/// "Hash Functions for GPU Rendering" (JCGT 9.3, 2020).
pub const fn pcg(word: u32) -> u32 {
    let state = word.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let mixed = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (mixed >> 22) ^ mixed
}

/// The part of [`noise_bits`] that all tokens of a step share; a GPU launch computes it on the host.
pub const fn noise_key(seed: u64, step: u32) -> u32 {
    pcg(pcg(pcg(seed as u32 ^ 0x9E37_79B9) ^ (seed >> 32) as u32).wrapping_add(step))
}

/// 32 random bits for token `id` at `step`: the same on every backend. The id is hashed on its own so that keys which
/// differ in few bits do not give the same noise in another order.
pub const fn noise_bits(seed: u64, step: u32, id: u32) -> u32 {
    pcg(pcg(id) ^ noise_key(seed, step))
}

/// Gumbel noise `-ln(-ln(1 - w))` of the uniform `w = ((bits >> 9) + 0.5) / 2^23`, which f32 holds exactly.
///
/// The largest noise comes from the smallest `w`, where `ln(1 - w)` would lose every digit (and WGSL allows it an absolute
/// error of 2^-21): there it is the series of `2 artanh(s)`, `s = w / (2 - w)`, which uses no library function.
pub fn gumbel(bits: u32) -> f32 {
    let w = ((bits >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0);
    let exponential = if w < 0.5 {
        let s = w / (2.0 - w);
        let s2 = s * s;
        let series = 1.0 / 11.0 + s2 * (1.0 / 13.0);
        let series = 1.0 / 7.0 + s2 * (1.0 / 9.0 + s2 * series);
        let series = 1.0 / 3.0 + s2 * (1.0 / 5.0 + s2 * series);
        2.0 * s * (1.0 + s2 * series)
    } else {
        -(1.0 - w).ln()
    };
    -exponential.ln()
}

/// The image of `value` in the integers that keeps the order of f32: `-inf < … < -0 < 0 < … < inf`.
pub const fn order_key(value: f32) -> u32 {
    let bits = value.to_bits();
    bits ^ if bits >> 31 == 1 { u32::MAX } else { 0x8000_0000 }
}
