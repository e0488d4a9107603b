//! Outputs that are full or closed, and inputs that are not text.
#![cfg(unix)]

mod support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use support::{TempDir, generate, inshore, refusal, run, text, tiny_model};

/// Every command that prints, with arguments that work.
fn commands(model: &Path) -> Vec<Vec<String>> {
    let model = model.to_str().expect("a UTF-8 path");
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/loading.jsonl");
    let trace = trace.to_str().expect("a UTF-8 path");
    let answer = ["--device", "cpu", "--model", model, "--prompt", "hello", "--max-tokens", "4", "--seed", "1"];
    let lines: [&[&str]; 11] = [
        &[&["generate"][..], &answer].concat(),
        &[&["generate", "--json"][..], &answer].concat(),
        &["devices"],
        &["inspect", model],
        &["inspect", "--json", "--tensors", model],
        &["pull", model],
        &["route", "replay", trace],
        &["route", "replay", "--json", trace],
        &["--help"],
        &["--version"],
        &["generate", "--help"],
    ];
    lines.iter().map(|line| line.iter().map(|&part| part.to_owned()).collect()).collect()
}

fn run_into(arguments: &[String], stdout: Stdio, stderr: Stdio) -> Output {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    inshore(&arguments).stdout(stdout).stderr(stderr).output().expect("the binary starts")
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("Linux has /dev/full").into()
}

/// The writing end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_an_error_of_every_command() {
    let folder = TempDir::new();
    for arguments in commands(&tiny_model(&folder, 1)) {
        let output = run_into(&arguments, full(), Stdio::piped());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output cannot be written"), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
    // The chat and the server end too, instead of going on unheard.
    let model = tiny_model(&folder, 1);
    let model = model.to_str().unwrap();
    let mut chat = inshore(&["chat", "--device", "cpu", "--max-tokens", "4", "--model", model]);
    let mut chat = chat.stdin(Stdio::piped()).stdout(full()).spawn().expect("the binary starts");
    chat.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let output = chat.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let serve = ["serve", "--port", "0", "--device", "cpu", "--model", model].map(str::to_owned);
    assert_eq!(run_into(&serve, full(), Stdio::piped()).status.code(), Some(1));
}

#[test]
fn a_closed_pipe_ends_every_command_quietly() {
    let folder = TempDir::new();
    for arguments in commands(&tiny_model(&folder, 1)) {
        let output = run_into(&arguments, closed(), Stdio::piped());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("error"), "{arguments:?}: {said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn remarks_that_cannot_be_written_change_no_result() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    for arguments in commands(&model) {
        let expected = run_into(&arguments, Stdio::piped(), Stdio::piped());
        for stderr in [full(), closed()] {
            let output = run_into(&arguments, Stdio::piped(), stderr);
            assert_eq!(output.status.code(), Some(0), "{arguments:?}");
            // JSON has times, which differ.
            if !arguments.contains(&"--json".to_owned()) {
                assert_eq!(text(&output.stdout), text(&expected.stdout), "{arguments:?}");
            }
        }
    }
    // Neither do errors and log lines.
    let fails = ["generate", "--model", "/nonexistent", "--prompt", "a"].map(str::to_owned);
    assert_eq!(run_into(&fails, Stdio::piped(), full()).status.code(), Some(1));
    let unknown = ["generate", "--frobnicate"].map(str::to_owned);
    assert_eq!(run_into(&unknown, Stdio::piped(), full()).status.code(), Some(2));
    let mut logged = inshore(&["inspect", model.to_str().unwrap()]);
    let logged = logged.env("RUST_LOG", "trace").stderr(full()).output().expect("the binary starts");
    assert_eq!(logged.status.code(), Some(0));
}

#[test]
fn a_chat_goes_on_after_lines_that_are_no_text() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let arguments = ["chat", "--device", "cpu", "--temperature", "0", "--max-tokens", "2", "--model"];
    let mut child = inshore(&[arguments.as_slice(), &[model.to_str().unwrap()]].concat());
    let mut child = child.stdin(Stdio::piped()).spawn().expect("the binary starts");
    let lines = b"\xef\xbb\xbfone\ncaf\xe9\n\xff\xfeh\0i\0\n\xed\xa0\xbd\ntwo\n\0\nthree";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for number in [2, 3, 4] {
        assert!(said.contains(&format!("line {number} is not UTF-8 text")), "{number}: {said}");
    }
    assert_eq!(said.matches("[TTFT").count(), 4, "one, two, the null character and three are answered: {said}");
}

#[test]
fn prompt_files_that_are_no_text_say_what_they_are() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let model = model.to_str().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let folder_path = folder.path().to_str().unwrap().to_owned();
    for (path, part) in [
        (write("empty", b""), "is empty"),
        (write("only-a-mark", b"\xef\xbb\xbf"), "is empty"),
        (write("latin1", b"caf\xe9"), "byte 3 is 0xe9"),
        (write("utf16", b"\xff\xfeh\0i\0"), "UTF-16"),
        (write("surrogate", b"\xed\xa0\xbd"), "not UTF-8 text"),
        (folder_path, "is a folder"),
        ("/dev/zero".to_owned(), "larger than"),
        ("/nonexistent".to_owned(), "cannot be read"),
    ] {
        for option in ["--prompt-file", "--prompt-ids"] {
            let said = refusal(&["generate", "--device", "cpu", "--model", model, option, &path]);
            assert!(said.contains(part) && !said.contains("panicked"), "{option} {path}: {said}");
        }
    }
    let common = ["--raw", "--max-tokens", "1"];
    let with = |path: &str| generate(Path::new(model), &[&["--prompt-file", path][..], &common].concat());
    let plain = with(&write("plain", b"hi\n"))["prompt_ids"].clone();
    assert_eq!(plain, serde_json::json!([104, 105, 10]), "the line break at the end is part of the prompt");
    assert_eq!(with(&write("marked", b"\xef\xbb\xbfhi\n"))["prompt_ids"], plain);

    let mut child = inshore(
        &[&["generate", "--json", "--device", "cpu", "--model", model, "--prompt-file", "-"][..], &common].concat(),
    );
    let mut child = child.stdin(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().unwrap().write_all(b"hi\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["prompt_ids"], plain);
}

#[test]
fn standard_input_that_is_no_text_is_refused() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    for (bytes, part) in [(&b"caf\xe9"[..], "standard input is not UTF-8 text"), (b"", "standard input is empty")] {
        let mut child = inshore(&["generate", "--device", "cpu", "--model", model.to_str().unwrap()]);
        let mut child = child.stdin(Stdio::piped()).spawn().expect("the binary starts");
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}

#[test]
fn more_threads_than_cores_are_capped_with_a_remark() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let common =
        ["--device", "cpu", "--model", model.to_str().unwrap(), "--prompt", "a", "--max-tokens", "1", "--json"];
    let cores = std::thread::available_parallelism().expect("a number of cores").get();
    for threads in ["1024", "65535"] {
        let output = run(&[&["generate", "--threads", threads][..], &common].concat());
        assert!(output.status.success());
        let said = text(&output.stderr);
        assert!(said.contains(&format!("--threads {threads}")) && said.contains(&format!("using {cores}")), "{said}");
        assert!(text(&output.stdout).contains(&format!("CPU, {cores} thread(s)")), "{}", text(&output.stdout));
    }
    let output = run(&[&["generate", "--threads", "1"][..], &common].concat());
    assert!(!text(&output.stderr).contains("--threads"), "{}", text(&output.stderr));
}
