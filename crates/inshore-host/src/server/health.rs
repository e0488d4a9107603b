//! `/health`, `/v1/models` and the page where there is no page.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use inshore_model::ModelInfo;
use serde::Serialize;

use super::AppState;
use super::engine_thread::Readiness;
use super::openai::ApiError;

/// The state changes at any time.
const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

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
    reason: Option<String>,
    #[serde(flatten)]
    engine: Option<LoadedEngine>,
}

#[derive(Debug, Serialize)]
struct LoadedEngine {
    backend: &'static str,
    device: String,
    context_tokens: usize,
    load_ms: f64,
}

/// 200 `ok` if a request can be answered now; otherwise 503 with `loading`, `reloading` or `failed` and the reason.
pub async fn health(State(state): State<AppState>) -> Response {
    let readiness = state.engine.readiness();
    let mut body = Health {
        status: readiness.status(),
        model: state.model.name().to_owned(),
        reason: readiness.reason().map(str::to_owned),
        engine: None,
    };
    match readiness {
        Readiness::Ready(info) => {
            let ModelInfo { backend, device, context_tokens, load_ms, .. } = *info;
            body.engine = Some(LoadedEngine { backend, device, context_tokens, load_ms });
            (NO_STORE, Json(body)).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], NO_STORE, Json(body)).into_response(),
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
