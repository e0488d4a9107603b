//! Damaged and hostile model files: a typed error each, never a panic, and nothing half-read is ever used.

use inshore_gguf::testing::GgufBuilder;
use inshore_gguf::{GgmlType, Value};
use inshore_model::testing::{TinyModel, tiny_llama};
use inshore_model::{Engine, LoadOptions, ModelError, OpenDevice, Prompt, Request};

fn load(file: &Vec<u8>) -> Result<Engine, ModelError> {
    pollster::block_on(Engine::load(file, OpenDevice::cpu(), LoadOptions::default(), |_| {}))
}

fn code_of(file: &Vec<u8>) -> &'static str {
    let error = load(file).expect_err("a bad file");
    assert!(error.to_string().len() > 20, "the message explains: {error}");
    error.code()
}

#[test]
fn not_a_gguf() {
    assert_eq!(code_of(&b"<!doctype html><title>404</title>".to_vec()), "not_gguf");
    assert_eq!(code_of(&Vec::new()), "not_gguf");
}

#[test]
fn cut_off_at_a_hundred_points() {
    let file = tiny_llama(1);
    for point in 0..100 {
        let cut = file.len() * point / 100;
        // Nothing at all is not the beginning of a GGUF either.
        let code = if cut == 0 { "not_gguf" } else { "truncated" };
        assert_eq!(code_of(&file[..cut].to_vec()), code, "cut to {cut} of {} bytes", file.len());
    }
}

#[test]
fn flipped_bytes_never_panic() {
    // Header and metadata decide everything; a flip in the weights gives another model, which is not an error.
    let file = tiny_llama(1);
    let header = 8 * 1024;
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut refused = 0;
    for seed in 0..10_000u64 {
        let mut bad = file.clone();
        for _ in 0..1 + seed % 4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % header;
            bad[at] ^= 1 << (state >> 60 & 7);
        }
        match load(&bad) {
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
            Ok(mut engine) => {
                let request = Request { max_tokens: Some(1), ..Request::new(Prompt::Ids(vec![1])) };
                if let Ok(mut generation) = engine.start(request) {
                    let _ = pollster::block_on(engine.next_token(&mut generation));
                }
            }
        }
    }
    assert!(refused > 1_000, "flips are noticed: {refused} of 10000");
}

fn with(key: &str, value: Value) -> Vec<u8> {
    let model = TinyModel { architecture: "llama", kind: GgmlType::Q8_0, kv_heads: 2, context_tokens: 512, seed: 1 };
    model.builder().replace(key, value).build()
}

#[test]
fn unknown_architectures_and_absurd_hyperparameters() {
    assert_eq!(code_of(&with("general.architecture", Value::String("mamba".into()))), "unsupported_architecture");
    for (key, value) in [
        ("llama.embedding_length", 0),
        ("llama.attention.head_count", 3),
        ("llama.attention.head_count_kv", 3),
        ("llama.attention.head_count_kv", 0),
        ("llama.block_count", u32::MAX),
        ("llama.context_length", 0),
        ("llama.rope.freq_base", 0),
    ] {
        let code = code_of(&with(key, Value::U32(value)));
        assert!(["invalid_hyperparameter", "invalid_gguf", "wrong_shape"].contains(&code), "{key} = {value}: {code}");
    }
    for (key, value) in [("llama.feed_forward_length", 4096), ("llama.embedding_length", 128)] {
        assert_eq!(code_of(&with(key, Value::U32(value))), "wrong_shape", "{key} = {value}");
    }
    let nan = with("llama.attention.layer_norm_rms_epsilon", Value::F32(f32::NAN));
    assert_eq!(code_of(&nan), "invalid_hyperparameter");
    let yarn = with("llama.rope.scaling.type", Value::String("yarn".into()));
    assert_eq!(code_of(&yarn), "unsupported_rope_scaling");
}

#[test]
fn unknown_tensor_types_and_missing_tensors() {
    let empty = GgufBuilder::new().string("general.architecture", "llama").build();
    assert_eq!(code_of(&empty), "invalid_gguf");
    let model = TinyModel { architecture: "llama", kind: GgmlType::Q8_0, kv_heads: 2, context_tokens: 512, seed: 1 };
    let unknown = model.builder().raw_tensor("x", 39, &[32], vec![0; 17]).build();
    assert_eq!(code_of(&unknown), "unsupported_tensor_type");
}

#[test]
fn templates_that_loop_or_fail_are_errors_of_the_request() {
    let looping = with(
        "tokenizer.chat_template",
        Value::String("{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}".into()),
    );
    let failing = with("tokenizer.chat_template", Value::String("{{ raise_exception('only poems') }}".into()));
    let message = inshore_model::Message::new("user", "hello");
    let broken = with("tokenizer.chat_template", Value::String("{% for %}".into()));
    let endless =
        with("tokenizer.chat_template", Value::String("{{ 'abc'.count('') }}{{ 'x'|indent(99999999999) }}".into()));
    let cases = [
        (looping, "chat_template_runaway"),
        (failing, "template_refused"),
        (broken, "chat_template_failed"),
        (endless, "chat_template_runaway"),
    ];
    for (file, code) in cases {
        let mut engine = load(&file).expect("the model itself is sound");
        let error = engine.start(Request::new(Prompt::Chat(vec![message.clone()]))).expect_err("the template");
        assert_eq!(error.code(), code, "{error}");
        // The engine still answers without the template.
        engine.start(Request::new(Prompt::Raw("hello".into()))).expect("a raw prompt");
    }
}
