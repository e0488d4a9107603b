//! The server over real sockets, with an engine that breaks on demand and clients that misbehave.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::Parser;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::AppState;
use super::connections::{self, ConnectionLimits};
use super::engine_thread::EngineThread;
use super::engine_thread::testing::{FaultyLoader, LoadFault};
use super::model_files::ServedModel;
use super::routes::{self, Access};
use crate::cli::{Cli, Command, ServeArgs};
use crate::models::ModelFile;

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve_args(arguments: &[&str]) -> ServeArgs {
    let all = ["inshore", "serve"].iter().chain(arguments);
    match Cli::try_parse_from(all).expect("sound arguments").command {
        Command::Serve(args) => args,
        other => panic!("{other:?}"),
    }
}

struct TestServer {
    address: SocketAddr,
    client: reqwest::Client,
    loads: Arc<AtomicUsize>,
}

impl TestServer {
    /// Starts a server whose loads after the first go wrong as `script` says.
    async fn start(script: &[LoadFault]) -> Self {
        let loader =
            FaultyLoader { script: script.iter().copied().collect::<VecDeque<_>>(), ..FaultyLoader::default() };
        let loads = Arc::clone(&loader.loads);
        let args = serve_args(&[]);
        let engine = EngineThread::start_loader(args.queue, loader);
        let file = ModelFile { path: "/nonexistent".into(), name: "tiny".to_owned(), bytes: 0, sha256: None };
        let state = AppState { engine, model: Arc::new(ServedModel::new(file)) };
        let app = routes::all(state, &args, Access::of(&args).expect("sound arguments"));
        let address = listen(app, ConnectionLimits::default()).await;
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let server = Self { address, client, loads };
        server.wait_for("ok").await;
        server
    }

    async fn health(&self) -> (u16, Value) {
        json_of(self.client.get(format!("http://{}/health", self.address)).send().await.expect("an answer")).await
    }

    /// Waits until `/health` has this status.
    async fn wait_for(&self, status: &str) -> (u16, Value) {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let (code, health) = self.health().await;
                assert_eq!(code == 200, health["status"] == "ok", "{health}");
                assert_eq!(health["status"] == "ok", health["reason"].is_null(), "{health}");
                if health["status"] == status {
                    return (code, health);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("the server does not become `{status}`"))
    }

    async fn ask(&self, message: &str, stream: bool) -> reqwest::Response {
        let messages = json!([{ "role": "user", "content": message }]);
        let body = json!({ "messages": messages, "max_tokens": 4, "stream": stream }).to_string();
        let request = self.client.post(format!("http://{}/v1/chat/completions", self.address));
        request.header("content-type", "application/json").body(body).send().await.expect("an answer")
    }

    async fn ask_json(&self, message: &str) -> (u16, Value) {
        json_of(self.ask(message, false).await).await
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

async fn json_of(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let body = answer.text().await.expect("a body");
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
}

/// Serves `app` on a free port until the test ends.
async fn listen(app: Router, limits: ConnectionLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(connections::serve(listener, app, limits, std::future::pending()));
    address
}

#[tokio::test]
async fn a_panic_before_the_model_computes_is_that_requests_error_and_the_engine_goes_on() {
    let server = TestServer::start(&[]).await;
    for stream in [false, true] {
        let (status, answer) = json_of(server.ask("panic in the template", stream).await).await;
        assert_eq!((status, &answer["error"]["code"]), (500, &json!("engine_panicked")), "{answer}");
        assert_eq!(answer["error"]["type"], "server_error");
        assert_eq!(server.health().await.0, 200);
        assert_eq!(server.ask_json("hello").await.0, 200);
    }
    assert_eq!(server.loads(), 1, "nothing was loaded again");
}

#[tokio::test]
async fn a_panic_while_the_model_computes_is_that_requests_error_and_the_model_is_loaded_again() {
    let server = TestServer::start(&[]).await;
    let body = server.ask("panic in a kernel", true).await.text().await.expect("a body");
    assert!(body.contains("half an ans") && body.contains("\"engine_panicked\""), "{body}");
    assert!(!body.contains("[DONE]"), "what was cut must not look complete: {body}");
    server.wait_for("ok").await;
    assert_eq!((server.ask_json("hello").await.0, server.loads()), (200, 2));
    let (status, answer) = server.ask_json("panic in a kernel").await;
    assert_eq!((status, &answer["error"]["code"]), (500, &json!("engine_panicked")));
    server.wait_for("ok").await;
    assert_eq!((server.ask_json("hello").await.0, server.loads()), (200, 3));
}

#[tokio::test]
async fn a_lost_device_is_opened_again() {
    let server = TestServer::start(&[]).await;
    let (_, answer) = server.ask_json("lose the device").await;
    assert_eq!(answer["error"]["code"], "device_lost");
    server.wait_for("ok").await;
    assert_eq!((server.ask_json("hello").await.0, server.loads()), (200, 2));
}

#[tokio::test]
async fn while_the_model_cannot_be_loaded_the_server_says_so_and_tries_again() {
    let server = TestServer::start(&[LoadFault::Error, LoadFault::Panic]).await;
    assert_eq!(server.ask_json("lose the device").await.1["error"]["code"], "device_lost");
    let (code, health) = server.wait_for("failed").await;
    let reason = health["reason"].as_str().expect("a reason");
    assert!(code == 503 && reason.contains("the disk is on fire") && reason.contains("1 s"), "{health}");
    let refused = server.ask("hello", false).await;
    assert!(refused.headers().contains_key("retry-after"));
    let (status, answer) = json_of(refused).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("reloading")), "{answer}");
    server.wait_for("ok").await;
    assert_eq!((server.ask_json("hello").await.0, server.loads()), (200, 4));
}

