//! The default model against an independent f32 implementation: `tests/golden/model_np.py`.
//!
//! Needs `INSHORE_TEST_MODEL`, the path of the default model (`cargo xtask test` sets it).

use std::fs::File;
use std::path::Path;

use inshore_gguf::FileSource;
#[cfg(feature = "gpu")]
use inshore_model::{DeviceChoice, GpuPlan, ModelError, PlanChoice};
use inshore_model::{Engine, FinishReason, KvFormat, LoadOptions, OpenDevice, Prompt, Request, Sampling};
use serde_json::Value;

/// Tokens to compare, bounded where the reference's margins are too small for another order of additions.
const PROMPTS: [(&str, usize); 2] = [("raw", 19), ("p64", 62)];

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a golden file")).expect("golden JSON")
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

/// The test model's file. Without it there is nothing to compare, and a test that compares nothing must not pass.
fn model() -> FileSource {
    let path = std::env::var_os("INSHORE_TEST_MODEL")
        .expect("set INSHORE_TEST_MODEL to the default model's file, or run `cargo xtask test rust`, which does");
    FileSource::new(File::open(path).expect("the test model")).expect("its length")
}

async fn load(device: OpenDevice, options: LoadOptions) -> Engine {
    let options = LoadOptions { context_tokens: Some(512), ..options };
    Engine::load(&model(), device, options, |_| {}).await.expect("the test model loads")
}

/// How near a device must come: the first log-probabilities within `logprob`, and the reference's tokens as long as its
/// margin (top-1 minus top-2 logit) is above `margin`.
struct Nearness {
    logprob: f64,
    margin: f64,
}

/// With f32 activations, keys and values only the order of additions differs.
const EXACT: Nearness = Nearness { logprob: 0.02, margin: 0.0 };
/// Activations rounded, or keys and values.
const ROUNDED: Nearness = Nearness { logprob: 0.3, margin: 0.15 };

async fn is_near_the_reference(device: OpenDevice, options: LoadOptions, nearness: Nearness) {
    let mut engine = load(device, options).await;
    engine_is_near_the_reference(&mut engine, nearness, &PROMPTS).await;
}

async fn engine_is_near_the_reference(engine: &mut Engine, nearness: Nearness, compared: &[(&str, usize)]) {
    let (prompts, reference) = (golden("prompts.json"), golden("reference.json"));
    for &(name, tokens) in compared {
        let expected = &reference["numpy_f32_dequantised"][name];
        let margins = expected["greedy"]["margins"].as_array().expect("margins");
        let unsure = margins.iter().position(|margin| margin.as_f64().expect("a margin") <= nearness.margin);
        let tokens = tokens.min(unsure.unwrap_or(tokens));
        let request = Request {
            sampling: Sampling::greedy(),
            max_tokens: Some(tokens),
            top_logprobs: 5,
            ..Request::new(Prompt::Ids(ids(&prompts["prompts"][name]["ids"])))
        };
        let mut generation = engine.start(request).expect("a request");
        let first = engine.next_token(&mut generation).await.expect("a step").expect("a token");
        let logsumexp = expected["logsumexp"].as_f64().expect("a number");
        for (rank, (golden, &(id, logprob))) in
            expected["top5"].as_array().expect("top 5").iter().zip(&first.top).enumerate()
        {
            let logprob_golden = golden["logit"].as_f64().expect("a logit") - logsumexp;
            if nearness.margin == 0.0 || rank == 0 {
                assert_eq!(u64::from(id), golden["id"].as_u64().expect("an id"), "{name}: id at rank {rank}");
            }
            let difference = (f64::from(logprob) - logprob_golden).abs();
            assert!(difference < nearness.logprob, "{name}: log-probability at rank {rank} is off by {difference}");
        }
        while engine.next_token(&mut generation).await.expect("a step").is_some() {}
        assert_eq!(generation.ids(), &ids(&expected["greedy"]["ids"])[..tokens], "{name}: greedy ids");
        assert_eq!(generation.finish_reason(), Some(FinishReason::Length));
        let timings = generation.timings();
        println!("{name} on {}: {timings:?}", engine.info().device);
    }
}

#[test]
fn the_exact_cpu_equals_the_reference() {
    let exact = LoadOptions { exact: true, ..LoadOptions::default() };
    pollster::block_on(is_near_the_reference(OpenDevice::cpu(), exact, EXACT));
}

