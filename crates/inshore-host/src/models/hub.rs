//! Files on a model hub: `hf:owner/repo/file.gguf[@revision]`.

use std::path::{Path, PathBuf};

use reqwest::header::ACCEPT_ENCODING;
use reqwest::{StatusCode, Url};

use super::answer::is_transient;
use super::cache::{Cache, FetchLock};
use super::contents::Contents;
use super::download::{self, Download, Expected};
use super::error::ModelFileError;
use super::http::{self, Failure};
use super::redirect;
use super::stamp::{Stamp, is_sha256};

/// The hub's address where `HF_ENDPOINT` names no other; the only address in this program.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Revision where none is given.
const DEFAULT_REVISION: &str = "main";
/// Requests for size and hash before the download gives up.
const LOOK_UP_TRIES: u32 = 4;
/// Longest part of a reference, in bytes: with the suffixes of our own files it must fit a file system's limit of 255.
const MAX_PART_BYTES: usize = 200;
/// Longest reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 800;
/// Names that Windows reserves for devices, with or without an extension.
const RESERVED_NAMES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    owner: String,
    repo: String,
    file: String,
    revision: String,
}

impl HubFile {
    /// Reads `owner/repo/file.gguf[@revision]`; `None` if it is not that. Parts are checked, because they become part of
    /// a path and of an address.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, revision) = text.rsplit_once('@').unwrap_or((text, DEFAULT_REVISION));
        let mut parts = path.splitn(3, '/');
        let (owner, repo, file) = (parts.next()?, parts.next()?, parts.next()?);
        let sound = |part: &str| {
            !part.is_empty()
                && part.len() <= MAX_PART_BYTES
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
        };
        let all_sound = [owner, repo].into_iter().chain(file.split('/')).chain(revision.split('/')).all(sound);
        let is_model = file.to_ascii_lowercase().ends_with(".gguf");
        (all_sound && is_model && text.len() <= MAX_REFERENCE_BYTES).then(|| Self {
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            file: file.to_owned(),
            revision: revision.to_owned(),
        })
    }

    fn place(&self, cache: &Cache) -> PathBuf {
        let Self { owner, repo, file, revision } = self;
        // A revision is one folder, so that `1/m.gguf` of `refs/pr` and `m.gguf` of `refs/pr/1` stay two files.
        let revision = revision.replace('/', "%2F");
        let folders = cache.models().join("hf");
        [owner, repo, &revision].into_iter().map(String::as_str).chain(file.split('/')).map(on_disk).fold(
            folders,
            |mut path, name| {
                path.push(name);
                path
            },
        )
    }

    fn address(&self) -> Result<String, ModelFileError> {
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|value| !value.is_empty());
        let endpoint = endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        let bad = || ModelFileError::BadAddress { url: endpoint.to_owned() };
        let parsed = Url::parse(endpoint).map_err(|_| bad())?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(bad());
        }
        let Self { owner, repo, file, revision } = self;
        let endpoint = parsed.as_str().trim_end_matches('/');
        // A revision may hold a slash (refs/pr/1), which must not count as a path separator.
        Ok(format!("{endpoint}/{owner}/{repo}/resolve/{}/{file}", revision.replace('/', "%2F")))
    }
}

/// Converts a part of a reference to a file name that every system accepts. References have no `~`, so names never collide.
fn on_disk(part: &str) -> String {
    let stem = part.split('.').next().unwrap_or_default();
    let is_reserved = RESERVED_NAMES.iter().any(|name| stem.eq_ignore_ascii_case(name));
    let start = if is_reserved { "~" } else { "" };
    // Windows drops a dot at the end.
    let end = if part.ends_with('.') { "~" } else { "" };
    format!("{start}{part}{end}")
}

/// Path of `file` in the cache; fetches it if it is not there.
///
/// # Errors
/// [`ModelFileError`].
pub fn obtain(file: &HubFile, cache: &Cache) -> Result<PathBuf, ModelFileError> {
    let place = file.place(cache);
    if Stamp::read(&place).is_some() {
        return Ok(place);
    }
    let _lock = FetchLock::wait(&place)?;
    if Stamp::read(&place).is_some() {
        return Ok(place);
    }
    if place.is_file() {
        Stamp::remove_if_false(&place);
    }
    let url = file.address()?;
    let token = std::env::var("HF_TOKEN").ok().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    http::on_runtime(async {
        let expected = look_up(&url, token.as_deref()).await?;
        if adopt(&place, &expected) {
            return Ok(());
        }
        let job = Download { url: &url, bearer: token.as_deref(), place: &place, expected, contents: Contents::Gguf };
        download::fetch(&job).await.map(|_| ())
    })?;
    Ok(place)
}

