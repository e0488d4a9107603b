//! Log-probabilities of tokens as the protocol writes them.

use inshore_model::{Engine, Step};
use serde::Serialize;

/// `choices[].logprobs`.
#[derive(Debug, Serialize)]
pub struct Logprobs {
    /// One entry per token of the answer, with the one that ended it.
    pub content: Vec<TokenLogprob>,
}

/// A token and what else was likely in its place.
#[derive(Debug, Serialize)]
pub struct TokenLogprob {
    #[serde(flatten)]
    token: Candidate,
    top_logprobs: Vec<Candidate>,
}

#[derive(Debug, Serialize)]
struct Candidate {
    token: String,
    logprob: f32,
    /// A token may be a part of a code point; its bytes say which.
    bytes: Vec<u8>,
}

impl TokenLogprob {
    /// What `step` knows, with the tokens' texts.
    pub fn new(engine: &Engine, step: &Step) -> Self {
        let candidate = |id, logprob| {
            let bytes = engine.tokenizer().token_bytes(id).unwrap_or_default();
            Candidate { token: String::from_utf8_lossy(&bytes).into_owned(), logprob, bytes }
        };
        let top_logprobs = step.top.iter().map(|&(id, logprob)| candidate(id, logprob)).collect();
        Self { token: candidate(step.id, step.logprob), top_logprobs }
    }
}
