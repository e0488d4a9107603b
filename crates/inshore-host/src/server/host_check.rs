//! Refuses requests for a foreign host name (DNS rebinding).
//!
//! A page of `http://evil.example:8040` may call its own origin. Its owner can let that name point to 127.0.0.1 a moment
//! later; the browser then sends the page's requests here, without CORS, with the name in `Host`. An address in `Host`
//! cannot be pointed elsewhere, so what a server may answer for is: the addresses it listens on, `localhost`, and the names
//! that its operator gives with `--allowed-host`.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::openai::ApiError;

/// Longest host name of the DNS, and enough for an address in brackets.
const MAX_HOST_BYTES: usize = 255;

/// Host names and addresses that the server answers for.
#[derive(Debug, Clone)]
pub struct AllowedHosts {
    listens_on: IpAddr,
    names: Arc<[String]>,
    all: bool,
}

impl AllowedHosts {
    /// The hosts of a server that listens on `listens_on`, with the operator's `names`. The name `*` allows every host.
    ///
    /// # Errors
    /// If a name is not a host name or an address, e.g. because it has a scheme or a port.
    pub fn new(listens_on: IpAddr, names: &[String]) -> anyhow::Result<Self> {
        let all = names.iter().any(|name| name == "*");
        let mut checked = Vec::new();
        for name in names.iter().filter(|name| *name != "*") {
            match parse_host(name) {
                Some((host, None)) => checked.push(host),
                _ => anyhow::bail!(
                    "`{name}` is not a host name; write it without scheme, port and path, as mini-pc.local, or * for any"
                ),
            }
        }
        Ok(Self { listens_on, names: checked.into(), all })
    }

    /// Whether `host`, in lower case and without port, is allowed.
    fn contains(&self, host: &str) -> bool {
        if host == "localhost" || self.names.iter().any(|name| name == host) {
            return true;
        }
        let unbracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = match unbracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(|address| address.to_canonical()),
            None => host.parse().ok().map(IpAddr::V4),
        };
        let listens_on_loopback = self.listens_on.to_canonical().is_loopback();
        address.is_some_and(|address| {
            // A server for the whole network cannot know all addresses under which it is reached, such as its router's.
            !listens_on_loopback || address.is_loopback() || address == self.listens_on.to_canonical()
        })
    }

    /// Checks the host of a request.
    ///
    /// # Errors
    /// 403 `host_not_allowed`.
    fn check(&self, version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.all {
            return Ok(());
        }
        // HTTP/2 and requests in absolute form name the host in the address, perhaps once more in a header. Every name must
        // be allowed, so it does not matter which one a browser or proxy took from the page's address.
        let in_address = uri.authority().map(Authority::as_str);
        let in_headers: Vec<_> = headers.get_all(HOST).iter().collect();
        if in_headers.len() > 1 {
            return Err(ApiError::host_not_allowed("more than one `Host`"));
        }
        let in_header = match in_headers.first().map(|value| value.to_str()) {
            Some(Ok(host)) => Some(host),
            Some(Err(_)) => return Err(ApiError::host_not_allowed("a `Host` that is not text")),
            None => None,
        };
        if in_address.is_none() && in_header.is_none() {
            // Browsers always name the host. HTTP/1.0 has no `Host`, and simple health checks speak it.
            return match version {
                Version::HTTP_09 | Version::HTTP_10 => Ok(()),
                _ => Err(ApiError::host_not_allowed("no `Host`")),
            };
        }
        for authority in in_address.into_iter().chain(in_header) {
            let host = parse_host(authority).map(|(host, _)| host);
            if !host.is_some_and(|host| self.contains(&host)) {
                return Err(ApiError::host_not_allowed(authority));
            }
        }
        Ok(())
    }
}

/// Splits `host[:port]`; the host in lower case and without the dot at its end. `None` for everything else, also for user
/// information (`localhost@evil.example`).
fn parse_host(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rfind(']') {
        Some(end) if authority.starts_with('[') => (&authority[..=end], &authority[end + 1..]),
        Some(_) => return None,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        // RFC 3986 allows a colon without digits.
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        _ => return None,
    };
    let is_address = host.starts_with('[');
    let host = if is_address { host } else { host.strip_suffix('.').unwrap_or(host) };
    let allowed = |byte: u8| match is_address {
        true => byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'[' | b']'),
        false => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'),
    };
    let is_host = !host.is_empty() && host.len() <= MAX_HOST_BYTES && host.bytes().all(allowed);
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

