//! A model hub on this machine that does exactly what a script says, over plain sockets: an HTTP library would refuse to
//! lie.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bodies;
use crate::support::{TempDir, inshore, text};

/// The model that the tests ask for.
pub const MODEL: &str = "hf:owner/repo/model.gguf";
const PATH: &str = "/owner/repo/resolve/main/model.gguf";
/// Bytes sent at a time by a slow server.
const PIECE: usize = 50_000;

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

fn range_start(range: &str) -> usize {
    range.trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap()
}

impl State {
    fn answer(&self, mut stream: TcpStream, elsewhere: bool) {
        let Some(seen) = read_request(&stream, elsewhere) else { return };
        self.seen.lock().unwrap().push(seen.clone());
        let step = self.step(&seen);
        let reply = Reply::of(&step, &seen, self);
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

/// The bytes of an answer, and how they are sent.
struct Reply {
    head: String,
    body: Vec<u8>,
    pause: Duration,
}

impl Reply {
    fn of(step: &Value, seen: &Seen, state: &State) -> Self {
        let is_honest = step == "honest" || step["honest"] == true;
        let (status, mut headers, mut body) =
            if is_honest { honest(step, seen, state) } else { scripted(step, seen, state) };
        let cut = step["cut"].as_u64().map_or(usize::MAX, |cut| cut as usize);
        let is_head = seen.method == "HEAD";
        if let Some(raw) = step["raw"].as_str() {
            return Self { head: raw.to_owned(), body: Vec::new(), pause: Duration::ZERO };
        }
        if step["drop"] == true {
            return Self { head: String::new(), body: Vec::new(), pause: Duration::ZERO };
        }
        match if step["chunked"] == true { "chunked" } else { step["length"].as_str().unwrap_or("true") } {
            "none" => {}
            "chunked" => headers.push(("transfer-encoding".into(), "chunked".into())),
            _ => headers.push(("content-length".into(), body.len().to_string())),
        }
        let is_chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        let is_whole = cut >= body.len();
        body.truncate(if is_head { 0 } else { cut });
        if is_chunked && !is_head {
            body = chunked(&body, is_whole);
        }
        let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        let pause = Duration::from_millis(step["pause_ms"].as_u64().unwrap_or(0));
        Self { head, body, pause }
    }

    fn send(self, stream: &mut TcpStream) -> std::io::Result<()> {
        let Self { head, body, pause } = self;
        stream.write_all(head.as_bytes())?;
        for piece in body.chunks(PIECE) {
            stream.write_all(piece)?;
            thread::sleep(pause);
        }
        stream.flush()?;
        stream.shutdown(std::net::Shutdown::Write)
    }
}

type Headers = Vec<(String, String)>;

/// As a server should: ranges, conditions, validators.
fn honest(step: &Value, seen: &Seen, state: &State) -> (u16, Headers, Vec<u8>) {
    let version = step["version"].as_str().unwrap_or("file");
    let body = &state.bodies[version];
    let etag = match &step["etag"] {
        Value::Bool(false) => None,
        Value::String(etag) => Some(etag.clone()),
        _ => Some(if version == "other" { "\"v2\"" } else { "\"v1\"" }.to_owned()),
    };
    let modified = step["modified"].as_str().map(str::to_owned);
    let condition = seen.headers.get("if-range");
    let is_current = condition.is_none() || condition == etag.as_ref() || condition == modified.as_ref();
    let mut headers = Headers::new();
    headers.extend(etag.map(|etag| ("etag".to_owned(), etag)));
    headers.extend(modified.map(|date| ("last-modified".to_owned(), date)));
    let range = seen.headers.get("range").filter(|_| step["ranges"] != false && is_current);
    let Some(start) = range.map(|range| range_start(range)) else { return (200, headers, body.clone()) };
    if start >= body.len() {
        headers.push(("content-range".into(), format!("bytes */{}", body.len())));
        return (416, headers, Vec::new());
    }
    headers.push(("content-range".into(), format!("bytes {start}-{}/{}", body.len() - 1, body.len())));
    (206, headers, body[start..].to_vec())
}

/// As the step says.
fn scripted(step: &Value, seen: &Seen, state: &State) -> (u16, Headers, Vec<u8>) {
    let start = seen.headers.get("range").map_or(0, |range| range_start(range));
    let file = &state.bodies["file"];
    let mut body = match step["body"].as_str().unwrap_or("empty") {
        "rest" => file[start..].to_vec(),
        "other_rest" => state.bodies["other"][start..].to_vec(),
        "multipart" => multipart(file, start),
        name => state.bodies[name].clone(),
    };
    body = body.repeat(step["repeat"].as_u64().unwrap_or(1) as usize);
    match &step["pad"] {
        Value::String(_) => body.resize(file.len(), b' '),
        pad => body.resize(body.len() + pad.as_u64().unwrap_or(0) as usize, b' '),
    }
    let from = step["from"].as_u64().unwrap_or(0) as usize;
    let to = match step["to"].as_i64() {
        Some(to) if to < 0 => body.len() - to.unsigned_abs() as usize,
        to => to.map_or(body.len(), |to| to as usize),
    };
    body = body[from..to].to_vec();
    if step["gzip"] == true {
        body = bodies::gzip(&body);
    }
    let numbers = [("start", start), ("total", file.len()), ("size", body.len())];
    let fill = |text: &str| fill(text, &numbers, &state.urls);
    let headers = step["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), fill(value.as_str().expect("a text")))).collect();
    (step["status"].as_u64().unwrap_or(200) as u16, headers, body)
}

/// Puts numbers for `{start}`, `{total-1}`, … and addresses for `{self}` and `{other}`.
fn fill(text: &str, numbers: &[(&str, usize)], urls: &[String; 2]) -> String {
    let text = text.replace("{self}", &urls[0]).replace("{other}", &urls[1]);
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').expect("a closing brace");
        let cut = name.find(['+', '-']).unwrap_or(name.len());
        let (_, number) = numbers.iter().find(|(known, _)| *known == &name[..cut]).expect("a known name");
        let offset: i64 = if cut == name.len() { 0 } else { name[cut..].parse().expect("a number") };
        out.push_str(before);
        out.push_str(&(*number as i64 + offset).to_string());
        rest = behind;
    }
    out + rest
}

fn multipart(file: &[u8], start: usize) -> Vec<u8> {
    let head = format!("--THIS\r\ncontent-range: bytes {start}-{}/{}\r\n\r\n", file.len() - 1, file.len());
    [head.as_bytes(), &file[start..], b"\r\n--THIS--\r\n"].concat()
}

fn chunked(body: &[u8], ends: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in body.chunks(60_000) {
        out.extend(format!("{:x}\r\n", piece.len()).bytes());
        out.extend(piece);
        out.extend(b"\r\n");
    }
    if ends {
        out.extend(b"0\r\n\r\n");
    }
    out
}
