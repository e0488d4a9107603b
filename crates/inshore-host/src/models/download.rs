//! One file over HTTP: goes on where it stopped, checked before it gets its name.
//!
//! A later try asks for the rest with `Range` and `If-Range`, and accepts it only if range, size and version fit the stored part
//! ([`judge`]), so bytes of two versions never mix. The server is not trusted: first bytes, length, hash and the model's own
//! header are checked.

use std::fs;
use std::path::Path;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Response};
use tokio::io::AsyncWriteExt;

use super::answer::{AnswerHead, Asked, Validator, Verdict, judge};
use super::contents::Contents;
use super::disk_space;
use super::error::ModelFileError;
use super::first_bytes::HEAD_BYTES;
use super::http::{Failure, broken, client, header, is_worth_retrying, refused, shown_url};
use super::part::{Part, Resume};
use super::progress::Progress;
use super::redirect;
use super::stamp::Stamp;

/// Tries in a row that may bring no new byte.
const FRUITLESS_TRIES: u32 = 4;
/// Restarts that a download may need because the server's answers do not fit together.
const MAX_RESTARTS: u32 = 3;
/// Bytes between two checks of the free disk space while the length of the body is unknown.
const LOOK_AT_DISK_EVERY: u64 = 64 << 20;

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
    /// Token for the address's own origin.
    pub bearer: Option<&'a str>,
    /// Where the finished file goes; its folder exists.
    pub place: &'a Path,
    /// What the file must be.
    pub expected: Expected,
    /// What kind of file it must be.
    pub contents: Contents,
}

impl Download<'_> {
    /// The address without query and credentials, which may be secret.
    pub fn shown_url(&self) -> String {
        shown_url(self.url)
    }
}

/// What one request achieved.
enum Step {
    /// All bytes are stored.
    Complete,
    /// A part arrived; the rest must be requested.
    More,
    /// The stored part cannot be continued, so the download starts again.
    Restart {
        /// Whether the server's ranges may be used again.
        with_ranges: bool,
    },
}

/// What has been tried so far.
struct Tries {
    fruitless: u32,
    restarts: u32,
    furthest_bytes: u64,
    /// Whether the server's ranges can be used.
    ranges: bool,
    /// Whether bytes of several answers were joined; only a hash can prove that they fit.
    joined: bool,
}

/// Fetches, checks and names the file.
///
/// # Errors
/// [`ModelFileError`]. After a broken connection the part stays for the next try; a part that fails a check goes.
pub async fn fetch(job: &Download<'_>) -> Result<Stamp, ModelFileError> {
    let client = client(redirect::policy())?;
    let part = Part::beside(job.place);
    let mut tries = Tries { fruitless: 0, restarts: 0, furthest_bytes: part.len(), ranges: true, joined: false };
    loop {
        match request(&client, job, &part, &mut tries).await {
            Ok(Step::Complete) => match check_and_name(job, &part) {
                // The part may be a mix of two versions, so start again once.
                Err(ModelFileError::WrongHash { .. } | ModelFileError::BadModel { .. }) if tries.joined => {
                    tries = Tries { ranges: false, joined: false, furthest_bytes: 0, ..tries };
                }
                checked => return checked,
            },
            Ok(Step::More) => {}
            Ok(Step::Restart { with_ranges }) => {
                part.remove();
                tries.restarts += 1;
                if tries.restarts > MAX_RESTARTS {
                    return Err(ModelFileError::KeepsChanging { url: job.shown_url() });
                }
                tries.ranges &= with_ranges;
                tries.furthest_bytes = 0;
            }
            Err(failure) => {
                let have_bytes = part.len();
                tries.fruitless = if have_bytes > tries.furthest_bytes { 0 } else { tries.fruitless + 1 };
                tries.furthest_bytes = tries.furthest_bytes.max(have_bytes);
                if !is_worth_retrying(&failure.error) || tries.fruitless >= FRUITLESS_TRIES {
                    if is_hopeless(&failure.error) {
                        part.remove();
                    }
                    return Err(failure.error);
                }
                tracing::debug!(error = %failure.error, "trying again");
                tokio::time::sleep(failure.pause(tries.fruitless)).await;
            }
        }
    }
}

/// Whether the stored part is useless.
const fn is_hopeless(error: &ModelFileError) -> bool {
    matches!(
        error,
        ModelFileError::WrongContents { .. }
            | ModelFileError::WrongSize { .. }
            | ModelFileError::Encoded { .. }
            | ModelFileError::BadRange { .. }
    )
}

