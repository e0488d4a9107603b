//! From a step of a script to the bytes of an answer.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::hub::Seen;

/// Bytes sent at a time by a slow server.
const PIECE: usize = 50_000;

type Bodies = HashMap<String, Vec<u8>>;

/// The bytes of an answer, and how they are sent.
pub struct Reply {
    head: String,
    body: Vec<u8>,
    pause: Duration,
}

impl Reply {
    /// What `step` says, in answer to `seen`.
    pub fn of(step: &Value, seen: &Seen, bodies: &Bodies, urls: &[String; 2]) -> Self {
        let is_honest = step == "honest" || step["honest"] == true;
        let (status, mut headers, mut body) =
            if is_honest { honest(step, seen, bodies) } else { scripted(step, seen, bodies, urls) };
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

    /// Sends it and hangs up.
    pub fn send(self, stream: &mut TcpStream) -> std::io::Result<()> {
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
fn honest(step: &Value, seen: &Seen, bodies: &Bodies) -> (u16, Headers, Vec<u8>) {
    let version = step["version"].as_str().unwrap_or("file");
    let body = &bodies[version];
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
fn scripted(step: &Value, seen: &Seen, bodies: &Bodies, urls: &[String; 2]) -> (u16, Headers, Vec<u8>) {
    let start = seen.headers.get("range").map_or(0, |range| range_start(range));
    let file = &bodies["file"];
    let mut body = match step["body"].as_str().unwrap_or("empty") {
        "rest" => file[start..].to_vec(),
        "other_rest" => bodies["other"][start..].to_vec(),
        "multipart" => multipart(file, start),
        name => bodies[name].clone(),
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
        body = crate::bodies::gzip(&body);
    }
    let numbers = [("start", start), ("total", file.len()), ("size", body.len())];
    let fill = |text: &str| fill(text, &numbers, urls);
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

/// First byte that a `Range` header asks for.
pub fn range_start(range: &str) -> usize {
    range.trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap()
}
