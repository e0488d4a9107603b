//! Everything a file says is used or refused: a test for each kind of thing that was once ignored.

use inshore_gguf::testing::{GgufBuilder, block_on};
use inshore_gguf::{Array, GgmlType, Gguf, Value};
use inshore_model::testing::TinyModel;
use inshore_model::{Engine, FileCheck, LoadOptions, ModelError, ModelShape, OpenDevice, Prompt, Request, Sampling};

fn tiny(architecture: &'static str) -> GgufBuilder {
    TinyModel { architecture, kind: GgmlType::Q8_0, kv_heads: 2, context_tokens: 512, seed: 1 }.builder()
}

fn load(builder: &GgufBuilder) -> Result<Engine, ModelError> {
    let options = LoadOptions { context_tokens: Some(64), ..LoadOptions::default() };
    block_on(Engine::load(&builder.build(), OpenDevice::cpu(), options, |_| {}))
}

/// The refusal's code and message; a check of the header alone says the same.
#[track_caller]
fn refusal(builder: &GgufBuilder) -> (&'static str, String) {
    let error = load(builder).expect_err("the file is to be refused");
    let gguf = block_on(Gguf::read(&builder.build())).expect("a sound header");
    let found = FileCheck::of(&gguf).refusals;
    let codes: Vec<_> = found.iter().map(ModelError::code).collect();
    if error.code() != "not_finite" {
        assert!(codes.contains(&error.code()), "inspect says {codes:?}, a load says {error}");
    }
    (error.code(), error.to_string())
}

/// Log-probabilities of a few tokens.
fn answer(builder: &GgufBuilder) -> Vec<(u32, f32)> {
    let mut engine = load(builder).expect("the file loads");
    let request = Request {
        max_tokens: Some(4),
        sampling: Sampling::greedy(),
        ..Request::new(Prompt::Ids(vec![104, 101, 108, 108, 111]))
    };
    let mut generation = engine.start(request).expect("a request");
    let mut steps = Vec::new();
    while let Some(step) = block_on(engine.next_token(&mut generation)).expect("a step") {
        steps.push((step.id, step.logprob));
    }
    steps
}

#[test]
fn a_tensor_that_is_not_used_is_named() {
    let vector = |builder: GgufBuilder, name: &str, len: u64| {
        builder.tensor(name, GgmlType::F32, &[len], &vec![0.5; len as usize])
    };
    for (name, len) in [
        ("blk.0.attn_q.bias", 64),
        ("blk.1.attn_k.bias", 32),
        ("blk.0.attn_v.bias", 32),
        ("blk.0.attn_output.bias", 64),
        ("blk.0.ffn_gate.bias", 96),
        ("blk.0.ffn_up.bias", 96),
        ("blk.1.ffn_down.bias", 64),
        ("blk.0.attn_q_norm.weight", 16),
        ("blk.0.attn_k_norm.weight", 16),
        ("blk.0.post_attention_norm.weight", 64),
        ("blk.0.attn_sinks.weight", 4),
        ("blk.0.attn_q.scale", 1),
        ("blk.0.ffn_down.input_scale", 1),
        ("blk.0.attn_rot_embd.weight", 8),
        ("blk.0.rope_freqs.weight", 8),
        ("blk.2.attn_norm.weight", 64),
        ("blk.00.attn_norm.weight", 64),
        ("blk.-1.attn_norm.weight", 64),
        ("blk.18446744073709551616.attn_norm.weight", 64),
        ("blk.0.attn_norm", 64),
        ("output.bias", 258),
        ("output.scale", 1),
        ("output_norm.bias", 64),
        ("token_embd_norm.weight", 64),
        ("token_types.weight", 64),
        ("position_embd.weight", 64),
        ("rope_factors_long.weight", 8),
        ("rope_factors_short.weight", 8),
        ("rope_freqs", 8),
        ("mm.0.weight", 64),
        ("cls.weight", 64),
        ("something else", 1),
        ("", 1),
    ] {
        let (code, message) = refusal(&vector(tiny("llama"), name, len));
        assert_eq!(code, "unused_tensors", "{name}");
        assert!(message.contains(name), "{message}");
    }
    // Biases belong to qwen2, and Llama 3's RoPE scaling does not.
    load(&tiny("qwen2")).expect("its biases are used");
    assert_eq!(refusal(&vector(tiny("qwen2"), "rope_freqs.weight", 8)).0, "unused_tensors");
    assert_eq!(refusal(&vector(tiny("qwen2"), "output.bias", 258)).0, "unused_tensors");
}