/// Sends one request and writes its body to the part.
async fn request(client: &Client, job: &Download<'_>, part: &Part, tries: &mut Tries) -> Result<Step, Failure> {
    let resume = if tries.ranges { part.resume(job) } else { Resume::default() };
    let asked = asked(job, &resume);
    if asked.start > 0 && asked.expected_bytes.or(asked.known_bytes) == Some(asked.start) {
        return Ok(Step::Complete);
    }
    let answer = send(client, job, &asked).await.map_err(|source| broken(job.url, asked.start, source))?;
    let head = head_of(&answer);
    let url = job.shown_url();
    let (begin, end, total_bytes) = match judge(&head, &asked) {
        Verdict::Whole { total_bytes } => (0, total_bytes.or(job.expected.bytes), total_bytes.or(job.expected.bytes)),
        Verdict::Range { end, total_bytes } => (asked.start, Some(end), Some(total_bytes)),
        Verdict::Complete => return Ok(Step::Complete),
        Verdict::Changed => return Ok(Step::Restart { with_ranges: true }),
        Verdict::NoRanges => return Ok(Step::Restart { with_ranges: false }),
        Verdict::WrongSize { got_bytes } => {
            let expected_bytes = job.expected.bytes.unwrap_or_default();
            return Err(ModelFileError::WrongSize { url, expected_bytes, got_bytes }.into());
        }
        Verdict::Encoded => {
            let encoding = head.content_encoding.unwrap_or_default();
            return Err(ModelFileError::Encoded { url, encoding }.into());
        }
        Verdict::BadRange => {
            let content_range = head.content_range.unwrap_or_default();
            return Err(ModelFileError::BadRange { url, status: head.status, content_range }.into());
        }
        Verdict::Refused => {
            return Err(refused(job.url, answer.status(), header(&answer, RETRY_AFTER).as_deref()));
        }
    };
    disk_space::require(part.folder(), total_bytes.unwrap_or(0).saturating_sub(begin))?;
    if begin == 0 {
        part.begin(job, head.validator, total_bytes)?;
    }
    tries.joined = begin > 0;
    let body = Body { answer, begin, end, total_bytes };
    Ok(receive(body, job, part).await?)
}

/// With a hash, validators are not used: the storage behind a redirect may give the same bytes another validator later.
fn asked(job: &Download<'_>, resume: &Resume) -> Asked {
    let hashed = job.expected.sha256.is_some();
    Asked {
        start: resume.have_bytes,
        expected_bytes: job.expected.bytes,
        known_bytes: resume.total_bytes,
        validator: if hashed { Validator::default() } else { resume.validator.clone() },
        hashed,
    }
}

async fn send(client: &Client, job: &Download<'_>, asked: &Asked) -> reqwest::Result<Response> {
    let mut request = client.get(job.url).header(ACCEPT_ENCODING, "identity");
    if let Some(token) = job.bearer {
        request = request.bearer_auth(token);
    }
    if asked.start > 0 {
        request = request.header(RANGE, format!("bytes={}-", asked.start));
        if let Some(condition) = asked.validator.if_range() {
            request = request.header(IF_RANGE, condition);
        }
    }
    request.send().await
}

fn head_of(answer: &Response) -> AnswerHead {
    AnswerHead {
        status: answer.status().as_u16(),
        content_range: header(answer, CONTENT_RANGE),
        content_length: answer.content_length(),
        content_encoding: header(answer, CONTENT_ENCODING),
        validator: Validator { etag: header(answer, ETAG), last_modified: header(answer, LAST_MODIFIED) },
    }
}

/// The body of an answer: the bytes from `begin` to `end`, of a file of `total_bytes`.
struct Body {
    answer: Response,
    begin: u64,
    end: Option<u64>,
    total_bytes: Option<u64>,
}

