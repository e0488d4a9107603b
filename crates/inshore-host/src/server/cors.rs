//! Which pages of other origins may call the API.

use std::time::Duration;

use anyhow::Context;
use axum::http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_RANGE, ETAG, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::openai::SHOULD_RETRY;

/// How long a browser may remember the answer to a preflight. Chromium caps it at two hours.
const MAX_AGE: Duration = Duration::from_secs(7200);

/// Returns the layer that allows exactly these origins; `None` if there are none, so that browsers block every other origin.
///
/// An allowed origin may send any header: OpenAI's client adds a dozen (`x-stainless-*`), other clients and our own
/// `cloud.headers` add others, and no header gives a page more rights than its origin has.
///
/// # Errors
/// If one is not of the form `https://host[:port]`.
pub fn layer(origins: &[String]) -> anyhow::Result<Option<CorsLayer>> {
    if origins.is_empty() {
        return Ok(None);
    }
    let allowed = origins.iter().map(|origin| parse(origin)).collect::<anyhow::Result<Vec<_>>>()?;
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed))
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        // Browsers require this before a public page may call a server on the user's machine or network.
        .allow_private_network(true)
        .max_age(MAX_AGE)
        // Headers that a ranged download and a retry need.
        .expose_headers([ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, RETRY_AFTER, SHOULD_RETRY]);
    Ok(Some(layer))
}

fn parse(origin: &str) -> anyhow::Result<HeaderValue> {
    let url = reqwest::Url::parse(origin).ok().filter(|url| url.origin().ascii_serialization() == *origin);
    url.and_then(|_| HeaderValue::from_str(origin).ok()).with_context(|| {
        format!("`{origin}` is not an origin; write scheme and host without a slash at the end, as https://app.example")
    })
}

/// Removes all CORS headers from an answer that does not allow the request's origin. The layer would still list methods and
/// headers.
pub async fn withhold_from_strangers(mut answer: Response) -> Response {
    if !answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        let permissions: Vec<HeaderName> =
            answer.headers().keys().filter(|name| is_permission(name)).cloned().collect();
        for name in permissions {
            answer.headers_mut().remove(name);
        }
    }
    answer
}

fn is_permission(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        assert!(layer(&[]).unwrap().is_none());
        assert!(layer(&["https://app.example".into(), "http://localhost:3000".into()]).unwrap().is_some());
        for bad in
            ["*", "app.example", "https://app.example/", "https://app.example/page", "null", "https://APP.example"]
        {
            assert!(layer(&[bad.into()]).is_err(), "{bad}");
        }
    }
}
