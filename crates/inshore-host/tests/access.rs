//! Who may call `inshore serve`: pages of other origins, and the host names of requests.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use axum::http::Request;
use reqwest::Method;
use support::{Server, TempDir, tiny_model};

/// What OpenAI's JavaScript client, its helpers and tracing libraries send beside the body's type.
const CLIENT_HEADERS: &str = "authorization,content-type,idempotency-key,openai-beta,openai-organization,openai-project,\
    traceparent,tracestate,x-request-id,x-stainless-arch,x-stainless-async,x-stainless-custom-poll-interval,\
    x-stainless-helper-method,x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-poll-helper,\
    x-stainless-read-timeout,x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout";

async fn preflight(server: &Server, origin: &str, method: &str, headers: &str) -> reqwest::Response {
    let request = server.client.request(Method::OPTIONS, format!("{}/v1/chat/completions", server.url));
    let request = request.header("origin", origin).header("access-control-request-method", method);
    let request = request.header("access-control-request-private-network", "true");
    request.header("access-control-request-headers", headers).send().await.expect("an answer")
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_send_what_its_client_sends() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &["--cors-origin", "https://app.example"]).await;
    for headers in [CLIENT_HEADERS, "x-acme-tenant", "cf-access-client-id,cf-access-client-secret", "range,if-range"] {
        let answer = preflight(&server, "https://app.example", "POST", headers).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "access-control-allow-origin"), "https://app.example");
        let allowed: Vec<&str> = header(&answer, "access-control-allow-headers").split(',').map(str::trim).collect();
        for wanted in headers.split(',') {
            assert!(allowed.contains(&wanted), "{wanted}: {allowed:?}");
        }
        for method in ["GET", "HEAD", "POST"] {
            assert!(header(&answer, "access-control-allow-methods").contains(method), "{method}");
        }
        assert_eq!(header(&answer, "access-control-allow-private-network"), "true");
        assert!(header(&answer, "access-control-max-age").parse::<u32>().expect("seconds") >= 600);
        assert!(header(&answer, "vary").contains("origin"), "a cache must not give it to another origin");
        assert_eq!(header(&answer, "access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_nothing() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let opened = Server::start(&model, &["--cors-origin", "https://app.example"]).await;
    let closed = Server::start(&model, &[]).await;
    let strangers = [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://xapp.example",
        "null",
        "https://APP.example",
        "file://",
    ];
    for server in [&opened, &closed] {
        for origin in strangers {
            let answer = preflight(server, origin, "POST", CLIENT_HEADERS).await;
            let told = answer.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(told, None, "{origin}");
            let plain =
                server.client.get(format!("{}/health", server.url)).header("origin", origin).send().await.unwrap();
            assert_eq!(header(&plain, "access-control-allow-origin"), "", "{origin}");
        }
    }
}

#[tokio::test]
async fn what_a_page_may_send_without_asking_is_no_request() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let body = r#"{"messages":[{"role":"user","content":"hello"}],"max_tokens":1}"#;
    let post =
        || server.client.post(format!("{}/v1/chat/completions", server.url)).header("origin", "https://evil.example");
    for kind in [
        "text/plain",
        "text/plain; charset=utf-8",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain,application/json",
        "",
    ] {
        let answer = post().header("content-type", kind).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 415, "{kind}");
    }
    // A beacon with a body of unknown type.
    assert_eq!(post().body(body).send().await.expect("an answer").status(), 415);
    assert_eq!(
        post().header("content-type", "application/json").body(body).send().await.expect("an answer").status(),
        200
    );
}