#[test]
fn many_unused_tensors_are_counted_and_some_are_named() {
    let mut builder = tiny("llama");
    for layer in 2..9 {
        builder = builder.tensor(&format!("blk.{layer}.attn_norm.weight"), GgmlType::F32, &[64], &[1.0; 64]);
    }
    let (code, message) = refusal(&builder);
    assert_eq!(code, "unused_tensors");
    assert!(message.contains("has 7 tensors") && message.contains("blk.2.") && message.contains('…'), "{message}");
    assert!(!message.contains("blk.8."), "{message}");
}

#[test]
fn a_missing_tensor_is_named_before_weights_are_read() {
    for name in ["token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.1.ffn_norm.weight"] {
        let (code, message) = refusal(&tiny("llama").without_tensor(name));
        assert_eq!(code, "invalid_gguf", "{name}");
        assert!(message.contains(name), "{message}");
    }
    let (_, message) = refusal(&tiny("qwen2").without_tensor("blk.1.attn_v.bias"));
    assert!(message.contains("blk.1.attn_v.bias"), "{message}");
    let deeper = tiny("llama").replace("llama.block_count", Value::U32(3));
    assert!(refusal(&deeper).1.contains("blk.2."), "a layer that is not there");
    assert_eq!(refusal(&tiny("llama").replace("llama.block_count", Value::U32(1 << 20))).0, "invalid_hyperparameter");
}

#[test]
fn rope_frequencies_are_used_by_llama() {
    let with = |factor: f32| tiny("llama").tensor("rope_freqs.weight", GgmlType::F32, &[8], &[factor; 8]);
    assert_eq!(answer(&with(1.0)), answer(&tiny("llama")));
    assert_ne!(answer(&with(4.0)), answer(&tiny("llama")));
    // Dividing all frequencies is what linear scaling does.
    let linear = tiny("llama").metadata("llama.rope.scaling.factor", Value::F32(4.0));
    assert_eq!(answer(&with(4.0)), answer(&linear));
}

#[test]
fn a_key_that_changes_the_model_is_refused_by_name() {
    let float = |value| Value::F32(value);
    let text = |value: &str| Value::String(value.into());
    for (key, value) in [
        ("attention.causal", Value::Bool(false)),
        ("logit_scale", float(0.5)),
        ("logit_scale", float(f32::NAN)),
        ("residual_scale", float(0.22)),
        ("embedding_scale", float(12.0)),
        ("attn_logit_softcapping", float(50.0)),
        ("final_logit_softcapping", float(30.0)),
        ("attention.scale", float(0.1)),
        ("attention.clamp_kqv", float(8.0)),
        ("attention.max_alibi_bias", float(8.0)),
        ("attention.sliding_window", Value::U32(128)),
        ("attention.sliding_window_pattern", Value::U32(2)),
        ("use_parallel_residual", Value::Bool(true)),
        ("hidden_activation", text("gelu")),
        ("tensor_data_layout", text("permuted")),
        ("pooling_type", Value::U32(1)),
        ("nextn_predict_layers", Value::U32(1)),
        ("rope.dimension_sections", Value::Array(Array::I32(vec![4, 4, 0, 0]))),
        ("rope.scaling.attn_factor", float(1.2)),
        ("rope.scaling.alpha", float(1000.0)),
        ("rope.scaling.yarn_log_multiplier", float(0.1)),
        ("rope.freq_base_swa", float(10_000.0)),
        ("attention.key_length_mla", Value::U32(16)),
        ("attention.q_lora_rank", Value::U32(16)),
        ("attention.temperature_scale", float(0.1)),
        ("embedding_length_out", Value::U32(32)),
        ("decoder_start_token_id", Value::U32(0)),
        ("ssm.conv_kernel", Value::U32(4)),
        ("wkv.head_size", Value::U32(64)),
        ("classifier.output_labels", Value::Array(Array::String(vec!["yes".into()]))),
        ("adapters.lora_rank", Value::U32(8)),
        ("leading_dense_block_count", Value::U32(1)),
        ("swiglu_clamp_exp", float(7.0)),
    ] {
        for architecture in ["llama", "qwen2"] {
            let key = format!("{architecture}.{key}");
            let (code, message) = refusal(&tiny(architecture).metadata(&key, value.clone()));
            assert_eq!(code, "unsupported_metadata", "{key} = {value:?}");
            assert!(message.contains(&key), "{message}");
        }
    }
    for (key, value) in [
        ("tokenizer.ggml.remove_extra_whitespaces", Value::Bool(true)),
        ("tokenizer.ggml.precompiled_charsmap", Value::Array(Array::U8(vec![1, 2, 3]))),
        ("tokenizer.ggml.normalizer.lowercase", Value::Bool(true)),
        ("tokenizer.ggml.suppress_tokens", Value::Array(Array::I32(vec![7]))),
        ("tokenizer.ggml.token_type_count", Value::U32(2)),
        ("tokenizer.rwkv.world", text("world")),
        ("general.quantization_version", Value::U32(1)),
        ("general.tensor_extra.name", Value::Array(Array::String(vec!["x".into()]))),
        ("xielu.beta", float(0.5)),
    ] {
        let (code, message) = refusal(&tiny("llama").metadata(key, value));
        assert_eq!((code, message.contains(key)), ("unsupported_metadata", true), "{message}");
    }
}

