//! Which path leads where.

use std::any::Any;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, LAST_MODIFIED};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::host_check::{self, AllowedHosts};
use super::openai::ApiError;
use super::{AppState, chat_completions, cors, health, model_files};
use crate::cli::ServeArgs;
use crate::engine::panic_message;
use crate::note;

/// Longest pause while a request body arrives.
const BODY_PAUSE: Duration = Duration::from_secs(15);

/// HTTP dates have whole seconds, so a file that changed more recently than this may change again with the same date.
const DATE_RESOLUTION: Duration = Duration::from_secs(2);

/// Who may call.
#[derive(Debug, Clone)]
pub struct Access {
    /// Pages of other origins.
    pub cors: Option<CorsLayer>,
    /// Host names that the server answers for.
    pub hosts: AllowedHosts,
}

impl Access {
    /// What the command line allows.
    ///
    /// # Errors
    /// If an origin or a host name is malformed.
    pub fn of(args: &ServeArgs) -> anyhow::Result<Self> {
        Ok(Self { cors: cors::layer(&args.cors_origin)?, hosts: AllowedHosts::new(args.host, &args.allowed_host)? })
    }
}

/// The whole application.
pub fn all(state: AppState, args: &ServeArgs, access: Access) -> Router {
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
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE))
        .with_state(state);
    let mut app = match &args.web {
        Some(web) => {
            let files = ServeDir::new(web).precompressed_br().precompressed_gzip();
            let no_cache = SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            let pages = Router::new().fallback_service(files).layer(no_cache).layer(map_response(without_fresh_date));
            api.merge(pages)
        }
        None => api.route("/", get(health::no_page)).fallback(|| async { ApiError::no_route() }),
    };
    app = app.layer(catch_panics());
    // Cross-origin isolation: shared memory and exact timers in the page's engine worker.
    let isolated = [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in isolated {
        let name = HeaderName::from_static(name);
        app = app.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    app = match access.cors {
        Some(layer) => app.layer(layer).layer(map_response(cors::withhold_from_strangers)),
        None => app,
    };
    app.layer(from_fn_with_state(access.hosts, host_check::check))
}

/// Returns the layer that turns a handler's panic into an error of its request.
pub fn catch_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(panicked)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    note!("error: a request's handler panicked ({}); this is a bug, please report it", panic_message(&*panic));
    ApiError::internal().into_response()
}

/// Removes the date of a file that has just changed, so that a browser fetches it again the next time. With the date, the browser
/// would keep a file that changed again within the same second.
async fn without_fresh_date(mut answer: Response) -> Response {
    let date = answer.headers().get(LAST_MODIFIED).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    if date.is_some_and(|date| SystemTime::now().duration_since(date).unwrap_or_default() < DATE_RESOLUTION) {
        answer.headers_mut().remove(LAST_MODIFIED);
    }
    answer
}