/// Sends `head` as it is; returns the status of the answer and its body.
fn raw(server: &Server, head: &str) -> (u16, String) {
    let address = server.url.strip_prefix("http://").expect("an http address");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(head.as_bytes()).expect("the server takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status =
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    (status, answer)
}

#[tokio::test]
async fn a_rebound_name_reaches_nothing() {
    let folder = TempDir::new();
    let web = folder.path().join("web");
    std::fs::create_dir(&web).unwrap();
    std::fs::write(web.join("index.html"), "page").unwrap();
    let arguments = ["--web", web.to_str().unwrap(), "--allowed-host", "Mini-PC.local", "--allowed-host", "box"];
    let server = Server::start(&tiny_model(&folder, 1), &arguments).await;
    let port = server.url.rsplit(':').next().unwrap();
    let get = |path: &str, host: &str| {
        raw(&server, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    for host in [
        &format!("localhost:{port}"),
        &format!("127.0.0.1:{port}"),
        &format!("[::1]:{port}"),
        "LOCALHOST",
        "localhost.",
        "mini-pc.local:80",
        "MINI-PC.LOCAL.",
        "box",
    ] {
        assert_eq!(get("/health", host).0, 200, "{host}");
        assert_eq!(get("/", host).0, 200, "{host}");
    }
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.5",
        "localhost@evil.example",
        "evil.example@localhost",
        "box.evil.example",
        "xbox",
        "",
        "localhost, evil.example",
        "[::1",
        "127.1",
        "2130706433",
        "localhost:http",
    ] {
        for path in ["/health", "/", "/v1/models", "/models/default.gguf", "/models/manifest.json", "/nowhere"] {
            let (status, answer) = get(path, host);
            assert!(matches!(status, 400 | 403), "{host} {path}: {answer}");
            assert!(!answer.contains("tiny-1") && !answer.contains("page"), "{host} {path}: {answer}");
        }
    }
    let (status, answer) = get("/health", "evil.example");
    assert_eq!(status, 403);
    assert!(answer.contains("host_not_allowed") && answer.contains("--allowed-host"), "{answer}");
    let post = |host: &str| {
        let body = r#"{"messages":[{"role":"user","content":"hello"}],"max_tokens":1}"#;
        let length = body.len();
        raw(
            &server,
            &format!(
                "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ),
        )
    };
    assert_eq!((post("localhost").0, post("evil.example").0), (200, 403));
}

#[tokio::test]
async fn a_host_that_is_named_twice_or_not_at_all_is_refused() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    for (head, expected) in [
        ("GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n", 403),
        ("GET http://localhost/health HTTP/1.1\r\nHost: evil.example\r\n", 403),
        ("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", 403),
        ("GET /health HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n", 403),
        ("GET /health HTTP/1.1\r\nX-Forwarded-Host: localhost\r\nHost: evil.example\r\n", 403),
        ("GET /health HTTP/1.1\r\n", 403),
        ("GET /health HTTP/1.0\r\n", 200),
        ("GET /health HTTP/1.0\r\nHost: evil.example\r\n", 403),
    ] {
        let (status, answer) = raw(&server, &format!("{head}Connection: close\r\n\r\n"));
        assert_eq!(status, expected, "{head}: {answer}");
    }
}

#[tokio::test]
async fn http_2_names_its_host_in_the_address() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let address = server.url.strip_prefix("http://").expect("an http address");
    for (host, expected) in
        [("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 403), ("localhost.evil.example", 403)]
    {
        let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = Request::builder().uri(format!("http://{host}/health")).body(()).expect("a request");
        let (answer, _) = client.send_request(request, true).expect("it is sent");
        assert_eq!(answer.await.expect("an answer").status(), expected, "{host}");
    }
}

#[test]
fn names_that_are_no_host_are_refused_at_the_start() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    for name in ["http://mini-pc", "mini-pc:8040", "mini-pc/", "", "a b", "*.example", "user@host"] {
        let said =
            support::refusal(&["serve", "--port", "0", "--model", model.to_str().unwrap(), "--allowed-host", name]);
        assert!(said.contains("is not a host name"), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_page_that_was_just_replaced_comes_fresh() {
    let folder = TempDir::new();
    let web = folder.path().join("web");
    std::fs::create_dir(&web).unwrap();
    std::fs::write(web.join("index.html"), "first").unwrap();
    let server = Server::start(&tiny_model(&folder, 1), &["--web", web.to_str().unwrap()]).await;
    let first = server.get("/index.html").await;
    assert_eq!(header(&first, "cache-control"), "no-cache");
    // Without a date a browser has nothing to ask by, so that a change within the same second cannot be missed.
    assert_eq!(header(&first, "last-modified"), "");
    assert_eq!(server.get("/late.wasm").await.status(), 404);
    std::fs::write(web.join("late.wasm"), b"\0asm").unwrap();
    let late = server.get("/late.wasm").await;
    assert_eq!((late.status().as_u16(), header(&late, "content-type")), (200, "application/wasm"));
    std::fs::write(web.join("index.html"), "second").unwrap();
    assert_eq!(server.get("/index.html").await.text().await.unwrap(), "second");
    // A file that has been there for a while is not sent again.
    let old = std::fs::File::options().write(true).open(web.join("index.html")).unwrap();
    old.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    let dated = server.get("/index.html").await;
    let date = header(&dated, "last-modified").to_owned();
    let again = server.client.get(format!("{}/index.html", server.url)).header("if-modified-since", date).send().await;
    assert_eq!(again.unwrap().status(), 304);
}
