//! One file over HTTP: goes on where it stopped, checked before it gets its name.
//!
//! `NAME.part` holds the bytes so far and `NAME.part.json` which version of the file they belong to. A later try asks for
//! the rest with `Range` and `If-Range`, so that bytes of two versions never mix: a server that has another version, or
//! knows no ranges, answers with the whole file and the part starts anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::cache::beside;
use super::disk_space;
use super::error::ModelFileError;
use super::progress::Progress;
use super::stamp::Stamp;

/// Tries in a row that may bring no new byte.
const FRUITLESS_TRIES: u32 = 4;
/// A connection that is silent for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// What is known of a file before it is fetched.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Length, in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: Option<String>,
}

/// A file to fetch.
#[derive(Debug)]
pub struct Download<'a> {
    /// Address; redirects are followed.
    pub url: &'a str,
    /// Token for the address's own host.
    pub bearer: Option<&'a str>,
    /// Where the finished file goes; its folder exists.
    pub place: &'a Path,
    /// What the file must be.
    pub expected: Expected,
}

/// Which version of the file the part belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PartNote {
    url: String,
    etag: Option<String>,
    total_bytes: Option<u64>,
    sha256: Option<String>,
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

/// [`ModelFileError::Network`], without the query of the address: signed addresses hold secrets.
pub fn broken(url: &str, done_bytes: u64, source: reqwest::Error) -> ModelFileError {
    ModelFileError::Network { url: bare(url), done_bytes, source: source.without_url() }
}

/// The error for a status that is no success.
pub fn refused(url: &str, status: StatusCode) -> ModelFileError {
    let (url, status) = (bare(url), status.as_u16());
    match status {
        404 | 410 => ModelFileError::NotFound { url },
        401 | 403 => ModelFileError::Forbidden { url, status },
        _ => ModelFileError::Status { url, status },
    }
}

fn bare(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Fetches, checks and names the file.
///
/// # Errors
/// [`ModelFileError`]. After a broken connection the part stays for the next try; after a wrong hash or size it goes.
pub async fn fetch(job: &Download<'_>) -> Result<Stamp, ModelFileError> {
    let client = client(reqwest::redirect::Policy::limited(10))?;
    let part = Part::of(job);
    let mut fruitless = 0;
    loop {
        let before = part.len();
        match transfer(&client, job, &part).await {
            Ok(()) => break,
            Err(error) => {
                fruitless = if part.len() > before { 0 } else { fruitless + 1 };
                if fruitless >= FRUITLESS_TRIES || !worth_retrying(&error) {
                    return Err(error);
                }
                tracing::debug!(%error, "trying again");
                tokio::time::sleep(Duration::from_millis(250) * 2u32.pow(fruitless)).await;
            }
        }
    }
    part.check_and_name(job)
}

fn worth_retrying(error: &ModelFileError) -> bool {
    match error {
        ModelFileError::Network { .. } | ModelFileError::Short { .. } => true,
        ModelFileError::Status { status, .. } => matches!(status, 408 | 416 | 429 | 500..=599),
        _ => false,
    }
}

/// One request, and its body into the part.
async fn transfer(client: &Client, job: &Download<'_>, part: &Part) -> Result<(), ModelFileError> {
    let (have, etag) = part.resumable(job);
    if have > 0 && job.expected.bytes == Some(have) {
        return Ok(());
    }
    let mut request = client.get(job.url);
    if let Some(token) = job.bearer {
        request = request.bearer_auth(token);
    }
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
        if let Some(etag) = etag {
            request = request.header(IF_RANGE, etag);
        }
    }
    let answer = request.send().await.map_err(|source| broken(job.url, have, source))?;
    let begin = match answer.status() {
        StatusCode::PARTIAL_CONTENT if range_start(answer.headers()) == Some(have) => have,
        StatusCode::OK => 0,
        // The part does not fit what the server has: begin anew at the next try.
        status @ (StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT) => {
            part.remove();
            return Err(ModelFileError::Status { url: bare(job.url), status: status.as_u16().max(416) });
        }
        status => return Err(refused(job.url, status)),
    };
    let total = answer.content_length().map(|rest| begin.saturating_add(rest));
    if let (Some(total), Some(expected_bytes)) = (total, job.expected.bytes)
        && total != expected_bytes
    {
        part.remove();
        return Err(ModelFileError::WrongSize { url: bare(job.url), expected_bytes, got_bytes: total });
    }
    let total = total.or(job.expected.bytes);
    disk_space::require(part.folder(), total.unwrap_or(0).saturating_sub(begin))?;
    part.note(job, answer.headers(), total)?;
    receive(answer, job, part, (begin, total)).await
}