/// Gives a file without a stamp a new one if it has the hub's hash; returns whether it has.
fn adopt(place: &Path, expected: &Expected) -> bool {
    let Some(sha256) = expected.sha256.as_ref().filter(|_| place.is_file()) else { return false };
    let stamp = Stamp::compute(place, |_| {}).ok().filter(|stamp| stamp.sha256 == *sha256);
    if let Some(stamp) = &stamp {
        stamp.write(place);
    }
    stamp.is_some()
}

/// Asks the hub for size and hash. Transient failures are retried, because a download without the hash is not checked.
async fn look_up(url: &str, token: Option<&str>) -> Result<Expected, ModelFileError> {
    let client = http::client(reqwest::redirect::Policy::none())?;
    let home = Url::parse(url).map_err(|_| ModelFileError::BadAddress { url: url.to_owned() })?;
    for tries in 1.. {
        match ask(&client, &home, token).await {
            Err(failure) if tries < LOOK_UP_TRIES && http::is_worth_retrying(&failure.error) => {
                tokio::time::sleep(failure.pause(tries)).await;
            }
            answer => return answer.map_err(|failure| failure.error),
        }
    }
    Ok(Expected::default())
}

/// Sends one chain of HEAD requests. Follows redirects itself, because size and hash are in the headers of the hub's redirect to the
/// storage. If HEAD gives no hash, is refused or ends in a bad redirect, the later GET decides.
async fn ask(client: &reqwest::Client, home: &Url, token: Option<&str>) -> Result<Expected, Failure> {
    let mut at = home.clone();
    for followed in 0..redirect::MAX_REDIRECTS {
        let mut request = client.head(at.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(token) = token.filter(|_| redirect::is_same_origin(home, &at)) {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|source| http::broken(home.as_str(), 0, source))?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        // The hub sends these headers with its redirect to the storage; from elsewhere they are not the hub's word.
        let linked = |name: &str| header(name).filter(|_| redirect::is_same_origin(home, &at));
        let hash =
            linked("x-linked-etag").map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase());
        let bytes = linked("x-linked-size").and_then(|size| size.trim().parse().ok());
        if let Some(sha256) = hash.filter(|hash| is_sha256(hash)) {
            return Ok(Expected { bytes, sha256: Some(sha256) });
        }
        let status = answer.status();
        if is_transient(status.as_u16()) && status != StatusCode::NOT_IMPLEMENTED {
            return Err(http::refused(home.as_str(), status, header("retry-after")));
        }
        let target = header("location").filter(|_| status.is_redirection()).and_then(|target| at.join(target).ok());
        match target {
            Some(target) if redirect::check(&at, &target, followed).is_ok() => at = target,
            _ => return Ok(Expected { bytes: bytes.filter(|_| status.is_success()), sha256: None }),
        }
    }
    Ok(Expected::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let file = HubFile::parse("own-er/re.po/sub/x_Q4.gguf@v1.0").unwrap();
        assert_eq!((file.owner.as_str(), file.repo.as_str()), ("own-er", "re.po"));
        assert_eq!((file.file.as_str(), file.revision.as_str()), ("sub/x_Q4.gguf", "v1.0"));
        assert_eq!(HubFile::parse("a/b/c.gguf").unwrap().revision, "main");
    }

    #[test]
    fn parts_that_would_leave_the_cache_are_refused() {
        for bad in
            ["a/b/../../c.gguf", "../b/c.gguf", "a/b/c.gguf@..", "a//c.gguf", "a/b/c.bin", "a/b c/d.gguf", "a/b", ""]
        {
            assert_eq!(HubFile::parse(bad), None, "{bad}");
        }
        assert_eq!(HubFile::parse(&format!("a/b/{}.gguf", "x".repeat(300))), None);
        assert_eq!(HubFile::parse(&format!("a/b/{}c.gguf", "x/".repeat(500))), None);
    }

    #[test]
    fn no_two_references_share_a_place() {
        let cache = Cache::at("/c".into());
        let place = |text| HubFile::parse(text).unwrap().place(&cache);
        assert_eq!(place("a/b/d/c.gguf"), Path::new("/c/models/hf/a/b/main/d/c.gguf"));
        assert_ne!(place("a/b/1/m.gguf@refs"), place("a/b/m.gguf@refs/1"));
        assert_eq!(place("a/con/AUX.gguf"), Path::new("/c/models/hf/a/~con/main/~AUX.gguf"));
        assert_eq!(place("a./b/com1.x.gguf"), Path::new("/c/models/hf/a.~/b/main/~com1.x.gguf"));
        assert_eq!(place("a/console/c.gguf"), Path::new("/c/models/hf/a/console/main/c.gguf"));
    }
}
