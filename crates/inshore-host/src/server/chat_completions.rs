//! `POST /v1/chat/completions`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use inshore_model::FinishReason;

use super::AppState;
use super::engine_thread::{Answer, AnswerEvent, Readiness};
use super::openai::{ApiError, ChatRequest, Completion, Heading, Logprobs};
use super::sse::{self, StreamOptions};

/// Longest time in which a request's body arrives.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers one request, streamed or whole.
///
/// # Errors
/// [`ApiError`] with the status that OpenAI clients expect. A fault after the first byte of a stream is an `error` event
/// in it, and the stream then ends without `[DONE]`.
pub async fn handle(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let chat = tokio::time::timeout(BODY_TIMEOUT, ChatRequest::from_request(request, &()));
    let chat = chat.await.map_err(|_| ApiError::body_timeout())??;
    if let Some(name) = chat.model().filter(|name| !state.model.answers_to(name)) {
        return Err(ApiError::no_model(name));
    }
    if let Some(wanted) = chat.model_sha256() {
        let served = state.model.sha256().await?;
        if !served.eq_ignore_ascii_case(wanted) {
            return Err(ApiError::model_mismatch(served));
        }
    }
    let ids_of = if chat.wants_ids() { Some(state.model.sha256().await?.to_owned()) } else { None };
    let options = StreamOptions { include_usage: chat.include_usage(), ids_of };
    let (stream, logprobs) = (chat.stream(), chat.alternatives().is_some());
    let request = chat.into_engine_request()?;
    let mut answer = state.engine.ask(request, logprobs)?;
    // The status is decided by the first event: a prompt that is too long is a 400, not a broken stream.
    match answer.events.recv().await {
        Some(AnswerEvent::Started) => {}
        Some(AnswerEvent::Failed(error)) => return Err(error),
        _ => return Err(ApiError::engine_gone()),
    }
    let heading = heading(&state);
    if stream {
        return Ok(sse::stream(answer, heading, options).into_response());
    }
    let completion = collect(answer, heading, logprobs).await?;
    Ok(Json(completion).into_response())
}

fn heading(state: &AppState) -> Heading {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let id = format!("chatcmpl-{:016x}", crate::engine::random_seed());
    let place = match state.engine.readiness() {
        Readiness::Ready(info) => Some((info.backend, info.device)),
        _ => None,
    };
    Heading { id, created: now, model: state.model.name().to_owned(), place }
}

async fn collect(mut answer: Answer, heading: Heading, wants_logprobs: bool) -> Result<Completion, ApiError> {
    let mut content = String::new();
    let mut tokens = Vec::new();
    while let Some(event) = answer.events.recv().await {
        match event {
            AnswerEvent::Started => {}
            AnswerEvent::Token { text, logprobs, .. } => {
                content.push_str(&text);
                tokens.extend(logprobs);
            }
            AnswerEvent::Failed(error) => return Err(error),
            AnswerEvent::Finished { reason: FinishReason::Cancelled, .. } => return Err(ApiError::stopping()),
            AnswerEvent::Finished { reason, timings } => {
                let logprobs = wants_logprobs.then_some(Logprobs { content: tokens });
                return Ok(Completion::new(heading, content, logprobs, (reason, timings)));
            }
        }
    }
    Err(ApiError::engine_gone())
}
