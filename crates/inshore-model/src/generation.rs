//! An answer in the making: the token log, the text so far, and why it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Int, Tensor};
use inshore_ops::Sampled;
use inshore_tokenizer::StreamDecoder;
use serde::Serialize;
use web_time::Instant;

use crate::request::{Begun, Request};
use crate::stop::StopMatcher;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop text did.
    Stop,
    /// The token limit or the end of the context.
    Length,
    /// The caller did.
    Cancelled,
}

impl FinishReason {
    /// `stop`, `length` or `cancelled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One generated token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The token.
    pub id: u32,
    /// Text that is complete by now; empty while a code point or a possible stop text is incomplete.
    pub text: String,
    /// The model's log-probability of the token.
    pub logprob: f32,
    /// The most probable tokens with their log-probabilities, best first.
    pub top: Vec<(u32, f32)>,
}

/// What a call of [`crate::Engine::step`] did.
#[derive(Debug, Clone, PartialEq)]
pub enum StepOutcome {
    /// A part of the prompt ran. Another call runs the next part.
    Prefill {
        /// Prompt tokens that are done, including those from the cache.
        done_tokens: usize,
        /// Number of prompt tokens.
        total_tokens: usize,
    },
    /// A token was drawn. The last part of the prompt and the first token come from the same call.
    Token(Step),
    /// The answer has ended.
    Done,
}

/// Speed of an answer. A rate without a measurement (fewer than two tokens, say) is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Time to first token, from [`crate::Engine::start`] on, in ms.
    pub ttft_ms: f64,
    /// Prompt tokens per second, of those that ran.
    pub prefill_tps: f64,
    /// Token generation speed, `(tokens − 1) / (last − first)`, per second.
    pub decode_tps: f64,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Those of them that did not run: the KV cache held them from before.
    pub cached_tokens: usize,
    /// Tokens of the answer.
    pub completion_tokens: usize,
}

/// Fewest tokens of a continued conversation whose time tells of prefill: of fewer, it is the time of a step.
const MEASURED_TOKENS: usize = 16;

/// Ends a generation from elsewhere: another thread, or a signal handler.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(Arc<AtomicBool>);

impl CancelHandle {
    /// The generation ends before its next token (in a long prompt: before its next piece).
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// State of one answer; advanced by [`crate::Engine::step`].
#[derive(Debug)]
pub struct Generation {
    pub(crate) request: Request,
    pub(crate) prompt_ids: Vec<u32>,
    /// Tokens of the whole answer; the first `begun` of them came with the request.
    pub(crate) log: Vec<u32>,
    begun: usize,
    /// Tokens of prompt and `begun` that the cache held when the prefill began.
    held: Option<usize>,
    pub(crate) limits: Limits,
    /// The sampled token on the device: the next step's input needs no upload.
    pub(crate) next: Option<Tensor<1, Int>>,
    pub(crate) cancel: CancelHandle,
    text: String,
    decoder: StreamDecoder,
    stops: StopMatcher,
    finish_reason: Option<FinishReason>,
    clock: Clock,
}

/// What bounds a generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most tokens.
    pub max_tokens: usize,
    /// Which of its engine's generations it is.
    pub generation_id: u64,
}

