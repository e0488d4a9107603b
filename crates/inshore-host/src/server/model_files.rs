//! The model file for browsers: `GET /models/manifest.json` says what it is, `GET /models/default.gguf` gives its bytes,
//! also in ranges, so that a page can go on with a broken download and check the result.

use std::io::SeekFrom;
use std::time::UNIX_EPOCH;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::OnceCell;
use tokio_util::io::ReaderStream;

use super::AppState;
use super::byte_range::ByteRange;
use super::openai::ApiError;
use crate::models::{ModelFile, Stamp};

/// Address of the model file.
const MODEL_URL: &str = "/models/default.gguf";
/// Bytes read from the disk at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// The model file and what is known of it.
#[derive(Debug)]
pub struct ServedModel {
    file: ModelFile,
    sha256: OnceCell<String>,
}

#[derive(Debug, Serialize)]
struct Manifest<'a> {
    models: [ManifestEntry<'a>; 1],
}

#[derive(Debug, Serialize)]
struct ManifestEntry<'a> {
    name: &'a str,
    file: String,
    url: &'static str,
    bytes: u64,
    sha256: &'a str,
}

impl ServedModel {
    /// Serves `file`.
    pub fn new(file: ModelFile) -> Self {
        let sha256 = OnceCell::new_with(file.sha256.clone());
        Self { file, sha256 }
    }

    /// The name that requests use.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Whether a request for `name` is for this model.
    pub fn answers_to(&self, name: &str) -> bool {
        ["default", "inshore"].contains(&name) || name.eq_ignore_ascii_case(&self.file.name)
    }

    /// When the file was last changed, in seconds since 1970; 0 if the system does not tell.
    pub fn created_s(&self) -> u64 {
        let changed = std::fs::metadata(&self.file.path).and_then(|about| about.modified());
        changed.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |age| age.as_secs())
    }

    /// The file's SHA-256; read through once if nothing has recorded it.
    ///
    /// # Errors
    /// 500 if the file has gone since the start.
    pub async fn sha256(&self) -> Result<&str, ApiError> {
        let hash = self.sha256.get_or_try_init(|| async {
            let path = self.file.path.clone();
            let computed = tokio::task::spawn_blocking(move || Stamp::compute(&path, |_| {})).await;
            match computed {
                Ok(Ok(stamp)) => Ok(stamp.sha256),
                _ => Err(ApiError::file_gone()),
            }
        });
        hash.await.map(String::as_str)
    }
}

/// What models there are for a browser to download, with size and hash.
///
/// # Errors
/// 500 if the file has gone since the start.
pub async fn manifest(State(state): State<AppState>) -> Result<Response, ApiError> {
    let ServedModel { file, .. } = &*state.model;
    let sha256 = state.model.sha256().await?;
    let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entry = ManifestEntry { name: &file.name, file: name, url: MODEL_URL, bytes: file.bytes, sha256 };
    Ok(([(CACHE_CONTROL, "no-cache")], Json(Manifest { models: [entry] })).into_response())
}

/// The model file: 200, 206 for a range, 304 if the client has it, 416 for a range outside of it.
///
/// # Errors
/// 500 if the file has gone since the start.
pub async fn default_model(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    let gone = |_| ApiError::file_gone();
    let mut file = tokio::fs::File::open(&state.model.file.path).await.map_err(gone)?;
    let about = file.metadata().await.map_err(gone)?;
    let len = about.len();
    let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let etag = format!("\"{len:x}-{:x}\"", changed.map_or(0, |age| age.as_nanos()));
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let common = [
        (ETAG, etag.clone()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if header(IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag || tag.trim() == "*")) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    // `If-Range` with another version: the whole of this one, or bytes of two versions would mix.
    let wanted = header(RANGE).filter(|_| header(IF_RANGE).is_none_or(|tag| tag == etag));
    let (status, first, count) = match ByteRange::parse(wanted, len) {
        ByteRange::Whole => (StatusCode::OK, 0, len),
        ByteRange::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        ByteRange::Unsatisfiable => {
            let range = [(CONTENT_RANGE, format!("bytes */{len}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, common, range).into_response());
        }
    };
    file.seek(SeekFrom::Start(first)).await.map_err(gone)?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(count), CHUNK_BYTES));
    let length = [(CONTENT_LENGTH, count.to_string())];
    let mut answer = (status, common, length, body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{len}", first + count - 1);
        answer.headers_mut().extend(range.parse().ok().map(|range| (CONTENT_RANGE, range)));
    }
    Ok(answer)
}
