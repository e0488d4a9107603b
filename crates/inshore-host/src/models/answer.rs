//! Decides from the status and headers of an answer how its body can be used. Pure: no network, no disk.
//!
//! `web/src/store/answers.ts` does the same for the page; `tests/protocol/downloads.json` tests both with one table of cases.

use serde::{Deserialize, Serialize};

use super::content_range::ContentRange;

/// Longest pause that a server may ask for with `Retry-After`, in seconds.
pub const MAX_RETRY_AFTER_S: u64 = 120;

/// Headers that identify a version of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// `ETag`, as the server wrote it.
    pub etag: Option<String>,
    /// `Last-Modified`, as the server wrote it.
    #[serde(default)]
    pub last_modified: Option<String>,
}

/// How two validators compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same version.
    Same,
    /// Another version.
    Changed,
    /// One side has too few headers to tell.
    Unknown,
}

impl Validator {
    /// Compares by ETag where both have one, else by date. Equal weak ETags do not guarantee equal bytes, so then
    /// the date decides.
    pub fn compare(&self, other: &Self) -> Comparison {
        match (&self.etag, &other.etag) {
            (Some(one), Some(two)) if one != two => return Comparison::Changed,
            (Some(one), Some(_)) if !is_weak(one) => return Comparison::Same,
            _ => {}
        }
        match (&self.last_modified, &other.last_modified) {
            (Some(one), Some(two)) if one == two => Comparison::Same,
            (Some(_), Some(_)) => Comparison::Changed,
            _ => Comparison::Unknown,
        }
    }

    /// Value for `If-Range`. A weak ETag is not allowed there.
    pub fn if_range(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !is_weak(etag));
        strong.or(self.last_modified.as_deref())
    }
}

/// The headers of an answer that a download needs.
#[derive(Debug, Clone, Default)]
pub struct AnswerHead {
    /// HTTP status.
    pub status: u16,
    /// `Content-Range`.
    pub content_range: Option<String>,
    /// `Content-Length`, in bytes.
    pub content_length: Option<u64>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `ETag` and `Last-Modified`.
    pub validator: Validator,
}

/// The request, and what is known about the file.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// First byte of the range; 0 means a request without a range.
    pub start: u64,
    /// Size that the file must have.
    pub expected_bytes: Option<u64>,
    /// Size of the version that is stored in part.
    pub known_bytes: Option<u64>,
    /// Validator of the version that is stored in part.
    pub validator: Validator,
    /// Whether a hash is known, so that a mix of two versions is detected at the end.
    pub hashed: bool,
}

fn is_weak(etag: &str) -> bool {
    etag.starts_with("W/")
}

/// How an answer can be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file from its first byte, with its size if the server sent it.
    Whole {
        /// Length of the file.
        total_bytes: Option<u64>,
    },
    /// The bytes `Asked::start..end` of a file of `total_bytes`.
    Range {
        /// Byte after the last one.
        end: u64,
        /// Length of the file.
        total_bytes: u64,
    },
    /// All bytes are stored already.
    Complete,
    /// The server has another version than the one that is stored in part: start again.
    Changed,
    /// The server's ranges cannot be used: ask for the whole file.
    NoRanges,
    /// The server's file has another size than the expected one.
    WrongSize {
        /// Bytes that the server announces.
        got_bytes: u64,
    },
    /// The body is compressed, so its bytes are not those of the file.
    Encoded,
    /// The server sent a part although the whole file was requested.
    BadRange,
    /// A status that is not a success.
    Refused,
}

/// Judges the head of an answer.
pub fn judge(answer: &AnswerHead, asked: &Asked) -> Verdict {
    let is_encoded = answer.content_encoding.as_deref().is_some_and(|name| !is_identity(name));
    match answer.status {
        200 if is_encoded => Verdict::Encoded,
        200 => judge_whole(answer, asked),
        206 if is_encoded => refuse_range(asked),
        206 => judge_range(answer, asked),
        416 if asked.start > 0 => judge_unsatisfied(answer, asked),
        _ => Verdict::Refused,
    }
}

