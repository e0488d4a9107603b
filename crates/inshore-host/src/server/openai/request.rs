//! A chat-completions request as it comes over HTTP, and the engine's request that it becomes.

use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use inshore_model::{Begun, Message, Prompt, Request, Sampling};
use inshore_protocol::{ErrorCode, RequestError};
use tower_http::timeout::TimeoutError;

use super::ApiError;

/// A body that passed the check, which is the same as in page and worker.
#[derive(Debug)]
pub struct ChatRequest(inshore_protocol::ChatRequest);

impl<S: Send + Sync> FromRequest<S> for ChatRequest {
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            // Browsers send a preflight for this type; other types could come from any origin without one.
            return Err(ApiError::new(ErrorCode::NotJson, "send the body as `Content-Type: application/json`"));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        Ok(Self(inshore_protocol::ChatRequest::parse(&body)?))
    }
}

/// Returns the error for a body that could not be read.
fn unreadable(rejection: &BytesRejection) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(rejection);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return ApiError::body_timeout();
        }
        cause = error.source();
    }
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(ErrorCode::BodyTooLarge, "the body has too many bytes; shorten the conversation")
        }
        _ => ApiError::new(ErrorCode::InvalidBody, rejection.body_text()),
    }
}

impl ChatRequest {
    /// Name of the model; the served one if it is missing.
    pub fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// Whether the answer is to be streamed.
    pub const fn stream(&self) -> bool {
        self.0.stream
    }

    /// Whether a stream ends with token counts.
    pub const fn include_usage(&self) -> bool {
        self.0.include_usage
    }

    /// Alternatives to report per token, if log-probabilities are asked for at all.
    pub const fn alternatives(&self) -> Option<u32> {
        self.0.top_logprobs
    }

    /// Whether the chunks of a stream carry their token ids.
    pub const fn wants_ids(&self) -> bool {
        self.0.extension.ids
    }

    /// SHA-256 of the model's file that the request is made for.
    pub fn model_sha256(&self) -> Option<&str> {
        self.0.extension.model_sha256.as_deref()
    }

    /// The request for the engine.
    ///
    /// # Errors
    /// 422 for what the engine lacks.
    pub fn into_engine_request(self) -> Result<Request, ApiError> {
        let chat = self.0;
        // The engine can continue a prefix; it lacks all other features of the list.
        if let Some(feature) = chat.local_lacks.iter().find(|feature| **feature != "prefix") {
            return Err(unsupported(feature).into());
        }
        let messages = chat.messages.into_iter();
        let messages = messages.map(|message| Message::new(message.role.as_str(), message.content));
        let mut request = Request::new(Prompt::Chat(messages.collect()));
        request.begun = match chat.prefix {
            Some(text) => Begun::Text(text),
            None => Begun::Ids(chat.extension.continue_ids),
        };
        request.max_tokens = chat.max_tokens.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX));
        request.sampling = sampling(&chat.sampling);
        request.stop = chat.stop;
        // The engine reports a token's own log-probability in any case.
        request.top_logprobs = chat.top_logprobs.unwrap_or(0);
        Ok(request)
    }
}

fn unsupported(feature: &str) -> RequestError {
    let param = match feature {
        "images" | "files" => "messages",
        "web_search" => "web_search_options",
        field => field,
    };
    RequestError::unsupported(param, format!("The engine here does not support {feature}; leave it out."))
}

fn sampling(given: &inshore_protocol::Sampling) -> Sampling {
    let defaults = Sampling::default();
    Sampling {
        temperature: given.temperature.unwrap_or(defaults.temperature),
        top_k: given.top_k.unwrap_or(defaults.top_k),
        // Some clients send 0 for "only the most probable token".
        top_p: given.top_p.unwrap_or(defaults.top_p).max(f32::MIN_POSITIVE),
        min_p: given.min_p.unwrap_or(defaults.min_p),
        repetition_penalty: given.repetition_penalty.unwrap_or(defaults.repetition_penalty),
        frequency_penalty: given.frequency_penalty.unwrap_or(defaults.frequency_penalty),
        presence_penalty: given.presence_penalty.unwrap_or(defaults.presence_penalty),
        seed: given.seed.unwrap_or_else(crate::engine::random_seed),
    }
}

