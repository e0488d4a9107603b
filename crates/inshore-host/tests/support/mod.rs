//! The real binary, tiny models and servers for the integration tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use inshore_model::testing::TinyModel;
use serde_json::Value;

/// Longest a test waits for something that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that goes with the value. (The usual crate for this would change the features of the GPU stack's
/// dependencies and with that compile the stack twice.)
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new, empty folder.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("inshore-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The binary, away from the user's cache and settings.
pub fn inshore(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inshore"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
        .env_remove("RUST_LOG")
        .env_remove("HF_TOKEN")
        .env_remove("HF_ENDPOINT")
        .env("INSHORE_CACHE", "/nonexistent");
    // Requests to 127.0.0.1 must not leave through a proxy.
    command.env("NO_PROXY", "*").env("no_proxy", "*");
    command
}

/// Runs to the end.
pub fn run(arguments: &[&str]) -> Output {
    inshore(arguments).output().expect("the binary starts")
}

/// Runs `generate --json` on the CPU and reads its one object.
pub fn generate(model: &Path, arguments: &[&str]) -> Value {
    let mut all = vec!["generate", "--json", "--device", "cpu", "--model", model.to_str().expect("a UTF-8 path")];
    all.extend(arguments);
    let output = run(&all);
    assert!(output.status.success(), "{all:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs and expects a failure; gives what stderr says.
pub fn refusal(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stderr));
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// Room for an answer that takes minutes.
pub const ENDLESS: [&str; 2] = ["--context", "50000"];

/// A tiny model with room for long answers.
pub fn tiny_model(folder: &TempDir, seed: u32) -> PathBuf {
    let path = folder.path().join(format!("tiny-{seed}.gguf"));
    let model = TinyModel {
        architecture: "llama",
        kind: inshore_gguf::GgmlType::Q8_0,
        kv_heads: 2,
        context_tokens: 50_000,
        seed,
    };
    std::fs::write(&path, model.build()).expect("a temporary folder can be written");
    path
}

/// A tiny model whose greedy answer to "hello" (raw and as a chat) goes on and on.
pub fn endless_model(folder: &TempDir) -> PathBuf {
    let endless = |path: &PathBuf, arguments: &[&str]| {
        let mut all = vec!["--prompt", "hello", "--temperature", "0", "--max-tokens", "400"];
        all.extend(arguments);
        generate(path, &all)["finish_reason"] == "length"
    };
    (1..40)
        .map(|seed| tiny_model(folder, seed))
        .find(|path| endless(path, &["--raw"]) && endless(path, &[]))
        .expect("one of forty random models does not end its answer")
}

/// The real model, if `INSHORE_TEST_MODEL` names it; says so otherwise.
pub fn real_model() -> Option<PathBuf> {
    let path = std::env::var_os("INSHORE_TEST_MODEL").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: set INSHORE_TEST_MODEL to SmolLM2-135M-Instruct.Q4_1.gguf to run this test");
    }
    path
}

/// A file of the repository's golden data.
pub fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    let json = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&json).expect("golden data are JSON")
}

/// Sends a signal, `INT` or `TERM`.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.expect("kill is there").success());
}

/// Waits, but not for ever.
pub fn wait(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the program did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `inshore serve` on a free port; ends with the value.
pub struct Server {
    /// The process.
    pub child: Child,
    /// Its address.
    pub url: String,
    /// A client for it.
    pub client: reqwest::Client,
}

impl Server {
    /// Starts it on the CPU and waits until it can answer.
    pub async fn start(model: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--port", "0", "--device", "cpu", "--model", model.to_str().expect("a UTF-8 path")];
        all.extend(arguments);
        let mut child = inshore(&all).stderr(Stdio::inherit()).spawn().expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line comes");
        let url = line.split_whitespace().last().expect("the line ends with the address").to_owned();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let server = Self { child, url, client };
        let started = Instant::now();
        while server.get("/health").await.status() != 200 {
            assert!(started.elapsed() < PATIENCE, "the server does not get ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// GET.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.expect("the server answers")
    }

    /// Posts a chat request; `body` is completed with a message if it has none.
    pub async fn chat(&self, mut body: Value) -> reqwest::Response {
        let fields = body.as_object_mut().expect("an object");
        fields.entry("messages").or_insert_with(|| serde_json::json!([{ "role": "user", "content": "hello" }]));
        let request = self.client.post(format!("{}/v1/chat/completions", self.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.expect("the server answers")
    }

    /// Posts a chat request and reads the JSON answer with its status.
    pub async fn chat_json(&self, body: Value) -> (u16, Value) {
        let answer = self.chat(body).await;
        let status = answer.status().as_u16();
        (status, json(answer).await)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body as JSON.
pub async fn json(answer: reqwest::Response) -> Value {
    let body = answer.text().await.expect("a body");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// The `data:` lines of a stream, parsed; `[DONE]` becomes a string.
pub fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned()))).collect()
}