#[test]
fn a_key_with_its_neutral_value_changes_nothing() {
    let plain = answer(&tiny("llama"));
    for (key, value) in [
        ("llama.attention.causal", Value::Bool(true)),
        ("llama.logit_scale", Value::F32(1.0)),
        ("llama.logit_scale", Value::F32(0.0)),
        ("llama.residual_scale", Value::F32(1.0)),
        ("llama.attn_logit_softcapping", Value::F32(0.0)),
        ("llama.attention.scale", Value::F32(0.25)),
        ("llama.attention.sliding_window", Value::U32(0)),
        ("llama.attention.sliding_window", Value::U32(512)),
        ("llama.use_parallel_residual", Value::Bool(false)),
        ("llama.hidden_activation", Value::String("silu".into())),
        ("llama.tensor_data_layout", Value::String("Meta AI original pth".into())),
        ("llama.expert_count", Value::U32(0)),
        ("llama.pooling_type", Value::U32(0)),
        ("llama.vocab_size", Value::U32(258)),
        ("llama.attention.value_length", Value::U32(16)),
        ("llama.rope.dimension_count", Value::U32(16)),
        ("llama.rope.scaling.type", Value::String("none".into())),
        ("llama.rope.scaling.factor", Value::F32(1.0)),
        ("llama.rope.scaling.factor", Value::F32(0.0)),
        ("llama.rope.scaling.attn_factor", Value::F32(1.0)),
        ("llama.rope.scaling.original_context_length", Value::U32(64)),
        ("llama.rope.scaling.finetuned", Value::Bool(true)),
        ("general.type", Value::String("model".into())),
        ("general.quantization_version", Value::U32(2)),
        ("general.sampling.temp", Value::F32(0.2)),
        ("general.base_model.0.name", Value::String("Tiny".into())),
        ("split.count", Value::U16(1)),
        ("tokenizer.ggml.remove_extra_whitespaces", Value::Bool(false)),
        ("tokenizer.ggml.precompiled_charsmap", Value::Array(Array::U8(Vec::new()))),
        ("tokenizer.ggml.padding_token_id", Value::U32(0)),
        ("tokenizer.chat_template.tool_use", Value::String("{{ tools }}".into())),
    ] {
        let file = tiny("llama").metadata(key, value.clone());
        assert_eq!(answer(&file), plain, "{key} = {value:?}");
        assert_eq!(load(&file).expect("it loads").info().unknown_keys, Vec::<String>::new(), "{key}");
    }
}