#[cfg(test)]
mod tests {
    use inshore_protocol::testing::request_cases;
    use serde_json::{Value, json};

    use super::*;

    fn engine_request(body: &[u8]) -> Result<Request, Value> {
        let told = |error: ApiError| serde_json::to_value(error.body()).unwrap()["error"].take();
        let chat = inshore_protocol::ChatRequest::parse(body).map_err(|error| told(error.into()))?;
        ChatRequest(chat).into_engine_request().map_err(told)
    }

    fn with(extra: Value) -> Request {
        let mut body = json!({ "messages": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        engine_request(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn every_body_of_the_table_reaches_the_engine_or_is_refused_as_it_says() {
        for case in request_cases() {
            let found = engine_request(&case.body);
            let name = &case.name;
            // Names of models are the handler's business.
            let refusal = case.refusal.filter(|refusal| refusal["code"] != "model_not_found");
            let lacks = case.local_lacks.iter().any(|feature| feature != "prefix");
            match (found, refusal) {
                (Ok(request), None) if !lacks => understood(name, &request, &case.normalised),
                (Err(error), None) if lacks => assert_eq!(error["code"], "unsupported_feature", "{name}"),
                (Err(error), Some(refusal)) => {
                    assert_eq!((&error["code"], &error["param"]), (&refusal["code"], &refusal["param"]), "{name}");
                }
                (found, refusal) => panic!("{name}: {found:?}, not {refusal:?}"),
            }
        }
    }

    fn understood(name: &str, request: &Request, expected: &serde_json::Map<String, Value>) {
        let Prompt::Chat(messages) = &request.prompt else { panic!("{name}") };
        let messages: Vec<_> = messages.iter().map(|message| json!([message.role, message.content])).collect();
        for (field, value) in expected {
            let found = match field.as_str() {
                "messages" => json!(messages),
                "prefix" => match &request.begun {
                    Begun::Text(text) => json!(text),
                    Begun::Ids(_) => Value::Null,
                },
                "max_tokens" => json!(request.max_tokens),
                "stop" => json!(request.stop),
                "top_k" => json!(request.sampling.top_k),
                "seed" if value.is_string() => json!(request.sampling.seed.to_string()),
                "top_logprobs" => json!(Some(request.top_logprobs).filter(|_| !value.is_null())),
                _ => continue,
            };
            assert_eq!(&found, value, "{name}: {field}");
        }
    }

    #[test]
    fn fields_reach_the_engine() {
        let request = with(json!({
            "max_tokens": 7, "temperature": 0, "top_p": 0.5, "seed": -1, "stop": "x", "top_k": 3, "min_p": 0.125,
            "frequency_penalty": -2, "presence_penalty": 2, "repetition_penalty": 1.5, "logprobs": true, "top_logprobs": 5,
        }));
        assert_eq!((request.max_tokens, request.top_logprobs), (Some(7), 5));
        let s = request.sampling;
        assert_eq!((s.temperature, s.top_p, s.top_k, s.min_p, s.seed), (0.0, 0.5, 3, 0.125, u64::MAX));
        assert_eq!((s.frequency_penalty, s.presence_penalty, s.repetition_penalty), (-2.0, 2.0, 1.5));
        assert!(with(json!({ "top_p": 0 })).sampling.top_p > 0.0);
    }

    #[test]
    fn answers_go_on_from_ids_or_from_a_prefix() {
        let ids = json!({ "inshore": { "continue_ids": [1, 2], "model_sha256": "ab".repeat(32) } });
        assert_eq!(with(ids).begun, Begun::Ids(vec![1, 2]));
        let user = json!({ "role": "user", "content": "hi" });
        let prefix = json!({ "role": "assistant", "content": "The sea", "prefix": true });
        assert_eq!(with(json!({ "messages": [user, prefix] })).begun, Begun::Text("The sea".into()));
        // An assistant's last message without the flag is a turn of the conversation.
        let plain = json!({ "role": "assistant", "content": "The sea" });
        assert_eq!(with(json!({ "messages": [user, plain] })).begun, Begun::default());
    }
}