#[tokio::test]
async fn requests_that_wait_when_the_engine_breaks_are_answered() {
    let server = TestServer::start(&[]).await;
    // Twice without an answer in between: the second time the server waits a second before it loads.
    server.ask_json("lose the device").await;
    server.wait_for("ok").await;
    let asked = (0..6).map(|number| if number == 0 { "panic in a kernel" } else { "hello" });
    let answers = futures_util::future::join_all(asked.map(|message| server.ask_json(message))).await;
    for (status, answer) in &answers {
        let code = answer["error"]["code"].as_str().unwrap_or("");
        assert!(matches!((*status, code), (200, "") | (500, "engine_panicked") | (503, "reloading")), "{answer}");
    }
    assert_eq!(answers.iter().filter(|(status, _)| *status == 500).count(), 1);
    server.wait_for("ok").await;
    assert_eq!(server.ask_json("hello").await.0, 200);
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_500() {
    let app = Router::new()
        .route(
            "/",
            get(|| async {
                if true {
                    panic!("of a handler")
                }
            }),
        )
        .layer(routes::catch_panics());
    let address = listen(app, ConnectionLimits::default()).await;
    for _ in 0..3 {
        let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{address}/")).send();
        let (status, body) = json_of(answer.await.expect("an answer")).await;
        assert_eq!((status, &body["error"]["code"]), (500, &json!("internal")));
    }
}

/// Limits that a test can wait for.
fn impatient() -> ConnectionLimits {
    ConnectionLimits {
        connections: 2,
        first_request: Duration::from_millis(300),
        next_request: Duration::from_millis(300),
        stalled_write: Duration::from_millis(300),
    }
}

/// Sends `bytes` and waits until the server closes the connection.
async fn until_closed(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(bytes).await.expect("the server takes it");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes it");
    // A reset closes it too.
    let _ = read;
    answer
}

#[tokio::test]
async fn clients_that_send_no_whole_request_lose_their_connection() {
    let address = listen(Router::new().route("/", get(|| async { "here" })), impatient()).await;
    let bytes: [&[u8]; 7] = [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"PRI * HTTP/2",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHo",
    ];
    // More of them than there are connections: each must free its own.
    let clients = bytes.iter().chain(&bytes).map(|bytes| until_closed(address, bytes));
    let answers = futures_util::future::join_all(clients).await;
    assert!(String::from_utf8_lossy(&answers[6]).contains("here"), "the first of two requests is answered");
    let answer = until_closed(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with(b"here"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_its_connection() {
    // More than the buffers of both sockets hold.
    let large = "x".repeat(64 << 20);
    let app = Router::new().route("/", get(move || async move { large })).route("/small", get(|| async { "small" }));
    let address = listen(app, impatient()).await;
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("the server takes it");
        stalled.push(stream);
    }
    let answer = until_closed(address, b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with(b"small"), "a connection is free again");
}

#[tokio::test]
async fn a_long_answer_to_a_client_that_reads_is_not_cut() {
    let slowly = || async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        "x".repeat(8 << 20)
    };
    let address = listen(Router::new().route("/", get(slowly)), impatient()).await;
    let answer = until_closed(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.len() > 8 << 20, "{} bytes", answer.len());
}
