//! What sampling should draw, written again from its description: sorted lists and f64, nothing shared with the code but the hash
//! that makes the noise.

use super::super::reference::noise_bits;
use super::super::{SampleParams, Sampled};

/// The draw from finite logits.
pub struct Oracle {
    logprobs: Vec<f64>,
    /// Ids by log-probability, best first, equals by id.
    ranking: Vec<u32>,
    /// The score of each token; the largest wins.
    scores: Vec<f64>,
    /// Tokens that pass all filters, and those that may pass them by rounding.
    passing: Vec<bool>,
    maybe_passing: Vec<bool>,
    top: usize,
    is_exact: bool,
}

impl Oracle {
    pub fn new(logits: &[f32], history: &[u32], params: &SampleParams) -> Self {
        let model: Vec<f64> = logits.iter().copied().map(f64::from).collect();
        let penalised = penalised(&model, history, params);
        let is_greedy = !params.temperature.is_normal() || params.temperature < 0.0;
        let max = penalised.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let temperature = f64::from(params.temperature);
        let score = |(id, logit): (usize, &f64)| match is_greedy {
            true => *logit,
            false => (logit - max) / temperature + gumbel(noise_bits(params.seed, params.step, id as u32)),
        };
        let passes = |slack: f64| -> Vec<bool> {
            let threshold = if is_greedy { f64::NEG_INFINITY } else { threshold(&penalised, max, params, slack) };
            penalised.iter().map(|&logit| logit >= threshold && logit > f64::NEG_INFINITY).collect()
        };
        let mut ranking: Vec<u32> = (0..logits.len() as u32).collect();
        ranking.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        Self {
            logprobs: log_softmax(&model),
            ranking,
            scores: penalised.iter().enumerate().map(score).collect(),
            passing: passes(1e-4),
            maybe_passing: passes(-1e-4),
            top: params.top_logprobs as usize,
            is_exact: is_greedy && history.chunks_exact(2).all(|pair| pair[1] == 0),
        }
    }

    /// Fails unless `drawn` is a draw that rounding explains.
    #[track_caller]
    pub fn check(&self, drawn: &Sampled, what: &str) {
        let id = drawn.id as usize;
        assert!(self.maybe_passing[id], "{what}: the token does not pass the filters");
        let candidates = self.scores.iter().zip(&self.passing).filter(|(_, passes)| **passes);
        let best = candidates.map(|(score, _)| *score).fold(f64::NEG_INFINITY, f64::max);
        let slack = 1e-4 + 1e-5 * best.abs();
        assert!(self.scores[id] >= best - slack, "{what}: scores {}, another {best}", self.scores[id]);
        if self.is_exact {
            // The lowest id of equals; minus zero equals zero.
            assert_eq!(self.scores.iter().position(|score| *score == best), Some(id), "{what}");
        }
        self.check_logprob(drawn.id, drawn.logprob, what);
        assert_eq!(drawn.top.len(), self.top, "{what}");
        for (rank, &(id, logprob)) in drawn.top.iter().enumerate() {
            let Some(&expected) = self.ranking.get(rank) else {
                assert_eq!((id, logprob), (u32::MAX, f32::NEG_INFINITY), "{what}: no token is left");
                continue;
            };
            assert_eq!(id, expected, "{what}: rank {rank}");
            self.check_logprob(id, logprob, what);
        }
    }

    #[track_caller]
    fn check_logprob(&self, id: u32, logprob: f32, what: &str) {
        let expected = self.logprobs[id as usize];
        let near =
            f64::from(logprob) == expected || (f64::from(logprob) - expected).abs() < 2e-5 * expected.abs().max(1.0);
        assert!(near, "{what}: token {id} has {logprob}, expected {expected}");
    }
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let ln_sum = logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
    logits.iter().map(|logit| logit - max - ln_sum).collect()
}

fn penalised(logits: &[f64], history: &[u32], params: &SampleParams) -> Vec<f64> {
    let [repetition, frequency, presence] =
        [params.repetition_penalty, params.frequency_penalty, params.presence_penalty].map(f64::from);
    let mut out = logits.to_vec();
    for pair in history.chunks_exact(2).filter(|pair| pair[1] > 0) {
        if let Some(logit) = out.get_mut(pair[0] as usize) {
            let repeated = if *logit > 0.0 { *logit / repetition } else { *logit * repetition };
            *logit = repeated - frequency * f64::from(pair[1]) - presence;
        }
    }
    out
}

/// The logit that a token needs, `slack` (in units of the logit) more.
fn threshold(logits: &[f64], max: f64, params: &SampleParams, slack: f64) -> f64 {
    let temperature = f64::from(params.temperature);
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut least = f64::NEG_INFINITY;
    if params.top_k > 0 && (params.top_k as usize) < sorted.len() {
        least = sorted[params.top_k as usize - 1];
        sorted.retain(|&logit| logit >= least);
    }
    if params.top_p < 1.0 {
        let weights: Vec<f64> = sorted.iter().map(|logit| ((logit - max) / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut mass = 0.0;
        // Near the edge of the mass a sum in f32 may end a token earlier or later.
        let wanted = f64::from(params.top_p) * total * (1.0 - slack.signum() * 1e-5);
        let reached = weights.iter().position(|weight| {
            mass += weight;
            mass >= wanted
        });
        least = least.max(sorted[reached.unwrap_or(sorted.len() - 1)]);
    }
    if params.min_p > 0.0 {
        let by_ratio = max + temperature * f64::from(params.min_p).ln();
        least = least.max(by_ratio + slack * temperature.min(1.0));
    }
    // The largest always passes.
    least.min(max)
}

/// `-ln(-ln(1 - w))` of the uniform `w`.
fn gumbel(bits: u32) -> f64 {
    let w = (f64::from(bits >> 9) + 0.5) / f64::from(1u32 << 23);
    -(-(-w).ln_1p()).ln()
}
