//! The real model against golden data; needs `INSHORE_TEST_MODEL`.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{TempDir, generate, golden, real_model};

/// Runs a golden prompt by its ids, greedily.
fn answer(model: &Path, prompt: &str, extra: &[&str]) -> Value {
    let folder = TempDir::new();
    let path = folder.path().join("ids");
    let ids = golden("prompts.json")["prompts"][prompt]["ids"].clone();
    let ids: Vec<String> = ids.as_array().unwrap().iter().map(Value::to_string).collect();
    std::fs::write(&path, ids.join(" ")).unwrap();
    let arguments =
        ["--temperature", "0", "--max-tokens", "64", "--logprobs", "5", "--prompt-ids", path.to_str().unwrap()];
    generate(model, &[arguments.as_slice(), extra].concat())
}

#[test]
fn greedy_ids_and_log_probabilities_are_those_of_the_reference() {
    let Some(model) = real_model() else { return };
    let reference = golden("reference.json")["numpy_f32_dequantised"].clone();
    // As far as the margins are clear.
    for (prompt, tokens) in [("raw", 19), ("p64", 62)] {
        let expected = &reference[prompt];
        let report = answer(&model, prompt, &[]);
        let ids = &report["ids"].as_array().unwrap()[..tokens];
        assert_eq!(ids, &expected["greedy"]["ids"].as_array().unwrap()[..tokens], "{prompt}");
        let logsumexp = expected["logsumexp"].as_f64().unwrap();
        // Activations are rounded: neighbours may change places.
        let top = report["top_logprobs"][0].as_array().unwrap();
        for wanted in expected["top5"].as_array().unwrap() {
            let found = top.iter().find(|found| found["id"] == wanted["id"]).expect("one of the five");
            let difference = found["logprob"].as_f64().unwrap() - (wanted["logit"].as_f64().unwrap() - logsumexp);
            assert!(difference.abs() < 0.3, "{prompt}: {found} is not {wanted}");
        }
    }
}

#[test]
fn the_chat_template_makes_the_golden_prompt() {
    let Some(model) = real_model() else { return };
    let prompt = golden("prompts.json")["prompts"]["p64"].clone();
    let report = generate(&model, &["--max-tokens", "1", "--prompt", prompt["user"].as_str().unwrap()]);
    assert_eq!(report["prompt_ids"], prompt["ids"]);
}

#[test]
fn memory_stays_near_the_size_of_the_file() {
    let Some(model) = real_model() else { return };
    let file_bytes = std::fs::metadata(&model).unwrap().len() as f64;
    let report = answer(&model, "p64", &[]);
    let Some(peak_bytes) = report["peak_rss_bytes"].as_f64() else { return };
    assert!(peak_bytes <= file_bytes * 1.5 + 150e6, "{peak_bytes} bytes");
}

#[test]
fn the_same_seed_gives_the_same_text() {
    let Some(model) = real_model() else { return };
    let arguments = ["--prompt", "Tell me a story.", "--temperature", "0.8", "--max-tokens", "24", "--seed"];
    let text = |seed: &str| generate(&model, &[arguments.as_slice(), &[seed]].concat())["text"].clone();
    assert_eq!(text("11"), text("11"));
}
