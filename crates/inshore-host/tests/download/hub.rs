//! A model hub on this machine that does exactly what a script says, over plain sockets: an HTTP library would refuse to
//! lie.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::bodies;
use crate::reply::{Reply, range_start};
use crate::support::{TempDir, inshore, text};

/// The model that the tests ask for.
pub const MODEL: &str = "hf:owner/repo/model.gguf";
const PATH: &str = "/owner/repo/resolve/main/model.gguf";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    /// It came to the other server.
    pub elsewhere: bool,
}

struct State {
    case: Value,
    bodies: HashMap<String, Vec<u8>>,
    honest: AtomicBool,
    gets: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
    urls: [String; 2],
}

/// A running hub, a second server beside it, and a cache of its own.
pub struct Hub {
    state: Arc<State>,
    pub cache: TempDir,
}

impl Hub {
    /// Starts it with a case of the table.
    pub fn start(case: &Value) -> Self {
        let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let urls = [0, 1].map(|at: usize| format!("http://{}", listeners[at].local_addr().unwrap()));
        let state = Arc::new(State {
            case: case.clone(),
            bodies: bodies::all(&crate::table()),
            honest: AtomicBool::new(false),
            gets: AtomicUsize::new(0),
            seen: Mutex::default(),
            urls,
        });
        for (elsewhere, listener) in [false, true].into_iter().zip(listeners) {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    // A client that hangs up is part of the test.
                    thread::spawn(move || state.answer(stream, elsewhere));
                }
            });
        }
        Self { state, cache: TempDir::new() }
    }

    /// A hub that behaves, with what it says of the file.
    pub fn honest(known: Value) -> Self {
        Self::start(&json!({ "known": known, "gets": ["honest"] }))
    }

    /// From now on the hub tells the truth.
    pub fn become_honest(&self) {
        self.state.honest.store(true, Ordering::SeqCst);
    }

    /// `inshore pull`, not started yet.
    pub fn command(&self) -> Command {
        let mut command = inshore(&["pull", MODEL]);
        command.env("HF_ENDPOINT", &self.state.urls[0]).env("INSHORE_CACHE", self.cache.path());
        command.env("HF_TOKEN", "secret");
        command
    }

    /// The hub's address.
    pub fn url(&self) -> &str {
        &self.state.urls[0]
    }

    /// Runs `inshore pull`.
    pub fn pull(&self) -> Output {
        self.command().output().expect("the binary starts")
    }

    /// Where the finished model is.
    pub fn place(&self) -> std::path::PathBuf {
        self.cache.path().join("models/hf/owner/repo/main/model.gguf")
    }

    /// A file beside the model.
    pub fn beside(&self, ending: &str) -> std::path::PathBuf {
        self.place().with_file_name(format!("model.gguf{ending}"))
    }

    /// The model that an honest hub has.
    pub fn file(&self) -> &[u8] {
        &self.state.bodies["file"]
    }

    /// A body by name.
    pub fn body(&self, name: &str) -> &[u8] {
        &self.state.bodies[name]
    }

    /// GET requests so far.
    pub fn gets(&self) -> usize {
        self.state.gets.load(Ordering::SeqCst)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// First bytes of the ranges that were asked for.
    pub fn range_starts(&self) -> Vec<usize> {
        let range = |seen: &Seen| seen.headers.get("range").map(|text| range_start(text));
        self.seen().iter().filter_map(range).collect()
    }

    /// Checks that `output` is a success and the model is `expected`, with nothing left of the download.
    pub fn check_stored(&self, output: &Output, expected: &[u8]) -> Result<(), String> {
        let said = text(&output.stderr);
        if !output.status.success() {
            return Err(format!("it failed: {said}"));
        }
        if std::fs::read(self.place()).ok().as_deref() != Some(expected) {
            return Err(format!("the wrong bytes are stored: {said}"));
        }
        let names = self.names();
        let left: Vec<_> = names.iter().filter(|name| name.contains(".part") || name.contains(".new")).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
    }

    /// Checks that nothing counts as stored, and that the bytes kept for later, if any, are of a file that was served.
    pub fn check_nothing_false(&self) -> Result<(), String> {
        for path in [self.place(), self.beside(".stamp")] {
            if path.exists() {
                return Err(format!("{} is there", path.display()));
            }
        }
        let Ok(kept) = std::fs::read(self.beside(".part")) else { return Ok(()) };
        let is_prefix = self.state.bodies.values().any(|body| body.starts_with(b"GGUF") && body.starts_with(&kept));
        if is_prefix { Ok(()) } else { Err(format!("{} kept bytes are of no file", kept.len())) }
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.place().parent().unwrap()).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream, elsewhere: bool) {
        let Some(seen) = read_request(&stream, elsewhere) else { return };
        self.seen.lock().unwrap().push(seen.clone());
        let step = self.step(&seen);
        let reply = Reply::of(&step, &seen, &self.bodies, &self.urls);
        let _ = reply.send(&mut stream);
    }

    /// What the script says about this request.
    fn step(&self, seen: &Seen) -> Value {
        let honest = self.honest.load(Ordering::SeqCst);
        match seen.path.as_str() {
            _ if seen.elsewhere => json!({ "honest": true }),
            "/storage" => json!({ "honest": true }),
            "/login" => json!({ "body": "html" }),
            "/loop" => json!({ "status": 302, "body": "empty", "headers": { "location": "/loop" } }),
            PATH if seen.method == "HEAD" => self.hub_step(honest),
            PATH => {
                let number = self.gets.fetch_add(1, Ordering::SeqCst);
                let steps = self.case["gets"].as_array().expect("the case has `gets`");
                if honest { json!({ "honest": true }) } else { steps[number.min(steps.len() - 1)].clone() }
            }
            _ => json!({ "status": 404, "body": "text" }),
        }
    }

    /// The hub's answer to HEAD, with what the case says it knows.
    fn hub_step(&self, honest: bool) -> Value {
        let known = match &self.case["known"] {
            Value::Null => json!({}),
            Value::String(what) if what == "size" => json!({ "of": "file", "hash": false }),
            Value::String(_) => json!({ "of": "file" }),
            known => known.clone(),
        };
        let mut step = if honest || self.case["hub"].is_null() { json!({}) } else { self.case["hub"].clone() };
        if let Some(name) = known["of"].as_str() {
            let body = &self.bodies[if honest { "file" } else { name }];
            let size = known["size"].as_u64().filter(|_| !honest).unwrap_or(body.len() as u64);
            step["headers"]["x-linked-size"] = size.to_string().into();
            if known["hash"] != false {
                step["headers"]["x-linked-etag"] = format!("\"{}\"", bodies::sha256(body)).into();
            }
        }
        step["body"] = "empty".into();
        step
    }
}

fn read_request(stream: &TcpStream, elsewhere: bool) -> Option<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Seen { method, path, headers, elsewhere })
}
