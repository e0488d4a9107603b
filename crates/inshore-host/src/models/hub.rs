//! Files on a model hub: `hf:owner/repo/file.gguf[@revision]`.

use std::path::PathBuf;

use super::cache::{Cache, FetchLock};
use super::download::{self, Download, Expected};
use super::error::ModelFileError;
use super::stamp::{Stamp, is_sha256};

/// The hub's address where `HF_ENDPOINT` names no other; the only address in this program.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Revision where none is given.
const DEFAULT_REVISION: &str = "main";
/// Redirects followed before the hub answers for the file (renamed repositories).
const MAX_REDIRECTS: usize = 5;

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
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
        };
        let all_sound = [owner, repo].into_iter().chain(file.split('/')).chain(revision.split('/')).all(sound);
        let is_model = file.to_ascii_lowercase().ends_with(".gguf");
        (all_sound && is_model).then(|| Self {
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            file: file.to_owned(),
            revision: revision.to_owned(),
        })
    }

    fn place(&self, cache: &Cache) -> PathBuf {
        let Self { owner, repo, file, revision } = self;
        cache.models().join("hf").join(owner).join(repo).join(revision).join(file)
    }

    fn address(&self) -> String {
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|value| !value.is_empty());
        let endpoint = endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT).trim_end_matches('/');
        let Self { owner, repo, file, revision } = self;
        // A revision may hold a slash (refs/pr/1), which must not count as a path separator.
        format!("{endpoint}/{owner}/{repo}/resolve/{}/{file}", revision.replace('/', "%2F"))
    }
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
    let url = file.address();
    let token = std::env::var("HF_TOKEN").ok().filter(|token| !token.is_empty());
    download::on_runtime(async {
        let expected = look_up(&url, token.as_deref()).await?;
        let job = Download { url: &url, bearer: token.as_deref(), place: &place, expected };
        download::fetch(&job).await
    })?;
    Ok(place)
}

/// Asks the hub for size and hash: they are in the headers of its redirect to the storage, which a client that follows
/// redirects does not see.
async fn look_up(url: &str, token: Option<&str>) -> Result<Expected, ModelFileError> {
    let client = download::client(reqwest::redirect::Policy::none())?;
    let bad = || ModelFileError::BadAddress { url: url.to_owned() };
    let mut at = reqwest::Url::parse(url).map_err(|_| bad())?;
    let first_host = at.host_str().map(str::to_owned);
    for _ in 0..MAX_REDIRECTS {
        let mut request = client.head(at.clone());
        // The token is for the hub alone.
        if let Some(token) = token.filter(|_| at.host_str() == first_host.as_deref()) {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|source| download::broken(url, 0, source))?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let hash = header("x-linked-etag").map(|etag| etag.trim_matches('"').to_ascii_lowercase());
        let size = header("x-linked-size").and_then(|size| size.parse().ok());
        if let Some(sha256) = hash.filter(|hash| is_sha256(hash)) {
            return Ok(Expected { bytes: size, sha256: Some(sha256) });
        }
        let status = answer.status();
        if !status.is_redirection() {
            // A server that does not know HEAD is asked again by GET, whose status then counts.
            if status.is_success() || status.as_u16() == 405 {
                return Ok(Expected { bytes: size, sha256: None });
            }
            return Err(download::refused(url, status));
        }
        let target = header("location").ok_or_else(bad)?;
        at = at.join(target).map_err(|_| bad())?;
    }
    Ok(Expected { bytes: None, sha256: None })
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
    }
}
