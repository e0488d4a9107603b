//! Perplexity of the default model on a fixed text, against an independent f32 implementation: `tests/golden/perplexity.py`.
//!
//! Needs `INSHORE_TEST_MODEL`, the path of the default model (`cargo xtask test` sets it).

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use inshore_gguf::FileSource;
use inshore_model::{Engine, KvFormat, LoadOptions, OpenDevice};
use inshore_tokenizer::EncodeOptions;
use serde::Deserialize;

/// How far the perplexity may be from the reference's, as a share of it.
const TOLERANCE: f64 = 0.005;

#[derive(Deserialize)]
struct Golden {
    perplexity: f64,
    ids: Vec<u32>,
    logprobs: Vec<f64>,
}

fn golden_text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    std::fs::read_to_string(path).expect("a golden file")
}

/// `most`: the largest difference of one token's log-probability.
fn is_near_the_reference(options: LoadOptions, most: f64) {
    let path = std::env::var_os("INSHORE_TEST_MODEL")
        .expect("set INSHORE_TEST_MODEL to the default model's file, or run `cargo xtask test rust`, which does");
    let golden: Golden = serde_json::from_str(&golden_text("perplexity.json")).expect("golden JSON");
    let source = FileSource::new(File::open(path).expect("the test model")).expect("its length");
    let (exact, kept) = (options.exact, options.kv_format().name());
    let mut engine = pollster::block_on(Engine::load(&source, OpenDevice::cpu(), options, |_| {})).expect("it loads");
    let options = EncodeOptions { parse_special: false, add_special: false };
    let ids = engine.tokenizer().encode(&golden_text("perplexity.txt"), options).expect("tokens");
    assert!(ids.len() > 2000 && ids == golden.ids, "the tokens are the reference's");

    let began = Instant::now();
    let logprobs = pollster::block_on(engine.score(&ids)).expect("a score");
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(logprobs.len(), golden.logprobs.len());
    let mean = logprobs.iter().map(|&logprob| f64::from(logprob)).sum::<f64>() / logprobs.len() as f64;
    let perplexity = (-mean).exp();
    let off = |(got, golden): (&f32, &f64)| (f64::from(*got) - golden).abs();
    let worst = logprobs.iter().zip(&golden.logprobs).map(off).fold(0.0, f64::max);
    let share = perplexity / golden.perplexity - 1.0;
    println!(
        "exact {exact}, keys and values in {kept}: perplexity {perplexity:.5}, the reference's {:.5} ({:+.4} %); a token is off by {worst:.4} at most; {seconds:.1} s",
        golden.perplexity,
        share * 100.0
    );
    assert!(share.abs() <= TOLERANCE, "the perplexity is {perplexity}, the reference's {}", golden.perplexity);
    assert!(worst <= most, "a token's log-probability is off by {worst}");
}

#[test]
fn the_cpu_has_the_perplexity_of_the_reference() {
    is_near_the_reference(LoadOptions::default(), 0.5);
}

#[test]
fn so_has_the_cpu_with_keys_and_values_in_8_bits() {
    is_near_the_reference(LoadOptions { kv_format: Some(KvFormat::Q8_0), ..LoadOptions::default() }, 0.5);
}

#[test]
fn the_exact_cpu_has_the_perplexity_of_the_reference() {
    is_near_the_reference(LoadOptions { exact: true, ..LoadOptions::default() }, 0.02);
}
