//! Answers: whole, or in chunks.

use inshore_model::{FinishReason, Timings};
use serde::Serialize;

use super::{Logprobs, TokenLogprob};

/// What is the same in all parts of an answer.
#[derive(Debug, Clone)]
pub struct Heading {
    /// `chatcmpl-…`.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Name of the model.
    pub model: String,
    /// Backend and device.
    pub place: Option<(&'static str, String)>,
}

/// Our extension object: where the answer came from, and how fast.
#[derive(Debug, Serialize)]
struct Extension {
    source: &'static str,
    backend: Option<&'static str>,
    device: Option<String>,
    ttft_ms: f64,
    prefill_tps: f64,
    decode_tps: f64,
}

impl Extension {
    fn new(heading: &Heading, timings: Timings) -> Self {
        let Timings { ttft_ms, prefill_tps, decode_tps, .. } = timings;
        let (backend, device) = heading.place.clone().unzip();
        Self { source: "edge", backend, device, ttft_ms, prefill_tps, decode_tps }
    }
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptTokensDetails,
}

/// `cached_tokens`: those of the prompt that did not run again.
#[derive(Debug, Serialize)]
struct PromptTokensDetails {
    cached_tokens: usize,
}

impl From<Timings> for Usage {
    fn from(timings: Timings) -> Self {
        let Timings { prompt_tokens, cached_tokens, completion_tokens, .. } = timings;
        let prompt_tokens_details = PromptTokensDetails { cached_tokens };
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details,
        }
    }
}

/// A whole answer.
#[derive(Debug, Serialize)]
pub struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: [Choice; 1],
    usage: Usage,
    inshore: Extension,
}

#[derive(Debug, Serialize)]
struct Choice {
    index: u32,
    message: AssistantMessage,
    logprobs: Option<Logprobs>,
    finish_reason: &'static str,
}

#[derive(Debug, Serialize)]
struct AssistantMessage {
    role: &'static str,
    content: String,
    refusal: Option<&'static str>,
}

impl Completion {
    /// An answer that ended for `end.0`.
    pub fn new(heading: Heading, content: String, logprobs: Option<Logprobs>, end: (FinishReason, Timings)) -> Self {
        let (reason, timings) = end;
        let message = AssistantMessage { role: "assistant", content, refusal: None };
        Self {
            object: "chat.completion",
            created: heading.created,
            choices: [Choice { index: 0, message, logprobs, finish_reason: reason.as_str() }],
            usage: timings.into(),
            inshore: Extension::new(&heading, timings),
            id: heading.id,
            model: heading.model,
        }
    }
}

/// A part of a streamed answer.
#[derive(Debug, Serialize)]
pub struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<ChunkChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inshore: Option<ChunkExtension<'a>>,
}

/// Our extension of a chunk: which model begins, the tokens of a delta, or the report at the end.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ChunkExtension<'a> {
    Begins { model_sha256: &'a str },
    Tokens { ids: [u32; 1] },
    End(Extension),
}

#[derive(Debug, Serialize)]
struct ChunkChoice {
    index: u32,
    delta: Delta,
    logprobs: Option<Logprobs>,
    finish_reason: Option<&'static str>,
}

/// What a chunk adds to the message.
#[derive(Debug, Default, Serialize)]
pub struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

impl Delta {
    /// The first chunk: who speaks.
    pub fn role() -> Self {
        Self { role: Some("assistant"), content: Some(String::new()) }
    }

    /// More text.
    pub const fn content(text: String) -> Self {
        Self { role: None, content: Some(text) }
    }
}

impl<'a> Chunk<'a> {
    fn new(heading: &'a Heading, choices: Vec<ChunkChoice>) -> Self {
        let Heading { id, created, model, .. } = heading;
        Self { id, object: "chat.completion.chunk", created: *created, model, choices, usage: None, inshore: None }
    }

    /// The role or more text.
    pub fn delta(heading: &'a Heading, delta: Delta, logprobs: Option<TokenLogprob>) -> Self {
        let logprobs = logprobs.map(|token| Logprobs { content: vec![token] });
        Self::new(heading, vec![ChunkChoice { index: 0, delta, logprobs, finish_reason: None }])
    }

    /// The same chunk with the token that it brings.
    pub fn with_id(self, id: Option<u32>) -> Self {
        Self { inshore: id.map(|id| ChunkExtension::Tokens { ids: [id] }), ..self }
    }

    /// The same chunk with the hash of the model that answers.
    pub fn with_model(self, model_sha256: Option<&'a str>) -> Self {
        Self { inshore: model_sha256.map(|model_sha256| ChunkExtension::Begins { model_sha256 }), ..self }
    }

    /// The end of the answer, with our extension.
    pub fn end(heading: &'a Heading, reason: FinishReason, timings: Timings) -> Self {
        let finish_reason = Some(reason.as_str());
        let choice = ChunkChoice { index: 0, delta: Delta::default(), logprobs: None, finish_reason };
        let extension = ChunkExtension::End(Extension::new(heading, timings));
        Self { inshore: Some(extension), ..Self::new(heading, vec![choice]) }
    }

    /// Token counts, in a chunk without choices.
    pub fn usage(heading: &'a Heading, timings: Timings) -> Self {
        Self { usage: Some(timings.into()), ..Self::new(heading, Vec::new()) }
    }
}
