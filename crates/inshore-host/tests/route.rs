//! `inshore route replay` on a trace of Chromium's: a request that could not wait for the stored model, and the next one.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{TempDir, refusal, run, text};

/// As `inshore.trace()` gave it.
fn trace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/loading.jsonl")
}

/// Runs it on `trace`; gives the exit code and what it prints.
fn replay(trace: &Path, options: &[&str]) -> (Option<i32>, String) {
    let mut arguments = vec!["route", "replay", trace.to_str().expect("a UTF-8 path")];
    arguments.extend(options);
    let output = run(&arguments);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    (output.status.code(), text(&output.stdout))
}

/// What a trace with these lines in place of the recorded one is refused with.
fn refused(lines: &str, options: &[&str]) -> String {
    let folder = TempDir::new();
    let path = folder.path().join("broken.jsonl");
    std::fs::write(&path, lines).expect("a temporary folder can be written");
    let mut arguments = vec!["route", "replay", path.to_str().expect("a UTF-8 path")];
    arguments.extend(options);
    refusal(&arguments)
}

#[test]
fn the_timeline_tells_what_was_decided_and_why() {
    let (code, told) = replay(&trace(), &["--check"]);
    assert_eq!(code, Some(0), "{told}");
    let decided: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("→ ")).collect();
    assert_eq!(
        decided,
        [
            "leg 1 in_cloud, fresh: predicted_ttft_too_long (predicted TTFT 2685 ms here, 39.6 tok/s here, TTFT 0 ms there)",
            "load flex x2 | b179c9523d0e6a0f in the background: predicted_ttft_too_long",
            "done",
            "leg 1 on_device, fresh: meets_slo (predicted TTFT 474 ms here, 39.6 tok/s here, TTFT 176 ms there)",
            "done",
        ],
        "{told}"
    );
    assert!(told.contains("flex x2 | b179c9523d0e6a0f is loaded"), "{told}");
    assert!(told.contains("leg 1: 4 tokens until"), "tokens in a row are one line: {told}");
    assert!(told.ends_with("13 events, decided as recorded\n"), "{told}");
}

#[test]
fn another_constant_decides_otherwise_and_check_fails() {
    // An endpoint that is expected to be slower than loading: the first request stays and waits.
    let (code, told) = replay(&trace(), &["--check", "--set", "default_cloud_ttft_ms=5000"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("→ leg 1 on_device, fresh: preferred_on_device"), "{told}");
    assert!(told.contains("! line 2: recorded was leg 1 in_cloud, fresh: predicted_ttft_too_long"), "{told}");
    assert!(told.contains("decided otherwise than recorded (marked !)"), "{told}");
    let (code, unchecked) = replay(&trace(), &["--set", "default_cloud_ttft_ms=5000"]);
    assert_eq!((code, unchecked), (Some(0), told), "only --check makes it a failure");
}

#[test]
fn json_has_a_line_for_each_event() {
    let (code, told) = replay(&trace(), &["--json"]);
    assert_eq!(code, Some(0));
    let steps: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(steps.len(), 13);
    assert_eq!(steps[0]["orders"][1]["type"], "load");
    assert_eq!(steps[7]["orders"][0]["source"], "on_device");
    assert!(steps.iter().all(|step| step.get("recorded").is_none()), "nothing differs: {told}");
}

#[test]
fn a_broken_trace_is_an_error_that_names_the_line() {
    let whole = std::fs::read_to_string(trace()).expect("the recorded trace");
    let unknown = whole.replacen("\"type\":\"tokens\"", "\"type\":\"party\"", 1);
    for (lines, word) in [
        ("", "the trace is empty"),
        ("{\"now_ms\": 0}\n", "line 1 is not the configuration"),
        (&whole[..whole.len() - 9], "line 14 is not"),
        (unknown.as_str(), "line 3 is not"),
    ] {
        let said = refused(lines, &[]);
        assert!(said.starts_with("error: ") && said.contains("is not a trace of the routing policy"), "{said}");
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let whole = std::fs::read_to_string(trace()).expect("the recorded trace");
    for (setting, word) in [
        ("stall_ms", "KEY=NUMBER"),
        ("stal_ms=1", "`stal_ms=1` does not fit the policy"),
        ("hedge_share=2", "hedge_share is 2, but must lie between 0 and 1"),
    ] {
        let said = refused(&whole, &["--set", setting]);
        assert!(said.contains(word), "{setting}: {said}");
    }
    let said = refusal(&["route", "replay", "/nonexistent/trace.jsonl"]);
    assert!(said.contains("could not read /nonexistent/trace.jsonl"), "{said}");
}
