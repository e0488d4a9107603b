//! `/health`, `/v1/models` and the page where there is no page.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::AppState;
use super::engine_thread::Readiness;
use super::openai::ApiError;

/// An entry of `/v1/models`.
#[derive(Debug, Serialize)]
pub struct ModelEntry {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_ms: Option<f64>,
}

/// 200 `ok` or 503 `loading`.
pub async fn health(State(state): State<AppState>) -> Response {
    let model = state.model.name().to_owned();
    match state.engine.readiness() {
        Readiness::Loading => {
            let body =
                Health { status: "loading", model, backend: None, device: None, context_tokens: None, load_ms: None };
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], Json(body)).into_response()
        }
        Readiness::Ready(info) => Json(Health {
            status: "ok",
            model,
            backend: Some(info.backend),
            device: Some(info.device.clone()),
            context_tokens: Some(info.context_tokens),
            load_ms: Some(info.load_ms),
        })
        .into_response(),
    }
}

fn entry(state: &AppState) -> ModelEntry {
    ModelEntry {
        id: state.model.name().to_owned(),
        object: "model",
        created: state.model.created_s(),
        owned_by: "inshore",
    }
}

/// The one model.
pub async fn models(State(state): State<AppState>) -> Response {
    Json(serde_json::json!({ "object": "list", "data": [entry(&state)] })).into_response()
}

/// The one model by its name.
///
/// # Errors
/// 404 for any other name.
pub async fn model(State(state): State<AppState>, Path(name): Path<String>) -> Result<Json<ModelEntry>, ApiError> {
    if state.model.answers_to(&name) { Ok(Json(entry(&state))) } else { Err(ApiError::no_model(&name)) }
}

/// What `/` says without `--web`.
pub async fn no_page() -> &'static str {
    "inshore serves the OpenAI protocol under /v1. For the chat page start it with --web DIR, the folder of the built page.\n"
}