async fn receive(body: Body, job: &Download<'_>, part: &Part) -> Result<Step, ModelFileError> {
    let Body { mut answer, begin, end, total_bytes } = body;
    let mut file = part.append().await?;
    let mut progress = Progress::start(&part.label, begin, total_bytes.unwrap_or(0));
    let (mut done, mut head) = (begin, Vec::new());
    let received = loop {
        match answer.chunk().await {
            Ok(Some(bytes)) => {
                done += bytes.len() as u64;
                if end.is_some_and(|end| done > end) {
                    break overrun(job, begin, done);
                }
                if begin == 0 && head.len() < HEAD_BYTES {
                    head.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES - head.len())]);
                    if head.len() == HEAD_BYTES
                        && let Err(error) = job.contents.check_head(&head, false, &job.shown_url())
                    {
                        break Err(error);
                    }
                }
                // An endless body must not fill the disk.
                let is_unannounced =
                    end.is_none() && (done - bytes.len() as u64) / LOOK_AT_DISK_EVERY < done / LOOK_AT_DISK_EVERY;
                if is_unannounced && let Err(error) = disk_space::require(part.folder(), LOOK_AT_DISK_EVERY) {
                    break Err(error);
                }
                if let Err(source) = file.write_all(&bytes).await {
                    break Err(ModelFileError::write(part.path())(source));
                }
                progress.set(done);
            }
            Ok(None) => break Ok(Step::Complete),
            Err(source) => break Err(broken(job.url, done, source)),
        }
    };
    let flushed = file.flush().await;
    progress.finish(done);
    let step = received?;
    flushed.map_err(ModelFileError::write(part.path()))?;
    match (step, end) {
        // An answer that ends without an error before the end of its range is not that range.
        (Step::Complete, Some(end)) if done < end && begin > 0 && job.expected.sha256.is_none() => {
            Ok(Step::Restart { with_ranges: false })
        }
        (Step::Complete, Some(end)) if done < end => {
            Err(ModelFileError::Short { url: job.shown_url(), done_bytes: done, total_bytes: end })
        }
        (Step::Complete, _) if begin == 0 && head.len() < HEAD_BYTES => {
            job.contents.check_head(&head, true, &job.shown_url()).map(|()| Step::Complete)
        }
        (Step::Complete, Some(end)) if total_bytes.is_some_and(|total| end < total) => Ok(Step::More),
        (step, _) => Ok(step),
    }
}

/// Handles a body with more bytes than the file or the range.
fn overrun(job: &Download<'_>, begin: u64, got_bytes: u64) -> Result<Step, ModelFileError> {
    match job.expected.bytes {
        Some(expected_bytes) if begin == 0 => {
            Err(ModelFileError::WrongSize { url: job.shown_url(), expected_bytes, got_bytes })
        }
        // A body that is longer than its range is not that range.
        _ => Ok(Step::Restart { with_ranges: false }),
    }
}

/// Checks size, hash and contents, then renames the part, so that only a checked file ever has the final name.
fn check_and_name(job: &Download<'_>, part: &Part) -> Result<Stamp, ModelFileError> {
    let checked = check(job, part).and_then(|stamp| {
        finish(part.path(), job.place, &stamp)?;
        Ok(stamp)
    });
    match &checked {
        Ok(_) => part.remove_note(),
        // The disk failed; the bytes may be right.
        Err(ModelFileError::Write { .. } | ModelFileError::Unreadable { .. }) => {}
        Err(_) => part.remove(),
    }
    checked
}

fn check(job: &Download<'_>, part: &Part) -> Result<Stamp, ModelFileError> {
    let stamp = Stamp::compute(part.path(), |_| {}).map_err(ModelFileError::write(part.path()))?;
    if let Some(expected_bytes) = job.expected.bytes.filter(|&bytes| bytes != stamp.bytes) {
        return Err(ModelFileError::WrongSize { url: job.shown_url(), expected_bytes, got_bytes: stamp.bytes });
    }
    if let Some(expected) = job.expected.sha256.clone().filter(|sha256| *sha256 != stamp.sha256) {
        return Err(ModelFileError::WrongHash { file: part.label.clone(), expected, got: stamp.sha256 });
    }
    job.contents.check_file(part.path(), &job.shown_url())?;
    Ok(stamp)
}

/// Flushes a checked file to the disk and renames it. The stamp of an older file is removed first, because it must never stand
/// beside other bytes.
///
/// # Errors
/// [`ModelFileError::Write`].
pub fn finish(part: &Path, place: &Path, stamp: &Stamp) -> Result<(), ModelFileError> {
    let file = fs::File::options().write(true).open(part).map_err(ModelFileError::write(part))?;
    file.sync_all().map_err(ModelFileError::write(part))?;
    Stamp::remove(place).map_err(ModelFileError::write(place))?;
    fs::rename(part, place).map_err(ModelFileError::write(place))?;
    stamp.write(place);
    Ok(())
}
