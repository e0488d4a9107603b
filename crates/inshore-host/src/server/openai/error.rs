//! Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`. Status, type and retry come from the table
//! of error codes.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use inshore_model::ModelError;
use inshore_protocol::{ErrorCode, RequestError};
use serde::Serialize;

/// Seconds after which a turned-away client may try again.
const RETRY_AFTER_S: &str = "1";

/// OpenAI's clients follow this header rather than their own rule for the status.
pub const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A refused or failed request.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: ErrorCode,
    param: Option<String>,
    message: String,
}

/// The body of an error.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorFields<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: ErrorCode,
}

impl ApiError {
    /// An error of the table.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, param: None, message: message.into() }
    }

    /// The same error, of the field `param`.
    pub fn with_param(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// 404: another model.
    pub fn no_model(name: &str) -> Self {
        let shown: String = name.chars().take(100).collect();
        let message = format!("there is no model `{shown}` here; GET /v1/models lists what there is");
        Self::new(ErrorCode::ModelNotFound, message).with_param("model")
    }

    /// 409: tokens of another model are to be continued.
    pub fn model_mismatch(served: &str) -> Self {
        let message = format!(
            "the answer was begun by another model than the one served here (SHA-256 {served}); continue its text instead"
        );
        Self::new(ErrorCode::ModelMismatch, message).with_param("inshore")
    }

    /// 404: nothing at this path.
    pub fn no_route() -> Self {
        Self::new(ErrorCode::NotFound, "there is nothing at this address; the API is /v1/chat/completions")
    }

    /// 405.
    pub fn wrong_method() -> Self {
        Self::new(ErrorCode::WrongMethod, "this address wants another method")
    }

    /// 503: the queue is full.
    pub fn busy() -> Self {
        Self::new(ErrorCode::Busy, "too many requests are waiting; try again in a moment")
    }

    /// 503: not ready yet.
    pub fn loading() -> Self {
        Self::new(ErrorCode::Loading, "the model is being loaded; try again in a moment")
    }

    /// 503: the server is going down.
    pub fn stopping() -> Self {
        Self::new(ErrorCode::Stopping, "the server is stopping; the answer is not complete")
    }

    /// 503: a request broke the engine, and it is not back yet.
    pub fn reloading() -> Self {
        let message = "the model is being loaded again after a failure; try again in a moment";
        Self::new(ErrorCode::Reloading, message)
    }

    /// 500: this request made the engine panic.
    pub fn engine_panicked() -> Self {
        let message = "the engine panicked during this request; this is a bug, please report it";
        Self::new(ErrorCode::EnginePanicked, message)
    }

    /// 500: a handler panicked.
    pub fn internal() -> Self {
        let message = "the server failed because of a bug; please report it with the request";
        Self::new(ErrorCode::Internal, message)
    }

    /// 403: the request is for a host that this server does not answer for.
    pub fn host_not_allowed(host: &str) -> Self {
        let shown: String = host.chars().take(100).collect();
        let message = format!(
            "this server does not answer for the host `{shown}`; call it by its address, or start it with --allowed-host \
             and the name"
        );
        Self::new(ErrorCode::HostNotAllowed, message)
    }

    /// 408: the body did not arrive in time.
    pub fn body_timeout() -> Self {
        Self::new(ErrorCode::BodyTimeout, "the request's body did not arrive in time; send it again")
    }

    /// 499: the client did not read its answer.
    pub fn slow_client() -> Self {
        Self::new(ErrorCode::Aborted, "the answer was given up because its client did not read it")
    }

    /// 500: the engine's thread is gone.
    pub fn engine_gone() -> Self {
        Self::new(ErrorCode::EngineGone, "the engine stopped; the answer is not complete")
    }

    /// 500: the model file was there at the start.
    pub fn file_gone() -> Self {
        Self::new(ErrorCode::FileGone, "the model file can no longer be read")
    }

    /// The engine's refusal or failure.
    pub fn from_model(error: &ModelError) -> Self {
        let code = error.error_code();
        let found = Self::new(code, error.to_string());
        match error {
            ModelError::InvalidSampling { parameter, .. } => found.with_param(*parameter),
            _ if code.status() < 500 => found.with_param("messages"),
            _ => found,
        }
    }

    /// HTTP status.
    fn status(&self) -> StatusCode {
        // Every row of the table has a valid status.
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The JSON body.
    pub fn body(&self) -> ErrorBody<'_> {
        let code = self.code.wire();
        let param = self.param.as_deref();
        ErrorBody { error: ErrorFields { message: &self.message, kind: self.code.kind(), param, code } }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        Self { code: error.code, param: error.param, message: error.message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut answer = (self.status(), Json(self.body())).into_response();
        let retry = self.code.should_retry();
        let headers = answer.headers_mut();
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(if retry { "true" } else { "false" }));
        if retry && self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status_type_and_word_on_retries_over_http() {
        for code in ErrorCode::ALL {
            let answer = ApiError::new(*code, "x").into_response();
            assert_eq!(answer.status().as_u16(), code.status(), "{code}");
            let retry = answer.headers()[SHOULD_RETRY].to_str().unwrap() == "true";
            assert_eq!(retry, code.should_retry(), "{code}");
            assert!(retry || !answer.headers().contains_key(RETRY_AFTER), "{code}");
        }
    }

    #[test]
    fn the_engines_errors_are_the_tables() {
        let told = |error: ModelError| {
            let error = ApiError::from_model(&error);
            serde_json::to_value(error.body()).unwrap()["error"].take()
        };
        let too_long = ModelError::PromptTooLong { prompt_tokens: 9, context_tokens: 8, train_context_tokens: 8 };
        let too_long = told(too_long);
        assert_eq!((&too_long["code"], &too_long["param"]), (&"context_length_exceeded".into(), &"messages".into()));
        let sampling = ModelError::InvalidSampling { parameter: "top_p", value: 2.0, allowed: "at most 1" };
        assert_eq!(told(sampling)["param"], "top_p");
        let template = told(ModelError::Tokenizer(inshore_tokenizer::TokenizerError::NoTemplate));
        assert_eq!(
            (&template["code"], &template["type"]),
            (&"no_chat_template".into(), &"invalid_request_error".into())
        );
        let lost = told(ModelError::DeviceLost { message: "gone".into() });
        assert_eq!((&lost["code"], &lost["type"]), (&"device_lost".into(), &"server_error".into()));
    }
}