#[test]
fn rope_scaling_without_a_type_is_linear_as_llama_cpp_has_it() {
    let float = |value| Value::F32(value);
    let linear = Value::String("linear".into());
    let scaled = answer(
        &tiny("llama").metadata("llama.rope.scaling.type", linear).metadata("llama.rope.scaling.factor", float(4.0)),
    );
    assert_ne!(scaled, answer(&tiny("llama")));
    assert_eq!(answer(&tiny("llama").metadata("llama.rope.scaling.factor", float(4.0))), scaled);
    assert_eq!(answer(&tiny("llama").metadata("llama.rope.scale_linear", float(4.0))), scaled, "the factor's old name");
    let both = tiny("llama").metadata("llama.rope.scale_linear", float(2.0));
    assert_eq!(answer(&both.metadata("llama.rope.scaling.factor", float(4.0))), scaled, "the new name counts");
    let none = tiny("llama").metadata("llama.rope.scaling.type", Value::String("none".into()));
    assert_eq!(answer(&none.metadata("llama.rope.scaling.factor", float(4.0))), answer(&tiny("llama")));
    for scaling in ["yarn", "longrope", "llama3", "dynamic", ""] {
        let file = tiny("llama").metadata("llama.rope.scaling.type", Value::String(scaling.into()));
        assert_eq!(refusal(&file).0, "unsupported_rope_scaling", "{scaling}");
    }
    for factor in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(
            refusal(&tiny("llama").metadata("llama.rope.scaling.factor", float(factor))).0,
            "invalid_hyperparameter"
        );
    }
}

