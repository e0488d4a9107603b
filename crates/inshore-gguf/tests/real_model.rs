//! SmolLM2-135M-Instruct (Q4_1), which the variable `INSHORE_TEST_MODEL` names; sums are those of the `gguf`
//! Python package (`golden/make_golden.py`).
#![cfg(any(unix, windows))]

use std::collections::BTreeMap;
use std::fs::File;

use inshore_gguf::testing::block_on;
use inshore_gguf::{FileSource, GgmlType, Gguf, GgufError, ReadAt, block};

/// Without the file there is nothing to compare, and a test that compares nothing must not pass.
fn model() -> FileSource {
    let path = std::env::var_os("INSHORE_TEST_MODEL").expect(
        "set INSHORE_TEST_MODEL to SmolLM2-135M-Instruct.Q4_1.gguf, or run `cargo xtask test rust`, which fetches it",
    );
    let file = File::open(&path).expect("INSHORE_TEST_MODEL names a file");
    FileSource::new(file).expect("a file has a length")
}

#[test]
fn header_of_smollm2() {
    let source = model();
    let gguf = block_on(Gguf::read(&source)).expect("a good file");
    assert_eq!((gguf.version, gguf.data_offset, gguf.metadata.len()), (3, 1_785_664, 33));
    let mut kinds = BTreeMap::new();
    for tensor in &gguf.tensors {
        *kinds.entry(tensor.kind).or_insert(0) += 1;
    }
    assert_eq!(gguf.tensors.len(), 272);
    assert_eq!(kinds, BTreeMap::from([(GgmlType::F32, 61), (GgmlType::Q8_0, 1), (GgmlType::Q4_1, 210)]));

    let metadata = &gguf.metadata;
    assert_eq!(metadata.require::<&str>("general.architecture").expect("there"), "llama");
    for (key, number) in [
        ("llama.block_count", 30),
        ("llama.context_length", 8192),
        ("llama.embedding_length", 576),
        ("llama.feed_forward_length", 1536),
        ("llama.attention.head_count", 9),
        ("llama.attention.head_count_kv", 3),
        ("llama.vocab_size", 49152),
        ("tokenizer.ggml.eos_token_id", 2),
    ] {
        assert_eq!(metadata.require::<u32>(key).expect("there"), number, "{key}");
    }
    assert_eq!(metadata.f32("llama.rope.freq_base").expect("f32"), Some(100_000.0));
    assert_eq!(metadata.bool("tokenizer.ggml.add_bos_token").expect("bool"), Some(false));
    let tokens = metadata.require::<&[String]>("tokenizer.ggml.tokens").expect("there");
    assert_eq!((tokens.len(), tokens[1].as_str(), tokens[49_151].as_str()), (49_152, "<|im_start|>", "ectable"));
    let types = metadata.i32s("tokenizer.ggml.token_type").expect("integers").expect("there");
    assert_eq!((types.len(), types[0], types[49_151]), (49_152, 3, 1));
    let merges = metadata.require::<&[String]>("tokenizer.ggml.merges").expect("there");
    assert_eq!((merges.len(), merges[0].as_str()), (48_900, "Ġ t"));
}

#[test]
fn weights_of_smollm2() {
    let source = model();
    let gguf = block_on(Gguf::read(&source)).expect("a good file");
    // Name, shape, sum of values, sum of value i times (i mod 7 + 1).
    let expected: [(&str, &[u64], f64, f64); 4] = [
        ("token_embd.weight", &[576, 49_152], -15353.04449415207, -61167.81291627884),
        ("blk.0.attn_q.weight", &[576, 576], 59.22322082519531, -34.526885986328125),
        ("blk.29.ffn_down.weight", &[1536, 576], 49.83570861816406, 746.7797698974609),
        ("output_norm.weight", &[576], 1038.33203125, 4140.5859375),
    ];
    for (name, shape, sum, weighted) in expected {
        let info = gguf.tensor(name).expect("there");
        assert_eq!(info.shape, shape);
        let packed = block_on(Gguf::read_tensor(&source, info)).expect("in the file");
        let mut values = vec![0.0; info.values() as usize];
        block::dequantize(info.kind, &packed, &mut values).expect("whole blocks");
        let values = values.iter().copied().map(f64::from);
        let got: f64 = values.clone().sum();
        let got_weighted: f64 = values.enumerate().map(|(i, value)| value * (i % 7 + 1) as f64).sum();
        // The order of summation differs; the values themselves do not.
        assert!((got - sum).abs() < 1e-6, "{name}: {got} instead of {sum}");
        assert!((got_weighted - weighted).abs() < 1e-6, "{name}: {got_weighted} instead of {weighted}");
    }
}

#[test]
fn cut_at_100_points_smollm2_is_refused() {
    let source = model();
    let len = source.len();
    let mut prefix = vec![0; 2 << 20];
    block_on(source.read_at(0, &mut prefix)).expect("longer than 2 MiB");
    // Half of the points in the header, half in the tensor data.
    let in_header = (1..=50).map(|i| 1_785_664 * i / 51);
    let in_data = (0..50).map(|i| 1_785_664 + (len - 1_785_664) * i / 50);
    for cut in in_header.chain(in_data) {
        let kept = &prefix[..prefix.len().min(cut as usize)];
        let error = Gguf::parse(kept, cut).expect_err("a cut file");
        assert!(matches!(error, GgufError::Truncated { got, .. } if got == cut), "cut at {cut}: {error}");
        assert!(cut < 1_785_664 || matches!(error, GgufError::Truncated { expected, .. } if expected == len));
    }
}
