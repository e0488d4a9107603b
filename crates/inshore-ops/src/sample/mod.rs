//! Sampling on the device: one pass of reductions over the logits, no sort, and only the outcome is read back.
//!
//! 1. Penalties on the tokens of the history: repetition (Keskar et al., arXiv 1909.05858: positive logits are divided,
//!    negative ones multiplied), then frequency times count and presence, subtracted.
//! 2. Each filter is a threshold on the logits, found by bisection over the order-preserving integer image of f32:
//!    top-k (the largest threshold that at least `k` logits reach), then top-p over what is left (the largest threshold
//!    whose logits hold at least `p` of the mass at the sampling temperature), then min-p
//!    (`max + temperature * ln(min_p)`). Ties at a threshold stay in.
//! 3. Temperature 0 takes the largest logit (the lowest id of equals). Otherwise the Gumbel-max trick draws from the softmax
//!    in one pass: `argmax((logit - max) / temperature + gumbel(seed, step, id))`; the noise is a hash of seed, step and id, so the same
//!    seed gives the same text, on any number of threads.
//! 4. Log-probabilities are those of the model itself, before penalties, filters and temperature (as OpenAI's API).

#[cfg(feature = "gpu")]
pub(crate) mod kernel;
#[cfg(feature = "gpu")]
pub(crate) mod launch;
pub mod reference;
#[cfg(test)]
mod tests;

/// How a token is drawn. [`SampleParams::greedy`] is the neutral start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleParams {
    /// 0: the most probable token.
    pub temperature: f32,
    /// Candidates kept; 0: all.
    pub top_k: u32,
    /// Probability mass kept, in 0..=1; 1: all.
    pub top_p: f32,
    /// Least probability relative to the most probable token, in 0..=1; 0: all.
    pub min_p: f32,
    /// Divisor of the logits of seen tokens; 1: none.
    pub repetition_penalty: f32,
    /// Subtracted per earlier occurrence; 0: none.
    pub frequency_penalty: f32,
    /// Subtracted from tokens that occurred; 0: none.
    pub presence_penalty: f32,
    /// Seed of the noise.
    pub seed: u64,
    /// Index of the token in its answer: the noise's counter.
    pub step: u32,
    /// Alternatives to report with their log-probabilities, at most [`MAX_TOP_LOGPROBS`].
    pub top_logprobs: u32,
}

/// Most alternatives a step can report (as OpenAI's API).
pub const MAX_TOP_LOGPROBS: u32 = 20;

impl SampleParams {
    /// The most probable token, nothing else.
    pub const fn greedy() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: 0,
            step: 0,
            top_logprobs: 0,
        }
    }

    /// Words of the packed result.
    pub const fn result_words(&self) -> usize {
        2 + 2 * self.top_logprobs as usize
    }
}

/// A drawn token with the model's log-probabilities. Valid only if [`is_finite`](Self::is_finite) returns true.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The token.
    pub id: u32,
    /// Its log-probability (natural logarithm).
    pub logprob: f32,
    /// The most probable tokens and their log-probabilities, best first.
    pub top: Vec<(u32, f32)>,
}

impl Sampled {
    /// Whether the logits were numbers and one of them could be drawn.
    pub const fn is_finite(&self) -> bool {
        self.logprob.is_finite()
    }

    /// Reads the packed result: `id, logprob`, then `top_logprobs` pairs `id, logprob`; log-probabilities as f32 bits.
    /// `None` if there are fewer than two words.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let [id, logprob, rest @ ..] = words else { return None };
        let top = rest.chunks_exact(2).map(|pair| (pair[0], f32::from_bits(pair[1]))).collect();
        Some(Self { id: *id, logprob: f32::from_bits(*logprob), top })
    }
}
