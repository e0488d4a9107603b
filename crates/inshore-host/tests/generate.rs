//! `inshore generate`, `chat`, `devices` and `inspect`, on tiny models.

mod support;

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use inshore_gguf::GgmlType;
use inshore_model::testing::TinyModel;
use serde_json::Value;
use support::{ENDLESS, TempDir, endless_model, generate, inshore, refusal, run, text, tiny_model, wait};

#[test]
fn one_json_object_tells_everything() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let arguments = ["--prompt", "hello", "--raw", "--max-tokens", "6", "--seed", "3", "--logprobs", "4"];
    let report = generate(&model, &arguments);
    let ids = report["ids"].as_array().unwrap();
    assert!((1..=6).contains(&ids.len()));
    let top = report["top_logprobs"].as_array().unwrap();
    assert_eq!(top.len(), ids.len());
    for candidates in top {
        let logprobs: Vec<f64> =
            candidates.as_array().unwrap().iter().map(|c| c["logprob"].as_f64().unwrap()).collect();
        assert_eq!(logprobs.len(), 4);
        assert!(logprobs.is_sorted_by(|a, b| a >= b) && logprobs[0] <= 0.0, "{logprobs:?}");
        assert!(candidates[0]["id"].is_u64() && candidates[0]["token"].is_string());
    }
    assert_eq!(report["prompt_ids"], serde_json::json!("hello".bytes().collect::<Vec<u8>>()));
    for field in ["load_ms", "ttft_ms", "prefill_tps"] {
        assert!(report[field].as_f64().unwrap() > 0.0, "{field}");
    }
    assert!(report["decode_tps"].is_number());
    assert_eq!(report["backend"], "flex");
    assert_eq!(report["model"], "tiny-1");
    assert_eq!(report["seed"], 3);
    assert!(report["device"].as_str().unwrap().contains("CPU"));
    if cfg!(target_os = "linux") {
        assert!(report["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    }
}

#[test]
fn the_same_seed_gives_the_same_text_on_any_number_of_threads() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 2);
    let answer = |seed: &str, threads: &str| {
        let arguments =
            ["--prompt", "x", "--temperature", "1", "--max-tokens", "40", "--seed", seed, "--threads", threads];
        generate(&model, &arguments)["ids"].clone()
    };
    let first = answer("5", "1");
    assert_eq!(first, answer("5", "1"));
    assert_eq!(first, answer("5", "2"));
    assert_ne!(first, answer("6", "1"));
}

#[test]
fn prompts_come_as_text_file_ids_or_standard_input() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("ids"), "104 105\n33\n").unwrap();
    std::fs::write(path("text"), "hi!").unwrap();
    let common = ["--temperature", "0", "--max-tokens", "5", "--raw"];
    let with = |extra: [&str; 2]| generate(&model, &[extra.as_slice(), &common].concat());
    let by_text = with(["--prompt", "hi!"]);
    assert_eq!(by_text["prompt_ids"], serde_json::json!([104, 105, 33]));
    assert_eq!(with(["--prompt-file", &path("text")])["ids"], by_text["ids"]);
    assert_eq!(with(["--prompt-ids", &path("ids")])["ids"], by_text["ids"]);

    let arguments = ["generate", "--json", "--device", "cpu", "--model", model.to_str().unwrap()];
    let mut child = inshore(&[arguments.as_slice(), &common].concat()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hi!").unwrap();
    let report: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(report["ids"], by_text["ids"]);
}

#[test]
fn a_chat_prompt_goes_through_the_template_and_raw_does_not() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let chat = generate(&model, &["--prompt", "a", "--system", "b", "--max-tokens", "1"]);
    let ids: Vec<u64> = chat["prompt_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    // Two messages and the opening of the answer; 257 is <|im_start|>, 256 <|im_end|>.
    assert_eq!(ids.iter().filter(|&&id| id == 257).count(), 3);
    assert_eq!(ids.iter().filter(|&&id| id == 256).count(), 2);
}

#[test]
fn text_is_streamed_and_timings_go_to_stderr() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let common =
        ["--model", model.to_str().unwrap(), "--device", "cpu", "--prompt", "q", "--seed", "1", "--max-tokens", "8"];
    let output = run(&[["generate"].as_slice(), &common].concat());
    assert!(output.status.success());
    let report = generate(&model, &common[4..]);
    assert_eq!(text(&output.stdout), report["text"].as_str().unwrap().to_owned() + "\n");
    assert!(text(&output.stderr).contains("TTFT") && text(&output.stderr).contains("tok/s"));
}

