//! The HTTP client of downloads, and what its failures mean.

use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderName;
use reqwest::{Client, Response, StatusCode};

use super::answer::{MAX_RETRY_AFTER_S, is_transient, retry_after_s};
use super::error::ModelFileError;
use super::redirect::RefusedRedirect;

/// Longest silence of a connection.
const SILENCE: Duration = Duration::from_secs(30);

/// A failed request.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: ModelFileError,
    /// Wait that the server asks for, in seconds.
    wait_s: u64,
}

impl From<ModelFileError> for Failure {
    fn from(error: ModelFileError) -> Self {
        Self { error, wait_s: 0 }
    }
}

impl Failure {
    /// Returns the pause before the next attempt: it doubles with each of the `tries`, and is at least what the server asks for.
    pub fn pause(&self, tries: u32) -> Duration {
        let pause = Duration::from_millis(250) * 2u32.pow(tries);
        pause.max(Duration::from_secs(self.wait_s))
    }
}

/// A client with the system's certificates and proxies.
///
/// # Errors
/// [`ModelFileError::Network`] if the system has no usable certificates.
pub fn client(redirects: reqwest::redirect::Policy) -> Result<Client, ModelFileError> {
    Client::builder()
        .user_agent(concat!("inshore/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .redirect(redirects)
        .build()
        .map_err(|source| broken("the model server", 0, source))
}

/// Runs a download on a runtime of its own; for callers outside tokio.
///
/// # Errors
/// Those of `work`.
pub fn on_runtime<T>(work: impl Future<Output = Result<T, ModelFileError>>) -> Result<T, ModelFileError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(ModelFileError::write(Path::new("a network runtime")))?.block_on(work)
}

/// Creates [`ModelFileError::BadRedirect`] or [`ModelFileError::Network`], without the secrets in the address.
pub fn broken(url: &str, done_bytes: u64, source: reqwest::Error) -> ModelFileError {
    let url = shown_url(url);
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&source);
    while let Some(error) = cause {
        if let Some(&refused) = error.downcast_ref::<RefusedRedirect>() {
            return ModelFileError::BadRedirect { url, source: refused };
        }
        cause = error.source();
    }
    ModelFileError::Network { url, done_bytes, source: source.without_url() }
}

/// Creates the failure for an answer that is not a file. `retry_after` is the header of that name.
pub fn refused(url: &str, status: StatusCode, retry_after: Option<&str>) -> Failure {
    let (url, status) = (shown_url(url), status.as_u16());
    let wait_s = retry_after.and_then(|text| retry_after_s(text, SystemTime::now()));
    let error = match (status, wait_s) {
        (404 | 410, _) => ModelFileError::NotFound { url },
        (401 | 403, _) => ModelFileError::Forbidden { url, status },
        (_, Some(wait_s)) if is_transient(status) && wait_s > MAX_RETRY_AFTER_S => {
            ModelFileError::ServerBusy { url, status, wait_s }
        }
        _ if is_transient(status) => ModelFileError::ServerFails { url, status },
        _ => ModelFileError::Status { url, status },
    };
    Failure { error, wait_s: wait_s.unwrap_or(0) }
}

/// Returns `url` without query, fragment, user and password.
pub fn shown_url(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    parsed.set_query(None);
    parsed.set_fragment(None);
    // Refused only for addresses that cannot have them.
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    parsed.into()
}

/// Whether another request may succeed.
pub fn is_worth_retrying(error: &ModelFileError) -> bool {
    match error {
        // A request that cannot even be written (a token with a line break) fails every time.
        ModelFileError::Network { source, .. } => !source.is_builder(),
        ModelFileError::Short { .. } | ModelFileError::ServerFails { .. } => true,
        _ => false,
    }
}

/// Returns the header `name`. Repeated headers are joined and invalid UTF-8 is replaced, so that neither is ignored.
pub fn header(answer: &Response, name: HeaderName) -> Option<String> {
    let values = answer.headers().get_all(name);
    let texts: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
