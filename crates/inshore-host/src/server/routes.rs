//! Which path leads where.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::routing::{any, get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::openai::ApiError;
use super::{AppState, chat_completions, health, model_files};
use crate::cli::ServeArgs;

/// A body that takes longer to arrive is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The whole application.
pub fn all(state: AppState, args: &ServeArgs, cors: Option<CorsLayer>) -> Router {
    let api = Router::new()
        .route("/v1/chat/completions", post(chat_completions::handle))
        .route("/v1/models", get(health::models))
        .route("/v1/models/{name}", get(health::model))
        .route("/v1/{*rest}", any(|| async { ApiError::no_route() }))
        .route("/health", get(health::health))
        .route("/models/manifest.json", get(model_files::manifest))
        .route("/models/default.gguf", get(model_files::default_model))
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(DefaultBodyLimit::max(args.max_body_bytes))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .with_state(state);
    let with_pages = match &args.web {
        Some(web) => {
            let files = ServeDir::new(web).precompressed_br().precompressed_gzip();
            let fresh = SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            api.merge(Router::new().fallback_service(files).layer(fresh))
        }
        None => api.route("/", get(health::no_page)).fallback(|| async { ApiError::no_route() }),
    };
    // Cross-origin isolation: shared memory and exact timers in the page's engine worker.
    let isolated = [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("x-content-type-options", "nosniff"),
    ];
    let mut app = with_pages;
    for (name, value) in isolated {
        let name = HeaderName::from_static(name);
        app = app.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    match cors {
        Some(cors) => app.layer(cors),
        None => app,
    }
}

/// Lets exactly these origins in; `None` if there are none, and then browsers keep every other origin out.
///
/// # Errors
/// If one is not of the form `https://host[:port]`.
pub fn cors(origins: &[String]) -> anyhow::Result<Option<CorsLayer>> {
    if origins.is_empty() {
        return Ok(None);
    }
    let parsed = origins.iter().map(|origin| {
        let url = reqwest::Url::parse(origin).ok().filter(|url| url.origin().ascii_serialization() == *origin);
        url.and_then(|_| HeaderValue::from_str(origin).ok()).with_context(|| {
            format!("`{origin}` is no origin; write scheme and host without a slash at the end, as https://app.example")
        })
    });
    let allowed = parsed.collect::<anyhow::Result<Vec<_>>>()?;
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE, AUTHORIZATION, RANGE])
        // What a download in parts needs to see, and when to come again.
        .expose_headers([
            ACCEPT_RANGES,
            CONTENT_LENGTH,
            CONTENT_RANGE,
            ETAG,
            RETRY_AFTER,
            HeaderName::from_static("x-should-retry"),
        ]);
    Ok(Some(layer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        assert!(cors(&[]).unwrap().is_none());
        assert!(cors(&["https://app.example".into(), "http://localhost:3000".into()]).unwrap().is_some());
        for bad in ["*", "app.example", "https://app.example/", "https://app.example/page", "null"] {
            assert!(cors(&[bad.into()]).is_err(), "{bad}");
        }
    }
}