#[test]
fn the_cpu_is_near_the_reference() {
    for kv_format in [None, Some(KvFormat::F32), Some(KvFormat::Q8_0)] {
        let options = LoadOptions { kv_format, ..LoadOptions::default() };
        pollster::block_on(is_near_the_reference(OpenDevice::cpu(), options, ROUNDED));
    }
}

#[cfg(feature = "gpu")]
async fn gpu(choice: DeviceChoice) -> OpenDevice {
    OpenDevice::open(choice).await.expect("a GPU; llvmpipe (mesa-vulkan-drivers) will do")
}

/// Keys and values as they were computed.
#[cfg(feature = "gpu")]
fn unrounded() -> LoadOptions {
    LoadOptions { kv_format: Some(KvFormat::F32), ..LoadOptions::default() }
}

/// One test: a GPU is opened once in a process.
#[cfg(feature = "gpu")]
#[test]
fn the_gpu_equals_the_reference_and_is_near_it_with_rounded_keys_and_values() {
    pollster::block_on(async {
        let device = gpu(DeviceChoice::Gpu).await;
        let source = model();
        let options = LoadOptions { kv_format: Some(KvFormat::Q8_0), ..LoadOptions::default() };
        let refused = Engine::load(&source, device.clone(), options.clone(), |_| {}).await;
        assert!(matches!(refused, Err(ModelError::KvFormatOnGpu { format: "q8_0" })));
        // Where the caller left the device open, the wish gives way.
        let mut automatic = device.clone();
        automatic.is_automatic = true;
        let engine = Engine::load(&source, automatic, options, |_| {}).await.expect("it loads with f16");
        assert_eq!((engine.info().kv_format, engine.info().notes.len()), ("f16", 1));
        drop(engine);
        is_near_the_reference(device.clone(), unrounded(), EXACT).await;
        is_near_the_reference(device, LoadOptions::default(), ROUNDED).await;
    });
}

/// No features, 16 KiB of workgroup memory, bindings of 128 MiB.
#[cfg(feature = "gpu")]
#[test]
fn a_gpu_with_the_least_that_webgpu_promises_equals_the_reference() {
    pollster::block_on(async {
        is_near_the_reference(gpu(DeviceChoice::LeastGpu).await, unrounded(), EXACT).await;
    });
}

/// Every tile, each with another way to multiply with one token, so that sums go through workgroup memory and planes in turn;
/// and the context in parts or whole.
#[cfg(feature = "gpu")]
#[test]
fn the_gpu_equals_the_reference_whatever_its_plan() {
    pollster::block_on(async {
        let source = model();
        // A runtime of its own, as plans are the device's.
        let device = gpu(DeviceChoice::Adapter(0)).await;
        let traits = device.gpu_traits().expect("a GPU");
        let (gemv, gemm) = (GpuPlan::gemv_candidates(traits), GpuPlan::gemm_candidates(traits));
        for (at, gemm) in gemm.into_iter().enumerate() {
            let context_parts = if at % 2 == 0 { 4 } else { 1 };
            let plan = GpuPlan { gemv: gemv[(2 * at + at % 2) % gemv.len()], gemm, context_parts };
            println!("{plan}");
            let options = LoadOptions { context_tokens: Some(512), plan: PlanChoice::Fixed(plan), ..unrounded() };
            let mut engine =
                Engine::load(&source, device.clone(), options, |_| {}).await.expect("the test model loads");
            engine_is_near_the_reference(&mut engine, EXACT, &[("raw", 8), ("p64", 4)]).await;
        }
    });
}

#[test]
fn a_chat_renders_and_tokenises_as_the_reference() {
    pollster::block_on(async {
        let mut engine = load(OpenDevice::cpu(), LoadOptions::default()).await;
        assert_eq!(engine.info().unknown_keys, Vec::<String>::new(), "every key of the default model is known");
        let p64 = &golden("prompts.json")["prompts"]["p64"];
        let content = p64["user"].as_str().expect("text").to_owned();
        let message = inshore_model::Message::new("user", content);
        let generation = engine.start(Request::new(Prompt::Chat(vec![message]))).expect("a request");
        assert_eq!(generation.prompt_ids(), ids(&p64["ids"]));
        let raw = engine.start(Request::new(Prompt::Raw("The capital of France is".into()))).expect("a request");
        assert_eq!(raw.prompt_ids(), [504, 3575, 282, 4649, 314]);
    });
}
