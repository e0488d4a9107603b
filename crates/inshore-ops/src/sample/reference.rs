//! Sampling in plain Rust: the meaning of [`DecoderOps::sample`](crate::extension::DecoderOps::sample), and what the CPU runs.
//!
//! Special values: minus infinity is a token that is never drawn. NaN and plus infinity count as [`f32::MAX`], and where there is one,
//! or where no logit is above minus infinity, the logits are not a distribution: every log-probability is minus infinity, that of
//! the drawn token too, and the caller sees that the draw means nothing. Ties go to the lowest id everywhere.

use std::borrow::Cow;

use super::SampleParams;
use crate::flex::exp::exp;

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

/// Draws a token and packs the outcome as [`Sampled::from_words`](super::Sampled::from_words) reads it.
///
/// # Shapes
/// `logits: [vocab]`, `history`: pairs of token id and count, each id at most once (pairs of count 0 or with an id past
/// the vocabulary are ignored) → `[2 + 2 * top_logprobs]`; if there are fewer tokens than `top_logprobs`, the pairs left
/// over hold id [`u32::MAX`] and minus infinity.
pub fn sample(logits: &[f32], history: &[u32], params: &SampleParams) -> Vec<u32> {
    let model: Vec<f32> = logits.iter().copied().map(bounded).collect();
    let norm = LogSoftmax::of(&model);
    let mut words = Vec::with_capacity(params.result_words());
    let mut report = |id: u32| {
        let logit = model.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY);
        words.extend([id, norm.logprob(logit).to_bits()]);
    };
    report(draw(&penalised(&model, history, params), params));
    let top = largest(&model, params.top_logprobs as usize);
    top.into_iter().chain(std::iter::repeat(u32::MAX)).take(params.top_logprobs as usize).for_each(&mut report);
    words
}

/// Uses a comparison (false for NaN), as [`max_of`] does: it is vectorised, whereas `f32::max` would be a call for each value.
fn bounded(logit: f32) -> f32 {
    if logit <= f32::MAX { logit } else { f32::MAX }
}

/// Normaliser of the model's own distribution.
struct LogSoftmax {
    max: f32,
    ln_sum: f32,
}

impl LogSoftmax {
    fn of(logits: &[f32]) -> Self {
        let max = max_of(logits);
        // Most of what a greedy sample costs.
        let sum = sum_of_weights(logits, |logit| exp(logit - max), |_, _| {});
        Self { max, ln_sum: sum.ln() as f32 }
    }

    fn logprob(&self, logit: f32) -> f32 {
        let is_distribution = self.max > f32::NEG_INFINITY && self.max < f32::MAX;
        if is_distribution && logit > f32::NEG_INFINITY { logit - self.max - self.ln_sum } else { f32::NEG_INFINITY }
    }
}

/// The largest of numbers that are none of them NaN.
fn max_of(logits: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (runs, rest) = logits.as_chunks::<16>();
    let mut maxima = [f32::NEG_INFINITY; 16];
    for run in runs {
        for (max, &logit) in maxima.iter_mut().zip(run) {
            *max = larger(*max, logit);
        }
    }
    maxima.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

fn penalised<'a>(model: &'a [f32], history: &[u32], params: &SampleParams) -> Cow<'a, [f32]> {
    if history.chunks_exact(2).all(|pair| pair[1] == 0) {
        return Cow::Borrowed(model);
    }
    let mut logits = model.to_vec();
    for pair in history.chunks_exact(2) {
        let (id, count) = (pair[0] as usize, pair[1]);
        let Some(logit) = logits.get_mut(id).filter(|_| count > 0) else { continue };
        let repeated =
            if *logit > 0.0 { *logit / params.repetition_penalty } else { *logit * params.repetition_penalty };
        *logit = bounded(repeated - (params.frequency_penalty * count as f32 + params.presence_penalty));
    }
    Cow::Owned(logits)
}

/// No [`gumbel`] noise is larger: it is at most `-ln(2^-24)`, and a little for rounding.
const MAX_GUMBEL: f32 = 16.7;

