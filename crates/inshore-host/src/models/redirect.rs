//! Which redirects a download follows.

use reqwest::Url;
use reqwest::redirect::{Attempt, Policy};

/// Redirects in a row.
pub const MAX_REDIRECTS: usize = 10;

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedRedirect {
    /// A loop, or an endless chain.
    #[error("the server redirects in circles or more than {MAX_REDIRECTS} times")]
    TooMany,
    /// From https to http: anyone on the way could replace the file.
    #[error("the server redirects from https to the unencrypted http")]
    Downgrade,
    /// To a scheme that is not HTTP.
    #[error("the server redirects to an address that is not http or https")]
    OtherScheme,
}

/// Whether to go from `from` to `to` after `followed` redirects.
///
/// # Errors
/// [`RefusedRedirect`].
pub fn check(from: &Url, to: &Url, followed: usize) -> Result<(), RefusedRedirect> {
    match to.scheme() {
        _ if followed >= MAX_REDIRECTS => Err(RefusedRedirect::TooMany),
        "http" if from.scheme() == "https" => Err(RefusedRedirect::Downgrade),
        "http" | "https" => Ok(()),
        _ => Err(RefusedRedirect::OtherScheme),
    }
}

/// [`check`] as a policy of the client. The client itself does not send credentials to other origins.
pub fn policy() -> Policy {
    Policy::custom(|attempt: Attempt<'_>| {
        let previous = attempt.previous();
        let checked = previous.last().map_or(Ok(()), |from| check(from, attempt.url(), previous.len() - 1));
        match checked {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    })
}

/// Whether a token for `home` may be sent to `url`: only to the same scheme, host and port.
pub fn is_same_origin(home: &Url, url: &Url) -> bool {
    home.origin() == url.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn redirects_keep_to_http_and_never_lose_encryption() {
        let check = |from, to, followed| check(&url(from), &url(to), followed);
        assert_eq!(check("https://a/", "https://b/", 0), Ok(()));
        assert_eq!(check("http://a/", "https://b/", 0), Ok(()));
        assert_eq!(check("http://a/", "http://b/", MAX_REDIRECTS - 1), Ok(()));
        assert_eq!(check("https://a/", "http://a/", 0), Err(RefusedRedirect::Downgrade));
        assert_eq!(check("https://a/", "file:///etc/passwd", 0), Err(RefusedRedirect::OtherScheme));
        assert_eq!(check("http://a/", "ftp://a/m.gguf", 0), Err(RefusedRedirect::OtherScheme));
        assert_eq!(check("http://a/", "data:,GGUF", 0), Err(RefusedRedirect::OtherScheme));
        assert_eq!(check("http://a/", "http://b/", MAX_REDIRECTS), Err(RefusedRedirect::TooMany));
    }

    #[test]
    fn a_token_goes_to_its_own_origin_only() {
        let home = url("https://hub.test/a");
        assert!(is_same_origin(&home, &url("https://hub.test:443/b")));
        for other in ["http://hub.test/a", "https://hub.test:444/a", "https://hub.test.evil/a", "https://a.hub.test/"] {
            assert!(!is_same_origin(&home, &url(other)), "{other}");
        }
    }
}