#[test]
fn a_stop_text_ends_the_answer_before_it() {
    let folder = TempDir::new();
    let model = endless_model(&folder);
    let common = ["--prompt", "hello", "--raw", "--temperature", "0", "--max-tokens", "60"];
    let whole = generate(&model, &common)["text"].as_str().unwrap().to_owned();
    let stop: String = whole.chars().skip(10).take(3).collect();
    let cut = generate(&model, &[common.as_slice(), &["--stop", &stop]].concat());
    assert_eq!(cut["finish_reason"], "stop");
    assert_eq!(cut["text"], whole[..whole.find(&stop).unwrap()]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_answer_within_a_token_and_prints_what_there_is() {
    let folder = TempDir::new();
    let model = endless_model(&folder);
    let arguments = ["generate", "--device", "cpu", "--prompt", "hello", "--raw", "--temperature", "0", "--model"];
    let arguments = [arguments.as_slice(), &[model.to_str().unwrap()], &ENDLESS].concat();

    // Streaming: the signal comes after the first text.
    let mut child = inshore(&arguments).spawn().unwrap();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    support::signal(&child, "INT");
    let sent = Instant::now();
    let drained = std::thread::spawn({
        let mut stdout = child.stdout.take().unwrap();
        move || std::io::copy(&mut stdout, &mut std::io::sink())
    });
    assert_eq!(wait(&mut child).code(), Some(130));
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
    drained.join().unwrap().unwrap();

    // JSON: one object, cancelled.
    let mut child = inshore(&[arguments.as_slice(), &["--json"]].concat()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    support::signal(&child, "INT");
    // What a fast machine has generated by now is more than a pipe holds.
    let read = std::thread::spawn({
        let stdout = child.stdout.take().unwrap();
        move || serde_json::from_reader::<_, Value>(stdout)
    });
    assert_eq!(wait(&mut child).code(), Some(130));
    let report = read.join().unwrap().unwrap();
    assert_eq!(report["finish_reason"], "cancelled");
    let ids = report["ids"].as_array().unwrap().len();
    assert!((1..49_000).contains(&ids), "{ids}");
}

#[test]
fn refusals_say_what_and_what_to_do() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("no-model.gguf"), "<!doctype html>").unwrap();
    std::fs::write(path("cut.gguf"), &std::fs::read(&model).unwrap()[..20_000]).unwrap();
    std::fs::write(path("ids"), "1 two 3").unwrap();
    std::fs::write(path("outside"), "1 999999").unwrap();
    let model = model.to_str().unwrap();
    let long = "x ".repeat(100);
    let cases: &[(&[&str], &str)] = &[
        (&["--model", &path("absent.gguf"), "--prompt", "a"], "cannot be read"),
        (&["--model", folder.path().to_str().unwrap(), "--prompt", "a"], "is a folder"),
        (&["--model", &path("no-model.gguf"), "--prompt", "a"], "a web page"),
        (&["--model", &path("cut.gguf"), "--prompt", "a"], "cut short"),
        (&["--model", model, "--raw", "--prompt", ""], "empty"),
        (&["--model", model, "--context", "32", "--prompt", &long], "context"),
        (&["--model", model, "--prompt-ids", &path("ids")], "`two`"),
        (&["--model", model, "--prompt-ids", &path("outside")], "999999"),
        (&["--model", model, "--prompt-file", &path("absent")], "cannot be read"),
        (&["--model", model, "--prompt", "a", "--device", "77"], "inshore devices"),
    ];
    for (arguments, expected) in cases {
        let device = if arguments.contains(&"--device") { &[][..] } else { &["--device", "cpu"] };
        let said = refusal(&[&["generate"], device, arguments].concat());
        assert!(said.contains(expected), "{arguments:?} should say `{expected}`: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    let unknown = run(&["generate", "--model", "gpt-17", "--prompt", "a"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("smollm2-135m-instruct"));
}

#[test]
fn chat_takes_a_turn_per_line_and_remembers() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let arguments =
        ["chat", "--device", "cpu", "--temperature", "0", "--max-tokens", "4", "--model", model.to_str().unwrap()];
    let mut child = inshore(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n/reset\none\n/nonsense\n/quit\nthree\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = text(&output.stderr);
    // The tokens of the prompt grow with the history and shrink with /reset.
    let prompts: Vec<usize> = said
        .lines()
        .filter(|line| line.starts_with("[TTFT"))
        .map(|line| line.split(", ").nth(2).unwrap().split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(prompts.len(), 3, "{said}");
    assert!(prompts[1] > prompts[0] && prompts[2] == prompts[0], "{said}");
    assert!(said.contains("/nonsense is not a command"));
}

#[cfg(unix)]
#[test]
fn in_a_chat_ctrl_c_ends_the_answer_and_not_the_program() {
    let folder = TempDir::new();
    let model = endless_model(&folder);
    let arguments = ["chat", "--device", "cpu", "--temperature", "0", "--model", model.to_str().unwrap()];
    let arguments = [arguments.as_slice(), &ENDLESS].concat();
    let mut child = inshore(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hello\n").unwrap();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    support::signal(&child, "INT");
    stdin.write_all(b"/help\n/quit\n").unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let drained = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    assert!(wait(&mut child).success());
    drained.join().unwrap().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("ended by Ctrl-C") && said.contains("/reset"), "{said}");
}

#[test]
fn inspect_shows_the_header_and_refuses_what_is_none() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let output = run(&["inspect", "--json", "--tensors", model.to_str().unwrap()]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["architecture"], "llama");
    assert_eq!(report["tensor_count"], 20);
    assert_eq!(report["tensors"].as_array().unwrap().len(), 20);
    assert_eq!(report["tensors_by_type"]["Q8_0"]["count"], 15);
    assert_eq!(report["file_bytes"], std::fs::metadata(&model).unwrap().len());
    let plain = text(&run(&["inspect", model.to_str().unwrap()]).stdout);
    assert!(plain.contains("architecture  llama") && plain.contains("llama.block_count = 2"), "{plain}");

    let bad = folder.path().join("bad.gguf");
    std::fs::write(&bad, "PK\u{3}\u{4}").unwrap();
    assert!(refusal(&["inspect", bad.to_str().unwrap()]).contains("not a GGUF file"));
}

/// Any file with a sound header is shown, with what is unknown in it and why it would not load.
#[test]
fn inspect_says_why_a_file_would_not_load() {
    let folder = TempDir::new();
    let path = folder.path().join("odd.gguf");
    let model = TinyModel { architecture: "llama", kind: GgmlType::Q8_0, kv_heads: 2, context_tokens: 512, seed: 1 };
    let inspect = |file: Vec<u8>| {
        std::fs::write(&path, file).unwrap();
        let output = run(&["inspect", "--json", "--tensors", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let codes = |report: &Value| {
        let refusals = report["refusals"].as_array().unwrap();
        refusals.iter().map(|refusal| refusal["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sound = model.builder().metadata("llama.colour", inshore_gguf::Value::U32(1));
    let report = inspect(sound.build());
    assert_eq!((codes(&report), &report["unknown_keys"]), (vec![], &serde_json::json!(["llama.colour"])));
    assert!(text(&run(&["inspect", path.to_str().unwrap()]).stdout).contains("llama.colour = 1  (unknown, ignored)"));

    let report = inspect(sound.clone().raw_tensor("odd", 39, &[32], vec![0; 17]).build());
    assert_eq!(codes(&report), ["unsupported_tensor_type"]);
    assert_eq!(report["tensors_by_type"]["MXFP4"]["count"], 1);
    let report = inspect(sound.clone().raw_tensor("odd", 4711, &[32], vec![0; 17]).build());
    assert_eq!(report["tensors_by_type"]["unknown type 4711"]["count"], 1);
    assert_eq!(report["tensors"].as_array().unwrap().last().unwrap()["bytes"], Value::Null);

    let several = sound
        .clone()
        .metadata("llama.logit_scale", inshore_gguf::Value::F32(2.0))
        .metadata("llama.attention.causal", inshore_gguf::Value::Bool(false))
        .tensor("blk.0.attn_q.bias", GgmlType::F32, &[64], &[0.0; 64]);
    let report = inspect(several.build());
    assert_eq!(codes(&report), ["unsupported_metadata", "unsupported_metadata", "unused_tensors"]);
    let whole = sound.build();
    assert_eq!(codes(&inspect(whole[..whole.len() - 99].to_vec())), ["truncated"]);
    assert_eq!(codes(&inspect(sound.metadata("split.count", inshore_gguf::Value::U16(3)).build())), ["split_file"]);
}

#[test]
fn devices_names_the_cpu_and_what_auto_takes() {
    let output = run(&["devices"]);
    assert!(output.status.success());
    let said = text(&output.stdout);
    assert!(said.starts_with("cpu  CPU, ") && said.contains("auto takes: "), "{said}");
    let kernels = said.lines().find_map(|line| line.trim().strip_prefix("kernels: ")).expect("a line about the CPU");
    assert!(["AVX-512 VNNI", "AVX2", "NEON", "portable"].contains(&kernels), "{said}");
    let adapters = said.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())).count();
    for part in ["plan: ", "has: "] {
        assert_eq!(said.matches(&format!("\n     {part}")).count(), adapters, "of each adapter `{part}`: {said}");
    }
}