fn is_identity(encoding: &str) -> bool {
    encoding.split(',').all(|name| name.trim().is_empty() || name.trim().eq_ignore_ascii_case("identity"))
}

/// A 200 is the whole file. One that carries `Content-Range` contradicts itself unless the range is the whole file.
fn judge_whole(answer: &AnswerHead, asked: &Asked) -> Verdict {
    let total_bytes = match &answer.content_range {
        None => answer.content_length,
        Some(text) => match ContentRange::parse(text).filter(ContentRange::is_whole) {
            Some(range) if fits(answer.content_length, range.bytes()) => Some(range.bytes()),
            _ => return refuse_range(asked),
        },
    };
    match unexpected(total_bytes, asked.expected_bytes) {
        Some(got_bytes) => Verdict::WrongSize { got_bytes },
        None => Verdict::Whole { total_bytes },
    }
}

fn judge_range(answer: &AnswerHead, asked: &Asked) -> Verdict {
    let range = answer.content_range.as_deref().and_then(ContentRange::parse);
    let Some(range) = range.filter(|range| range.start == asked.start && fits(answer.content_length, range.bytes()))
    else {
        return refuse_range(asked);
    };
    if asked.start == 0 {
        // No part was requested, but a range that covers the whole file is acceptable.
        return match unexpected(range.total_bytes, asked.expected_bytes) {
            Some(got_bytes) => Verdict::WrongSize { got_bytes },
            None if range.is_whole() => Verdict::Whole { total_bytes: range.total_bytes },
            None => Verdict::BadRange,
        };
    }
    let comparison = asked.validator.compare(&answer.validator);
    if comparison == Comparison::Changed {
        return Verdict::Changed;
    }
    if let Some(got_bytes) = unexpected(range.total_bytes, asked.expected_bytes) {
        return Verdict::WrongSize { got_bytes };
    }
    if unexpected(range.total_bytes, asked.known_bytes).is_some() {
        return Verdict::Changed;
    }
    let total_bytes = range.total_bytes.or(asked.expected_bytes).or(asked.known_bytes);
    match total_bytes {
        Some(total_bytes) if range.end <= total_bytes && (asked.hashed || comparison == Comparison::Same) => {
            Verdict::Range { end: range.end, total_bytes }
        }
        _ => Verdict::NoRanges,
    }
}

/// Handles 416: the stored part is already the whole file, or belongs to another version.
fn judge_unsatisfied(answer: &AnswerHead, asked: &Asked) -> Verdict {
    let total = answer.content_range.as_deref().and_then(ContentRange::parse_unsatisfied);
    if let Some(got_bytes) = unexpected(total, asked.expected_bytes) {
        return Verdict::WrongSize { got_bytes };
    }
    let comparison = asked.validator.compare(&answer.validator);
    let is_same = comparison == Comparison::Same || (asked.hashed && comparison == Comparison::Unknown);
    if total == Some(asked.start) && is_same { Verdict::Complete } else { Verdict::Changed }
}

/// Handles a part that does not fit the request. A request with a range can be repeated without it.
const fn refuse_range(asked: &Asked) -> Verdict {
    if asked.start > 0 { Verdict::NoRanges } else { Verdict::BadRange }
}

fn fits(content_length: Option<u64>, bytes: u64) -> bool {
    content_length.is_none_or(|length| length == bytes)
}

/// Returns `actual` if both are known and differ.
fn unexpected(actual: Option<u64>, expected: Option<u64>) -> Option<u64> {
    actual.filter(|&actual| expected.is_some_and(|expected| actual != expected))
}

/// Whether another try may succeed after this status.
pub const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// Reads `Retry-After` as seconds, rounded up; a date is counted from `now`. `None` if it is neither.
pub fn retry_after_s(text: &str, now: std::time::SystemTime) -> Option<u64> {
    let text = text.trim();
    // Rust's numbers may also have a sign or an exponent, which the header does not know.
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()).map(|seconds| seconds.ceil() as u64);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).map_or(0, |pause| pause.as_secs_f64().ceil() as u64))
}

#[cfg(test)]
mod tests;
