//! What is asked of the engine.

use inshore_ops::{SampleParams, sample};
use inshore_tokenizer::Message;
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// What the answer continues.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Token ids, taken as they are.
    Ids(Vec<u32>),
    /// Text without a chat template; special tokens in it are recognised.
    Raw(String),
    /// A conversation, put into the model's chat template.
    Chat(Vec<Message>),
}

/// An answer that was begun elsewhere (on another device, in a lost engine) and is to go on from there.
///
/// Its tokens count for sampling (penalties, the seed's draws) and for stop texts, but not as tokens of this answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// Tokens of the same model. Text that was held back there (half a code point, a possible stop text) comes out here.
    Ids(Vec<u32>),
    /// Text that was shown.
    Text(String),
}

impl Default for Begun {
    /// Nothing yet.
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

/// A request for one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What to continue.
    pub prompt: Prompt,
    /// Tools that the chat template describes to the model, in OpenAI's form.
    pub tools: Vec<serde_json::Value>,
    /// The answer so far.
    pub begun: Begun,
    /// Most tokens to generate, without those of `begun`; `None`: until the context is full.
    pub max_tokens: Option<usize>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Texts that end the answer; they are not part of it. Empty ones are ignored.
    pub stop: Vec<String>,
    /// Alternatives to report for each token, at most 20.
    pub top_logprobs: u32,
}

impl Request {
    /// A request with default sampling, no stop texts and no limit but the context.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            tools: Vec::new(),
            begun: Begun::default(),
            max_tokens: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            top_logprobs: 0,
        }
    }
}

/// How tokens are drawn; the filters are those of [`inshore_ops::sample`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Sampling {
    /// 0: always the most probable token.
    pub temperature: f32,
    /// Most candidates; 0: no limit.
    pub top_k: u32,
    /// Probability mass of the candidates, above 0 and at most 1.
    pub top_p: f32,
    /// Least probability of a candidate relative to the best, 0 to 1.
    pub min_p: f32,
    /// Divides logits of tokens of the answer so far; 1: off.
    pub repetition_penalty: f32,
    /// Taken from the logit of a token for every time it occurs in the answer so far.
    pub frequency_penalty: f32,
    /// Taken from the logit of a token that occurs in the answer so far.
    pub presence_penalty: f32,
    /// The same seed gives the same answer on the same backend.
    pub seed: u64,
}

impl Default for Sampling {
    /// Mild: temperature 0.7, top-p 0.95.
    fn default() -> Self {
        Self { temperature: 0.7, top_p: 0.95, ..Self::greedy() }
    }
}

impl Sampling {
    /// Always the most probable token.
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
        }
    }

    /// Whether the answer so far changes the logits.
    pub(crate) fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }

    /// # Errors
    /// [`ModelError::InvalidSampling`] naming the first parameter out of its range.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let rules = [
            ("temperature", self.temperature, self.temperature >= 0.0, "0 or more"),
            ("top_p", self.top_p, self.top_p > 0.0 && self.top_p <= 1.0, "above 0 and at most 1"),
            ("min_p", self.min_p, (0.0..=1.0).contains(&self.min_p), "from 0 to 1"),
            ("repetition_penalty", self.repetition_penalty, self.repetition_penalty > 0.0, "above 0"),
            ("frequency_penalty", self.frequency_penalty, true, "a number"),
            ("presence_penalty", self.presence_penalty, true, "a number"),
        ];
        match rules.into_iter().find(|(_, value, in_range, _)| !in_range || !value.is_finite()) {
            None => Ok(()),
            Some((parameter, value, _, allowed)) => Err(ModelError::InvalidSampling { parameter, value, allowed }),
        }
    }

    /// The parameters of token `step` of an answer.
    pub(crate) fn params(&self, step: u32, top_logprobs: u32) -> SampleParams {
        SampleParams {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed,
            step,
            top_logprobs: top_logprobs.min(sample::MAX_TOP_LOGPROBS),
        }
    }
}