#[test]
fn a_key_of_a_wrong_type_is_not_an_absent_key() {
    let text = || Value::String("4".into());
    for (key, value) in [
        ("llama.attention.head_count_kv", text()),
        ("llama.attention.head_count", Value::Array(Array::I32(vec![4, 4]))),
        ("llama.feed_forward_length", Value::Array(Array::I32(vec![96, 96]))),
        ("llama.context_length", Value::I32(-1)),
        ("llama.attention.key_length", Value::F32(16.0)),
        ("llama.attention.layer_norm_rms_epsilon", Value::U32(0)),
        ("llama.rope.freq_base", text()),
        ("llama.rope.scaling.type", Value::U32(1)),
        ("llama.rope.scaling.factor", Value::U32(4)),
        ("llama.rope.scaling.finetuned", Value::U32(1)),
        ("llama.vocab_size", text()),
        ("llama.attention.causal", Value::U32(1)),
        ("llama.logit_scale", text()),
        ("llama.expert_count", text()),
        ("llama.pooling_type", Value::F32(0.0)),
        ("llama.hidden_activation", Value::Bool(true)),
        ("general.name", Value::U32(7)),
        ("general.type", Value::Bool(true)),
        ("general.file_type", text()),
        ("general.architecture", Value::U32(1)),
        ("split.count", text()),
        ("tokenizer.ggml.tokens", text()),
        ("tokenizer.ggml.add_bos_token", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", text()),
        ("tokenizer.ggml.padding_token_id", text()),
        ("tokenizer.chat_template", Value::Bool(false)),
    ] {
        let (code, message) = refusal(&tiny("llama").replace(key, value.clone()));
        assert_eq!(code, "invalid_gguf", "{key} = {value:?}: {message}");
        assert!(message.contains(key), "{message}");
    }
    let without_epsilon = tiny("llama").without_key("llama.attention.layer_norm_rms_epsilon");
    assert!(refusal(&without_epsilon).1.contains("layer_norm_rms_epsilon"), "there is no usual epsilon");
}

#[test]
fn unknown_keys_are_reported_and_change_nothing() {
    let file = tiny("llama")
        .metadata("llama.colour", Value::String("blue".into()))
        .metadata("mistral.context_length", Value::U32(9))
        .metadata("general.mood", Value::F32(0.5))
        .metadata("tokenizer.ggml.flavour", Value::Bool(true))
        .metadata("llama", Value::U32(1));
    let engine = load(&file).expect("it loads");
    let unknown = ["llama.colour", "mistral.context_length", "general.mood", "tokenizer.ggml.flavour", "llama"];
    assert_eq!(engine.info().unknown_keys, unknown);
    let gguf = block_on(Gguf::read(&file.build())).expect("a sound header");
    let check = FileCheck::of(&gguf);
    assert_eq!(check.unknown_keys, unknown);
    assert!(check.refusals.is_empty(), "{:?}", check.refusals);
    assert_eq!(answer(&file), answer(&tiny("llama")));
}

#[test]
fn a_vocabulary_that_does_not_fit_the_embedding_is_refused() {
    let tokens = |count: usize| (0..count).map(|id| format!("token {id}")).collect::<Vec<_>>();
    let with = |count: usize| {
        let file = tiny("llama").without_key("tokenizer.ggml.tokens").strings("tokenizer.ggml.tokens", &tokens(count));
        file.replace("tokenizer.ggml.token_type", Value::Array(Array::I32(vec![1; count])))
    };
    for count in [259, 1000] {
        let (code, message) = refusal(&with(count));
        assert_eq!(code, "vocabulary_mismatch");
        assert!(message.contains(&count.to_string()) && message.contains("258"), "{message}");
    }
    for named in [257, 259, 0] {
        assert_eq!(refusal(&tiny("llama").metadata("llama.vocab_size", Value::U32(named))).0, "vocabulary_mismatch");
    }
    load(&with(258)).expect("as many tokens as rows");
    // An output projection of another size than the embedding.
    let output = tiny("llama").tensor("output.weight", GgmlType::F32, &[64, 259], &[0.1; 64 * 259]);
    assert_eq!(refusal(&output).0, "wrong_shape");
}

#[test]
fn a_mixture_of_experts_is_named_so() {
    let counted = |architecture: &str, count: u32| {
        tiny("llama")
            .replace("general.architecture", Value::String(architecture.into()))
            .metadata(&format!("{architecture}.expert_count"), Value::U32(count))
    };
    let tensor = |name: &str| tiny("llama").tensor(name, GgmlType::F32, &[64, 4], &[0.1; 256]);
    for file in [
        counted("llama", 8),
        counted("qwen2moe", 60),
        counted("deepseek2", 256),
        tensor("blk.0.ffn_gate_inp.weight"),
        tensor("blk.0.ffn_up_exps.weight"),
        tensor("blk.1.ffn_down.3.weight"),
        tensor("blk.0.ffn_gate_shexp.weight"),
    ] {
        let (code, message) = refusal(&file);
        assert_eq!(code, "mixture_of_experts");
        assert!(message.contains("mixture of experts"), "{message}");
    }
}

#[test]
fn a_part_of_a_split_file_is_named_so() {
    for (no, count, shown) in [(0u16, 3u16, "part 1 of 3"), (2, 3, "part 3 of 3"), (1, 2, "part 2 of 2")] {
        let file = tiny("llama").metadata("split.no", Value::U16(no)).metadata("split.count", Value::U16(count));
        let (code, message) = refusal(&file);
        assert_eq!(code, "split_file");
        assert!(message.contains(shown), "{message}");
    }
    // Later parts hold nothing but tensors.
    let part = GgufBuilder::new()
        .metadata("split.no", Value::U16(1))
        .metadata("split.count", Value::U16(2))
        .metadata("split.tensors.count", Value::I32(20))
        .tensor("blk.1.ffn_norm.weight", GgmlType::F32, &[64], &[1.0; 64]);
    assert_eq!(refusal(&part).0, "split_file");
}

#[test]
fn an_adapter_is_no_model() {
    for (key, value, shown) in [
        ("general.type", "adapter", "adapter"),
        ("adapter.type", "lora", "adapter"),
        ("general.type", "mmproj", "mmproj"),
        ("general.type", "imatrix", "imatrix"),
    ] {
        let file = GgufBuilder::new()
            .string("general.architecture", "llama")
            .metadata(key, Value::String(value.into()))
            .tensor("blk.0.attn_q.weight.lora_a", GgmlType::F32, &[64, 8], &[0.1; 512]);
        let (code, message) = refusal(&file);
        assert_eq!(code, "not_a_model");
        assert!(message.contains(shown), "{message}");
    }
    let with_alpha = tiny("llama").metadata("adapter.lora.alpha", Value::F32(16.0));
    assert_eq!(refusal(&with_alpha).0, "not_a_model");
}

/// The bytes of a NaN, or of an infinity, in a block of each format.
#[test]
fn a_weight_that_is_not_finite_is_named() {
    let half = |bits: u16| bits.to_le_bytes();
    let formats: [(GgmlType, &[usize], usize); 8] = [
        (GgmlType::F32, &[0, 4 * 100], 4),
        (GgmlType::F16, &[0, 2 * 77], 2),
        (GgmlType::Bf16, &[2 * 5], 2),
        (GgmlType::Q8_0, &[0, 34 * 3], 2),
        (GgmlType::Q4_0, &[18], 2),
        (GgmlType::Q4_1, &[0, 2, 20 + 2], 2),
        (GgmlType::Q5_0, &[22 * 7], 2),
        (GgmlType::Q5_1, &[2, 24], 2),
    ];
    for (kind, places, width) in formats {
        let model = TinyModel { architecture: "llama", kind, kv_heads: 2, context_tokens: 64, seed: 1 };
        for &at in places {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let bytes = match (kind, width) {
                    (GgmlType::F32, _) => bad.to_le_bytes().to_vec(),
                    (GgmlType::Bf16, _) => bad.to_le_bytes()[2..].to_vec(),
                    _ if bad.is_nan() => half(0x7E00).to_vec(),
                    _ => half(if bad > 0.0 { 0x7C00 } else { 0xFC00 }).to_vec(),
                };
                for name in ["token_embd.weight", "blk.1.ffn_down.weight", "blk.0.attn_k.weight"] {
                    let file = model.builder().with_bytes(name, |all| all[at..at + width].copy_from_slice(&bytes));
                    let (code, message) = refusal(&file);
                    assert_eq!(code, "not_finite", "{kind} {at} {bad}");
                    assert!(message.contains(name), "{message}");
                }
            }
        }
    }
    for name in ["output_norm.weight", "blk.0.attn_norm.weight", "blk.1.ffn_norm.weight"] {
        let file = tiny("llama").with_bytes(name, |all| all[4..8].copy_from_slice(&f32::NAN.to_le_bytes()));
        assert_eq!(refusal(&file).0, "not_finite", "{name}");
    }
}

