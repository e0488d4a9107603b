//! Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use inshore_model::ModelError;
use serde::Serialize;

/// Seconds after which a turned-away client may try again.
const RETRY_AFTER_S: &str = "1";

/// A refused or failed request.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    param: Option<&'static str>,
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
    param: Option<&'static str>,
    code: &'static str,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, param: None, message: message.into() }
    }

    /// 400: a value that makes no sense.
    pub fn invalid(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), ..Self::new(StatusCode::BAD_REQUEST, "invalid_value", message) }
    }

    /// 422: sound, but nothing that this engine can do.
    pub fn unsupported(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unsupported", message) }
    }

    /// 400, 413 or 415: the body is too large, no JSON, or of another form.
    pub fn from_json(rejection: &JsonRejection) -> Self {
        let (status, code) = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"),
            _ => (StatusCode::BAD_REQUEST, "invalid_body"),
        };
        Self::new(status, code, rejection.body_text())
    }

    /// 404: another model.
    pub fn no_model(name: &str) -> Self {
        let shown: String = name.chars().take(100).collect();
        let message = format!("there is no model `{shown}` here; GET /v1/models lists what there is");
        Self { param: Some("model"), ..Self::new(StatusCode::NOT_FOUND, "model_not_found", message) }
    }

    /// 409: tokens of another model are to be continued.
    pub fn model_mismatch(served: &str) -> Self {
        let message = format!(
            "the answer was begun by another model than the one served here (SHA-256 {served}); continue its text instead"
        );
        Self { param: Some("inshore"), ..Self::new(StatusCode::CONFLICT, "model_mismatch", message) }
    }

    /// 404: nothing at this path.
    pub fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is nothing at this address; the API is /v1/chat/completions",
        )
    }

    /// 405.
    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this address wants another method")
    }

    /// 503: the queue is full.
    pub fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests are waiting; try again in a moment")
    }

    /// 503: not ready yet.
    pub fn loading() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "loading", "the model is being loaded; try again in a moment")
    }

    /// 503: the server is going down.
    pub fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping; the answer is not complete")
    }

    /// 503: a request broke the engine, and it is not back yet.
    pub fn reloading() -> Self {
        let message = "the model is being loaded again after a failure; try again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "reloading", message)
    }

    /// 500: this request made the engine panic.
    pub fn engine_panicked() -> Self {
        let message = "the engine panicked during this request; this is a bug, please report it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "engine_panicked", message)
    }

    /// 500: a handler panicked.
    pub fn internal() -> Self {
        let message = "this request met a bug of the server; please report it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 403: the request is for a host that this server does not answer for.
    pub fn host_not_allowed(host: &str) -> Self {
        let shown: String = host.chars().take(100).collect();
        let message = format!(
            "this server does not answer for the host `{shown}`; call it by its address, or start it with --allowed-host \
             and the name"
        );
        Self::new(StatusCode::FORBIDDEN, "host_not_allowed", message)
    }

    /// 408: the body did not arrive in time.
    pub fn body_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "the request's body did not arrive in time; send it again",
        )
    }

    /// 499: the client did not read its answer.
    pub fn slow_client() -> Self {
        let status = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, "aborted", "the answer was given up because its client did not read it")
    }

    /// 500: the engine's thread is gone.
    pub fn engine_gone() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "engine_gone", "the engine broke down; the answer is not complete")
    }

    /// 500: the model file was there at the start.
    pub fn file_gone() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "file_gone", "the model file can no longer be read")
    }

    /// The engine's refusal: 400 for what the caller can change, 503 or 500 for the rest.
    pub fn from_model(error: &ModelError) -> Self {
        let (status, code) = match error.code() {
            "prompt_too_long" => (StatusCode::BAD_REQUEST, "context_length_exceeded"),
            code @ ("empty_prompt" | "unknown_token" | "invalid_sampling") => (StatusCode::BAD_REQUEST, code),
            code if code.starts_with("template") || code == "no_template" => (StatusCode::BAD_REQUEST, code),
            code @ "out_of_memory" => (StatusCode::SERVICE_UNAVAILABLE, code),
            code => (StatusCode::INTERNAL_SERVER_ERROR, code),
        };
        let param = status.is_client_error().then_some("messages");
        Self { param, ..Self::new(status, code, error.to_string()) }
    }

    /// HTTP status.
    #[cfg(test)]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The JSON body.
    pub fn body(&self) -> ErrorBody<'_> {
        let kind = if self.status.is_client_error() { "invalid_request_error" } else { "server_error" };
        ErrorBody { error: ErrorFields { message: &self.message, kind, param: self.param, code: self.code } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut answer = (self.status, Json(self.body())).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        answer
    }
}
