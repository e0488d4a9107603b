//! An answer as server-sent events: role, content deltas, the end, usage on request, `[DONE]`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use inshore_model::FinishReason;

use super::engine_thread::{Answer, AnswerEvent};
use super::openai::{ApiError, Chunk, Delta, Heading};

/// A comment goes out so often while there is nothing to say, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a stream carries besides the text.
#[derive(Debug)]
pub struct StreamOptions {
    /// Token counts at the end.
    pub include_usage: bool,
    /// Token ids with each chunk, and in the first one this SHA-256 of the model's file.
    pub ids_of: Option<String>,
}

struct State {
    answer: Answer,
    heading: Heading,
    options: StreamOptions,
    ready: VecDeque<Event>,
    over: bool,
}

/// The stream; dropping it (the client is gone) drops the answer, which cancels the generation.
pub fn stream(
    answer: Answer,
    heading: Heading,
    options: StreamOptions,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let role = Chunk::delta(&heading, Delta::role(), None).with_model(options.ids_of.as_deref());
    let ready = VecDeque::from([event(&role)]);
    let state = State { answer, heading, options, ready, over: false };
    let events = unfold(state, |mut state| async move {
        loop {
            if let Some(event) = state.ready.pop_front() {
                return Some((Ok(event), state));
            }
            if state.over {
                return None;
            }
            let next = state.answer.events.recv().await.unwrap_or_else(|| AnswerEvent::Failed(ApiError::engine_gone()));
            state.take(next);
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

impl State {
    fn take(&mut self, next: AnswerEvent) {
        match next {
            AnswerEvent::Started => {}
            AnswerEvent::Token { id, text, logprobs } => {
                let id = id.filter(|_| self.options.ids_of.is_some());
                if !text.is_empty() || logprobs.is_some() || id.is_some() {
                    let chunk = Chunk::delta(&self.heading, Delta::content(text), logprobs).with_id(id);
                    self.ready.push_back(event(&chunk));
                }
            }
            AnswerEvent::Finished { reason: FinishReason::Cancelled, .. } => self.fail(&ApiError::stopping()),
            AnswerEvent::Finished { reason, timings } => {
                self.ready.push_back(event(&Chunk::end(&self.heading, reason, timings)));
                if self.options.include_usage {
                    self.ready.push_back(event(&Chunk::usage(&self.heading, timings)));
                }
                self.ready.push_back(Event::default().data("[DONE]"));
                self.over = true;
            }
            AnswerEvent::Failed(error) => self.fail(&error),
        }
    }

    /// An error event and no `[DONE]`: what was cut must not look complete.
    fn fail(&mut self, error: &ApiError) {
        self.ready.push_back(event(&error.body()));
        self.over = true;
    }
}

fn event(body: &impl serde::Serialize) -> Event {
    // Strings and numbers always serialise; the fallback is an empty comment.
    Event::default().json_data(body).unwrap_or_else(|_| Event::default().comment(""))
}
