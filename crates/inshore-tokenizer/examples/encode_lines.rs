//! Encodes lines, for comparison with another tokenizer: `encode_lines MODEL.gguf < LINES > IDS`.
//!
//! Each input line is a JSON object `{"text": "...", "parse_special": true}`, each output line the array of its ids.
//! Reports load time and memory on standard error.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufWriter, Write, stdin, stdout};
use std::time::Instant;

use inshore_gguf::testing::block_on;
use inshore_gguf::{FileSource, Gguf};
use inshore_tokenizer::{EncodeOptions, Tokenizer};

#[derive(serde::Deserialize)]
struct Line {
    text: String,
    parse_special: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: encode_lines MODEL.gguf < LINES > IDS")?;
    let gguf = block_on(Gguf::read(&FileSource::new(File::open(path)?)?))?;
    let (before, started) = (resident_kib(), Instant::now());
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata)?;
    eprintln!(
        "tokenizer built in {:.0} ms, +{:.1} MiB resident",
        started.elapsed().as_secs_f64() * 1e3,
        (resident_kib() - before) / 1024.0
    );
    let mut out = BufWriter::new(stdout().lock());
    let (mut bytes, started) = (0, Instant::now());
    for line in stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        bytes += line.text.len();
        let options = EncodeOptions { parse_special: line.parse_special, add_special: false };
        serde_json::to_writer(&mut out, &tokenizer.encode(&line.text, options)?)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{bytes} bytes in {:.0} ms, +{:.1} MiB resident", seconds * 1e3, (resident_kib() - before) / 1024.0);
    Ok(())
}

/// Resident memory of this process where `/proc` tells it, otherwise 0.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0.0)
}