async fn receive(
    mut answer: Response,
    job: &Download<'_>,
    part: &Part,
    (begin, total): (u64, Option<u64>),
) -> Result<(), ModelFileError> {
    let write = || ModelFileError::write(&part.path);
    let mut file = tokio::fs::File::options().create(true).append(true).open(&part.path).await.map_err(write())?;
    if begin == 0 {
        file.set_len(0).await.map_err(write())?;
    }
    let mut progress = Progress::start(&part.label, begin, total.unwrap_or(0));
    let mut done = begin;
    let ended = loop {
        match answer.chunk().await {
            Ok(Some(bytes)) => {
                done += bytes.len() as u64;
                if total.is_some_and(|total| done > total) {
                    break Err(ModelFileError::Status { url: bare(job.url), status: 416 });
                }
                if let Err(source) = file.write_all(&bytes).await {
                    break Err(write()(source));
                }
                progress.set(done);
            }
            Ok(None) => break Ok(()),
            Err(source) => break Err(broken(job.url, done, source)),
        }
    };
    let flushed = file.flush().await;
    progress.finish(done);
    ended?;
    flushed.map_err(write())?;
    match total {
        Some(total_bytes) if done < total_bytes => {
            Err(ModelFileError::Short { url: bare(job.url), done_bytes: done, total_bytes })
        }
        _ => Ok(()),
    }
}

/// First byte of a `Content-Range: bytes 5-9/10`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// The unfinished file and its note.
struct Part {
    path: PathBuf,
    note: PathBuf,
    label: String,
}

impl Part {
    fn of(job: &Download<'_>) -> Self {
        let label = job.place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { path: beside(job.place, ".part"), note: beside(job.place, ".part.json"), label }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |about| about.len())
    }

    /// Bytes that may be kept, and the strong ETag of their version. Without an ETag or a hash to check at the end,
    /// nothing ties old bytes to the new ones, so nothing is kept.
    fn resumable(&self, job: &Download<'_>) -> (u64, Option<String>) {
        let note = fs::read(&self.note).ok().and_then(|json| serde_json::from_slice::<PartNote>(&json).ok());
        let Some(note) = note else { return (0, None) };
        let strong = note.etag.filter(|etag| !etag.starts_with("W/"));
        let same_file = match &job.expected.sha256 {
            Some(sha256) => note.sha256.as_ref() == Some(sha256),
            None => note.url == job.url && strong.is_some(),
        };
        // Storage behind a redirect may name the same bytes differently from day to day; the hash decides there.
        let etag = strong.filter(|_| job.expected.sha256.is_none());
        if same_file { (self.len(), etag) } else { (0, None) }
    }

    fn note(&self, job: &Download<'_>, headers: &HeaderMap, total_bytes: Option<u64>) -> Result<(), ModelFileError> {
        let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let note = PartNote { url: job.url.to_owned(), etag, total_bytes, sha256: job.expected.sha256.clone() };
        let json = serde_json::to_vec(&note).unwrap_or_default();
        fs::write(&self.note, json).map_err(ModelFileError::write(&self.note))
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.note);
    }

    /// Checks size and hash, then renames: the final name never stands for anything else than a checked file.
    fn check_and_name(&self, job: &Download<'_>) -> Result<Stamp, ModelFileError> {
        let stamp = Stamp::compute(&self.path, |_| {}).map_err(ModelFileError::write(&self.path))?;
        if let Some(expected_bytes) = job.expected.bytes.filter(|&bytes| bytes != stamp.bytes) {
            self.remove();
            return Err(ModelFileError::WrongSize { url: bare(job.url), expected_bytes, got_bytes: stamp.bytes });
        }
        if let Some(expected) = job.expected.sha256.clone().filter(|sha256| *sha256 != stamp.sha256) {
            self.remove();
            return Err(ModelFileError::WrongHash { file: self.label.clone(), expected, got: stamp.sha256 });
        }
        finish(&self.path, job.place, &stamp)?;
        let _ = fs::remove_file(&self.note);
        Ok(stamp)
    }
}

/// Puts a checked file on the disk for good and gives it its name.
///
/// # Errors
/// [`ModelFileError::Write`].
pub fn finish(part: &Path, place: &Path, stamp: &Stamp) -> Result<(), ModelFileError> {
    let file = fs::File::options().write(true).open(part).map_err(ModelFileError::write(part))?;
    file.sync_all().map_err(ModelFileError::write(part))?;
    fs::rename(part, place).map_err(ModelFileError::write(place))?;
    stamp.write(place);
    Ok(())
}