#[derive(Debug)]
struct Clock {
    started: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Generation {
    pub(crate) fn new(request: Request, prompt_ids: Vec<u32>, limits: Limits, decoder: StreamDecoder) -> Self {
        Self {
            stops: StopMatcher::new(&request.stop),
            request,
            prompt_ids,
            log: Vec::new(),
            begun: 0,
            held: None,
            limits,
            next: None,
            cancel: CancelHandle::default(),
            text: String::new(),
            decoder,
            finish_reason: None,
            clock: Clock { started: Instant::now(), first: None, last: None },
        }
    }

    /// Tokens of the prompt.
    pub fn prompt_ids(&self) -> &[u32] {
        &self.prompt_ids
    }

    /// Tokens generated here so far, with the one that ended the answer.
    pub fn ids(&self) -> &[u32] {
        &self.log[self.begun..]
    }

    /// Text generated here so far, without the token or text that ended the answer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why the answer ended; `None` while it goes on.
    pub const fn finish_reason(&self) -> Option<FinishReason> {
        self.finish_reason
    }

    /// Ends the answer: the next step gives `None`.
    pub fn cancel(&mut self) {
        self.cancel.cancel();
    }

    /// A handle that ends the answer from elsewhere.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Speed so far.
    pub fn timings(&self) -> Timings {
        let seconds = |from: Instant, to: Option<Instant>| to.map_or(0.0, |to| (to - from).as_secs_f64());
        let rate = |count: usize, seconds: f64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let ttft = seconds(self.clock.started, self.clock.first);
        let decode = self.clock.first.map_or(0.0, |first| seconds(first, self.clock.last));
        let held = self.held.unwrap_or_default();
        let run = self.prompt_ids.len() + self.begun - held;
        Timings {
            ttft_ms: ttft * 1e3,
            prefill_tps: if held > 0 && run < MEASURED_TOKENS { 0.0 } else { rate(run, ttft) },
            decode_tps: rate(self.ids().len().saturating_sub(1), decode),
            prompt_tokens: self.prompt_ids.len(),
            cached_tokens: held.min(self.prompt_ids.len()),
            completion_tokens: self.ids().len(),
        }
    }

    /// Whether the engine has found memory for the prompt.
    pub(crate) const fn has_begun_prefill(&self) -> bool {
        self.held.is_some()
    }

    /// Notes what the cache held. Should the prompt run once more (a step was given up), its own tokens do not count.
    pub(crate) fn note_held(&mut self, tokens: usize) {
        self.held.get_or_insert(tokens);
    }

    /// Takes over an answer that was begun elsewhere: decoder and stop texts get into the state they had there.
    pub(crate) fn replay(&mut self, begun: Vec<u32>) {
        for &id in &begun {
            let released = self.stops.push(&self.decoder.push(id));
            if released.stopped {
                self.stops.finish();
                self.decoder.flush();
                self.finish_reason = Some(FinishReason::Stop);
                break;
            }
        }
        if matches!(self.request.begun, Begun::Text(_)) {
            // All of it was shown.
            self.stops.finish();
        }
        self.begun = begun.len();
        self.log = begun;
    }

    /// Notes a drawn token and decides whether the answer goes on.
    pub(crate) fn push(&mut self, sampled: Sampled, ends: bool) -> Step {
        let now = Instant::now();
        self.clock.first.get_or_insert(now);
        self.clock.last = Some(now);
        self.log.push(sampled.id);
        let mut text = String::new();
        if ends {
            self.finish_reason = Some(FinishReason::Stop);
        } else {
            let released = self.stops.push(&self.decoder.push(sampled.id));
            text.push_str(&released.text);
            if released.stopped {
                self.finish_reason = Some(FinishReason::Stop);
                self.stops.finish();
                self.decoder.flush();
            } else if self.ids().len() >= self.limits.max_tokens {
                self.finish_reason = Some(FinishReason::Length);
            }
        }
        if self.finish_reason.is_some() {
            text.push_str(&self.flush());
        }
        self.text.push_str(&text);
        Step { id: sampled.id, text, logprob: sampled.logprob, top: sampled.top }
    }

    /// Ends the answer without a token. What was held back of the text belongs to it.
    pub(crate) fn finish(&mut self, reason: FinishReason) {
        if self.finish_reason.is_none() {
            self.finish_reason = Some(reason);
            let rest = self.flush();
            self.text.push_str(&rest);
        }
    }

    /// The rest of the text: an incomplete code point as U+FFFD, and what might have become a stop text.
    fn flush(&mut self) -> String {
        let tail = self.stops.push(&self.decoder.flush());
        if tail.stopped { tail.text } else { tail.text + &self.stops.finish() }
    }
}