/// The token that is drawn from penalised logits.
fn draw(logits: &[f32], params: &SampleParams) -> u32 {
    if !params.temperature.is_normal() || params.temperature < 0.0 {
        return first_largest(logits);
    }
    let max = max_of(logits);
    let threshold = threshold(logits, max, params);
    let key = noise_key(params.seed, params.step);
    let mut best = (f32::NEG_INFINITY, 0);
    for (&logit, id) in logits.iter().zip(0u32..) {
        let scaled = (logit - max) / params.temperature;
        // Most tokens cannot win whatever their noise is; without noise this loop takes no time. (A NaN, from logits
        // that are all minus infinity, never wins.)
        if scaled + MAX_GUMBEL > best.0 && order_key(logit) >= threshold {
            let score = scaled + gumbel(pcg(pcg(id) ^ key));
            if score > best.0 {
                best = (score, id);
            }
        }
    }
    best.1
}

/// The lowest id of the largest logit; 0 if none is above minus infinity.
fn first_largest(logits: &[f32]) -> u32 {
    let max = max_of(logits);
    let place = logits.iter().position(|&logit| logit == max && max > f32::NEG_INFINITY);
    place.map_or(0, |id| id as u32)
}

/// The [`order_key`] that a logit must reach to pass all filters.
fn threshold(logits: &[f32], max: f32, params: &SampleParams) -> u32 {
    let SampleParams { temperature, top_k, top_p, min_p, .. } = *params;
    let by_count = if top_k > 0 && (top_k as usize) < logits.len() { nth_largest(logits, top_k as usize) } else { 0 };
    let by_mass = if top_p < 1.0 { of_mass(logits, (max, by_count), params) } else { 0 };
    let by_ratio = if min_p > 0.0 { order_key(max + temperature * min_p.min(1.0).ln()) } else { 0 };
    by_count.max(by_mass).max(by_ratio)
}

/// The key of the `count`-th largest logit.
fn nth_largest(logits: &[f32], count: usize) -> u32 {
    let mut keys: Vec<u32> = logits.iter().copied().map(order_key).collect();
    *keys.select_nth_unstable_by(count - 1, |a, b| b.cmp(a)).1
}

/// The largest key such that those from it on hold `top_p` of the mass of the keys from `least_key` on.
fn of_mass(logits: &[f32], (max, least_key): (f32, u32), params: &SampleParams) -> u32 {
    let SampleParams { temperature, top_p, .. } = *params;
    // All lighter ones together weigh less than what may be left out, as the largest weighs 1: they need no sorting. Half of
    // it, for rounding.
    let least = 0.5 * (1.0 - top_p) / logits.len() as f32;
    let mut heavy: Vec<(u32, f32)> = Vec::new();
    let total = sum_of_weights(
        logits,
        |logit| {
            if order_key(logit) >= least_key { exp((logit - max) / temperature) } else { 0.0 }
        },
        |logit, weight| {
            if weight >= least {
                heavy.push((order_key(logit), weight));
            }
        },
    );
    heavy.sort_unstable_by_key(|&(key, _)| std::cmp::Reverse(key));
    let mut mass = 0.0;
    let reached = heavy.iter().find(|(_, weight)| {
        mass += f64::from(*weight);
        mass >= f64::from(top_p) * total
    });
    // The largest one always stays.
    reached.map_or(order_key(max), |(key, _)| *key)
}

/// The sum of all weights, each of which is shown to `see`. Exponentials by themselves become vector code, and sixteen sums
/// do not wait for each other.
#[inline]
fn sum_of_weights(logits: &[f32], weight_of: impl Fn(f32) -> f32, mut see: impl FnMut(f32, f32)) -> f64 {
    let mut weights = [0.0; 256];
    let mut sum = 0.0;
    for part in logits.chunks(weights.len()) {
        let weights = &mut weights[..part.len()];
        weights.iter_mut().zip(part).for_each(|(weight, &logit)| *weight = weight_of(logit));
        let runs = weights.chunks(16).map(|run| run.iter().copied().map(f64::from).sum::<f64>());
        sum += runs.sum::<f64>();
        part.iter().zip(&*weights).for_each(|(&logit, &weight)| see(logit, weight));
    }
    sum
}

/// Ids of the `count` largest logits, best first, equals by id.
fn largest(logits: &[f32], count: usize) -> Vec<u32> {
    let mut best: Vec<(u32, u32)> = Vec::with_capacity(count + 1);
    for (&logit, id) in logits.iter().zip(0u32..) {
        let key = order_key(logit);
        if best.len() == count && best.last().is_none_or(|&(worst, _)| key <= worst) {
            continue;
        }
        best.insert(best.partition_point(|&(other, _)| other >= key), (key, id));
        best.truncate(count);
    }
    best.into_iter().map(|(_, id)| id).collect()
}