/// Finite weights whose products are not: an error of the request, and never token 0 over and over.
#[test]
fn logits_that_are_not_finite_are_an_error_and_no_text() {
    let huge = |name: &str, value: f32| {
        let model = TinyModel { architecture: "llama", kind: GgmlType::F32, kv_heads: 2, context_tokens: 512, seed: 1 };
        model.builder().with_bytes(name, move |bytes| {
            bytes.chunks_exact_mut(4).for_each(|number| number.copy_from_slice(&value.to_le_bytes()));
        })
    };
    for (name, value) in [
        ("output_norm.weight", f32::MAX),
        ("blk.0.ffn_down.weight", 3e38),
        ("blk.1.attn_output.weight", -3e38),
        ("blk.0.ffn_norm.weight", f32::MAX),
        ("token_embd.weight", 3e38),
    ] {
        for exact in [false, true] {
            let options = LoadOptions { exact, ..LoadOptions::default() };
            let file = huge(name, value).build();
            let mut engine = block_on(Engine::load(&file, OpenDevice::cpu(), options, |_| {})).expect("finite weights");
            let request = |count: usize| Request::new(Prompt::Ids((0..count).map(|at| at as u32 % 250).collect()));
            // Within a part of the prompt, and in the middle of one of several parts.
            for count in [3, 300] {
                let mut generation = engine.start(request(count)).expect("a request");
                let error = block_on(engine.next_token(&mut generation)).expect_err("no next token");
                assert_eq!(error.code(), "not_finite", "{name}, exact {exact}, {count}: {error}");
                assert_eq!(generation.text(), "", "{name}");
            }
            assert!(!engine.is_broken(), "it is the file's fault");
            let scored = block_on(engine.score(&[1, 2, 3, 4]));
            assert_eq!(scored.expect_err("no scores").code(), "not_finite", "{name}");
        }
    }
}

#[test]
fn a_shape_is_refused_before_the_file_is_fetched() {
    let prefix = |builder: GgufBuilder| ModelShape::from_prefix(&builder.build()[..4096]);
    prefix(tiny("llama")).expect("a shape");
    for (key, value, code) in [
        ("general.architecture", Value::String("mamba".into()), "unsupported_architecture"),
        ("general.type", Value::String("adapter".into()), "not_a_model"),
        ("split.count", Value::U16(2), "split_file"),
        ("llama.expert_count", Value::U32(8), "mixture_of_experts"),
        ("llama.attention.causal", Value::Bool(false), "unsupported_metadata"),
    ] {
        let file = tiny("llama").replace(key, value).build();
        assert_eq!(ModelShape::from_prefix(&file).expect_err("refused").code(), code, "{key}");
    }
}