/// Middleware that refuses requests that [`AllowedHosts::check`] does not allow.
pub async fn check(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    match hosts.check(request.version(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(listens_on: &str, names: &[&str], host: &str) -> bool {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let hosts = AllowedHosts::new(listens_on.parse().unwrap(), &names).unwrap();
        let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
        hosts.check(Version::HTTP_11, &Uri::from_static("/health"), &headers).is_ok()
    }

    #[test]
    fn on_loopback_only_its_own_names_are_answered_for() {
        for host in [
            "localhost",
            "localhost:8040",
            "LocalHost:1",
            "localhost.",
            "localhost.:8040",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:65535",
            "127.8.8.8",
            "[::1]",
            "[::1]:8040",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_allowed("127.0.0.1", &[], host) && is_allowed("::1", &[], host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8040",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost:80@evil.example",
            "localhost:x",
            "localhost:99999",
            "localhost:80:80",
            "localhost,evil.example",
            "localhost evil.example",
            "localhost/",
            "localhost#",
            "localhost?x",
            "localhost..",
            ".localhost",
            "",
            ".",
            ":8040",
            "[::1",
            "::1",
            "[::1]x",
            "[localhost]",
            "[::2]",
            "[fe80::1%25lo]",
            "0.0.0.0",
            "10.0.0.5",
            "192.168.1.5:8040",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "0177.0.0.1",
            "loc%61lhost",
            "*",
            "xn--lcalhost-e4a",
            "[::ffff:10.0.0.5]",
        ] {
            assert!(!is_allowed("127.0.0.1", &[], host), "{host}");
        }
    }

    #[test]
    fn the_operators_names_are_answered_for() {
        for host in ["mini-pc.local", "MINI-PC.local:8040", "mini-pc.local.", "gpu_box", "10.1.2.3"] {
            assert!(is_allowed("127.0.0.1", &["Mini-PC.local", "gpu_box", "10.1.2.3"], host), "{host}");
        }
        assert!(!is_allowed("127.0.0.1", &["mini-pc.local"], "evil.mini-pc.local"), "a name is exact");
        assert!(is_allowed("127.0.0.1", &["*"], "anything.example"));
        for name in ["http://a.example", "a.example:80", "a.example/x", "", "a b", "*.example", "user@a.example"] {
            assert!(AllowedHosts::new(Ipv6Addr::LOCALHOST.into(), &[name.to_owned()]).is_err(), "{name}");
        }
    }

    #[test]
    fn on_a_network_every_address_is_answered_for_and_no_foreign_name() {
        for listens_on in ["0.0.0.0", "::", "192.168.1.5"] {
            for host in ["192.168.1.5:8040", "10.0.0.1", "[fd00::7]:8040", "localhost:8040", "127.0.0.1"] {
                assert!(is_allowed(listens_on, &[], host), "{host} on {listens_on}");
            }
            for host in ["evil.example", "mini-pc", "192.168.1.5.nip.io", "3232235781", "192.168.1.5@evil.example"] {
                assert!(!is_allowed(listens_on, &[], host), "{host} on {listens_on}");
            }
        }
        assert!(is_allowed("127.0.0.2", &[], "127.0.0.2:1") && !is_allowed("127.0.0.2", &[], "10.0.0.1"));
    }

    #[test]
    fn every_name_of_a_request_counts() {
        let hosts = AllowedHosts::new("127.0.0.1".parse().unwrap(), &[]).unwrap();
        let check = |version, uri: &str, header: &[&str]| {
            let headers = header.iter().map(|host| (HOST, host.parse().unwrap())).collect::<HeaderMap>();
            hosts.check(version, &uri.parse().unwrap(), &headers).is_ok()
        };
        // HTTP/2 has the name in the address only.
        assert!(check(Version::HTTP_2, "http://localhost:8040/v1/models", &[]));
        assert!(!check(Version::HTTP_2, "http://evil.example/v1/models", &[]));
        for (uri, header, expected) in [
            ("http://localhost/v1/models", &["localhost"][..], true),
            ("http://evil.example/v1/models", &["localhost"], false),
            ("http://localhost/v1/models", &["evil.example"], false),
            ("http://localhost@evil.example/", &["localhost"], false),
            ("/v1/models", &["localhost", "evil.example"], false),
            ("/v1/models", &["localhost", "localhost"], false),
            ("/v1/models", &[], false),
        ] {
            assert_eq!(check(Version::HTTP_11, uri, header), expected, "{uri} {header:?}");
        }
        assert!(check(Version::HTTP_10, "/health", &[]), "HTTP/1.0 names no host");
        assert!(!check(Version::HTTP_10, "/health", &["evil.example"]));
    }
}
