//! GGUF files made on the spot: the model as Q8_0, and models of larger shapes with weights from a seed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use inshore_gguf::testing::{GgufBuilder, block_on, quantize};
use inshore_gguf::{Array, FileSource, GgmlType, Gguf, Value, block};

use crate::process;

const ALIGNMENT_KEY: &str = "general.alignment";
/// What `general.file_type` says of the two forms that are written here.
const MOSTLY_Q4_0: u32 = 2;
const MOSTLY_Q8_0: u32 = 7;

/// The sizes of a Llama.
pub struct Shape {
    /// What `--synthetic` takes.
    pub name: &'static str,
    hidden: usize,
    layers: u32,
    heads: u32,
    kv_heads: u32,
    intermediate: usize,
}

/// Those of Llama 3.2 1B and 3B, and of Llama 2 7B; the vocabulary stays the default model's, so that its tokenizer fits.
pub const SHAPES: [Shape; 3] = [
    Shape { name: "1b", hidden: 2048, layers: 16, heads: 32, kv_heads: 8, intermediate: 8192 },
    Shape { name: "3b", hidden: 3072, layers: 28, heads: 24, kv_heads: 8, intermediate: 8192 },
    Shape { name: "7b", hidden: 4096, layers: 32, heads: 32, kv_heads: 32, intermediate: 11008 },
];

/// One layer whose arithmetic is next to nothing: what a step of it takes is what launching kernels takes.
const TINY: Shape = Shape { name: "tiny", hidden: 64, layers: 1, heads: 1, kv_heads: 1, intermediate: 128 };
/// Words of its vocabulary.
const TINY_WORDS: usize = 320;

/// The model with its matrices as Q8_0, written next to other files of the bench unless it is there.
pub fn as_q8_0(model: &Path, folder: &Path) -> Result<PathBuf> {
    let name = model.file_stem().context("the model has no name")?.to_string_lossy().into_owned();
    let target = folder.join(format!("{name}.as-Q8_0.gguf"));
    if target.is_file() {
        return Ok(target);
    }
    process::heading("The model as Q8_0");
    let (source, gguf) = open(model)?;
    let mut file = with_metadata_of(&gguf, |_| true).replace("general.file_type", Value::U32(MOSTLY_Q8_0));
    for tensor in gguf.tensors.iter() {
        let packed = block_on(Gguf::read_tensor(&source, tensor))?;
        let (kind, bytes) = if tensor.rows() == 1 || matches!(tensor.kind, GgmlType::F32 | GgmlType::Q8_0) {
            (tensor.kind, packed)
        } else {
            let mut values = vec![0.0; usize::try_from(tensor.values())?];
            block::dequantize(tensor.kind, &packed, &mut values)?;
            (GgmlType::Q8_0, quantize(GgmlType::Q8_0, &values))
        };
        file = file.raw_tensor(&tensor.name, kind.code(), &tensor.shape, bytes);
    }
    write(&target, &file)
}

/// A model of the shape `name` with Q4_0 matrices of pseudo-random weights, and the tokenizer of `model`.
pub fn synthetic(name: &str, model: &Path, folder: &Path) -> Result<PathBuf> {
    let Some(shape) = SHAPES.iter().find(|shape| shape.name == name) else {
        bail!("there is no shape {name}");
    };
    let target = folder.join(format!("synthetic-{name}.Q4_0.gguf"));
    if target.is_file() {
        return Ok(target);
    }
    process::heading(&format!("Synthetic weights, {name}"));
    let (_, gguf) = open(model)?;
    let words = vocabulary(&gguf)?.len();
    let tokenizer = with_metadata_of(&gguf, |key| key.starts_with("tokenizer."));
    write(&target, &shape.build(tokenizer, words))
}

/// A decoder of one tiny layer and few words, for what a step costs beside its arithmetic.
pub fn tiny(model: &Path, folder: &Path) -> Result<PathBuf> {
    let target = folder.join(format!("synthetic-{}.Q4_0.gguf", TINY.name));
    if target.is_file() {
        return Ok(target);
    }
    let (_, gguf) = open(model)?;
    write(&target, &tiny_file(&gguf)?)
}

fn tiny_file(tokenizer: &Gguf) -> Result<GgufBuilder> {
    let words = vocabulary(tokenizer)?;
    // Special words come first; the answer shall not end with the first token, whatever it is.
    let words = &words[words.len().min(TINY_WORDS)..words.len().min(2 * TINY_WORDS)];
    let strings = |texts: &[String]| Value::Array(Array::String(texts.to_vec()));
    // Only what lists these words and no others; merges make words that are not among them.
    let entries = [
        ("tokens", strings(words)),
        ("merges", strings(&[])),
        ("token_type", Value::Array(Array::I32(vec![1; words.len()]))),
        ("eos_token_id", Value::U32(words.len().saturating_sub(1) as u32)),
    ];
    let others = ["model", "pre"].map(|key| format!("tokenizer.ggml.{key}"));
    let file = TINY.build(with_metadata_of(tokenizer, |key| others.iter().any(|other| other == key)), words.len());
    Ok(entries.into_iter().fold(file, |file, (key, value)| file.metadata(&format!("tokenizer.ggml.{key}"), value)))
}

fn vocabulary(gguf: &Gguf) -> Result<&[String]> {
    gguf.metadata.strings("tokenizer.ggml.tokens")?.context("the model has no vocabulary")
}

impl Shape {
    fn build(&self, tokenizer: GgufBuilder, words: usize) -> GgufBuilder {
        let number = |key: &str, value: u32| (format!("llama.{key}"), Value::U32(value));
        let head_dim = self.hidden / self.heads as usize;
        let entries = [
            ("general.name".to_owned(), Value::String(format!("synthetic {}", self.name))),
            ("general.file_type".to_owned(), Value::U32(MOSTLY_Q4_0)),
            number("block_count", self.layers),
            number("context_length", 8192),
            number("embedding_length", self.hidden as u32),
            number("feed_forward_length", self.intermediate as u32),
            number("attention.head_count", self.heads),
            number("attention.head_count_kv", self.kv_heads),
            number("rope.dimension_count", head_dim as u32),
            number("vocab_size", words as u32),
            ("llama.attention.layer_norm_rms_epsilon".to_owned(), Value::F32(1e-5)),
            ("llama.rope.freq_base".to_owned(), Value::F32(10_000.0)),
        ];
        let mut file = tokenizer.string("general.architecture", "llama");
        for (key, value) in entries {
            file = file.metadata(&key, value);
        }
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        let (hidden, kv) = (self.hidden, self.kv_heads as usize * head_dim);
        file = noise.matrix(file, "token_embd.weight", words, hidden);
        file = norm(file, "output_norm.weight", hidden);
        for index in 0..self.layers {
            let name = |part: &str| format!("blk.{index}.{part}.weight");
            for part in ["attn_norm", "ffn_norm"] {
                file = norm(file, &name(part), hidden);
            }
            let matrices = [
                ("attn_q", hidden, hidden),
                ("attn_k", kv, hidden),
                ("attn_v", kv, hidden),
                ("attn_output", hidden, hidden),
                ("ffn_gate", self.intermediate, hidden),
                ("ffn_up", self.intermediate, hidden),
                ("ffn_down", hidden, self.intermediate),
            ];
            for (part, rows, cols) in matrices {
                file = noise.matrix(file, &name(part), rows, cols);
            }
        }
        file
    }
}

/// A generator of bits (xorshift64), always the same ones.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Random nibbles below a constant scale, so that a row times an ordinary vector stays ordinary.
    fn matrix(&mut self, file: GgufBuilder, name: &str, rows: usize, cols: usize) -> GgufBuilder {
        let kind = GgmlType::Q4_0;
        // Nibbles deviate by 4.6 on average. The scale is a power of two: an f16 with nothing but an exponent.
        let exponent = -(4.6 * (cols as f64).sqrt()).log2().round();
        let scale = (((exponent + 15.0) as u16) << 10).to_le_bytes();
        let blocks = rows * cols / kind.block_len();
        let mut bytes = Vec::with_capacity(blocks * kind.block_bytes());
        for _ in 0..blocks {
            bytes.extend(scale);
            bytes.extend(self.next().to_le_bytes());
            bytes.extend(self.next().to_le_bytes());
        }
        file.raw_tensor(name, kind.code(), &[cols as u64, rows as u64], bytes)
    }
}

fn norm(file: GgufBuilder, name: &str, hidden: usize) -> GgufBuilder {
    file.tensor(name, GgmlType::F32, &[hidden as u64], &vec![1.0; hidden])
}

fn open(path: &Path) -> Result<(FileSource, Gguf)> {
    let file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let source = FileSource::new(file)?;
    let gguf = block_on(Gguf::read(&source))?;
    Ok((source, gguf))
}

fn with_metadata_of(gguf: &Gguf, keep: impl Fn(&str) -> bool) -> GgufBuilder {
    // The builder aligns by itself, to the format's default.
    let kept = gguf.metadata.iter().filter(|(key, _)| *key != ALIGNMENT_KEY && keep(key));
    kept.fold(GgufBuilder::new(), |file, (key, value)| file.metadata(key, value.clone()))
}

/// Under another name first, so that a broken run leaves no half file behind.
fn write(target: &Path, file: &GgufBuilder) -> Result<PathBuf> {
    let part = target.with_extension("part");
    fs::write(&part, file.build()).with_context(|| format!("could not write {}", part.display()))?;
    fs::rename(&part, target)?;
    process::note(&format!("{}: {} MB", target.display(), fs::metadata(target)?.len() / 1_000_000));
    Ok(target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("inshore-variants-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("temporary folder");
        folder
    }

    #[test]
    fn matrices_become_q8_0_and_the_rest_stays() {
        let folder = scratch("q8");
        let values: Vec<f32> = (0..64).map(|value| value as f32 / 10.0).collect();
        let file = GgufBuilder::new()
            .string("general.architecture", "llama")
            .tensor("m", GgmlType::Q4_1, &[32, 2], &values)
            .tensor("n", GgmlType::F32, &[4], &[1.0; 4]);
        let model = folder.join("model.gguf");
        fs::write(&model, file.build()).expect("write");
        let (source, gguf) = open(&as_q8_0(&model, &folder).expect("written")).expect("readable");
        assert_eq!(gguf.tensor("n").expect("there").kind, GgmlType::F32);
        let matrix = gguf.tensor("m").expect("there");
        assert_eq!((matrix.kind, matrix.shape.as_slice()), (GgmlType::Q8_0, [32, 2].as_slice()));
        let mut found = vec![0.0; 64];
        let packed = block_on(Gguf::read_tensor(&source, matrix)).expect("bytes");
        block::dequantize(matrix.kind, &packed, &mut found).expect("whole blocks");
        assert!(found.iter().zip(&values).all(|(a, b)| (a - b).abs() < 0.15), "{found:?}");
        fs::remove_dir_all(folder).expect("remove");
    }

    #[test]
    fn synthetic_rows_keep_the_size_of_what_they_multiply() {
        let file = Noise(1).matrix(GgufBuilder::new(), "m", 4, 4096).build();
        let gguf = block_on(Gguf::read(&file)).expect("a file");
        let matrix = gguf.tensor("m").expect("there");
        let mut values = vec![0.0; 4 * 4096];
        block::dequantize(matrix.kind, &block_on(Gguf::read_tensor(&file, matrix)).expect("bytes"), &mut values)
            .expect("whole blocks");
        let squares: f32 = values[..4096].iter().map(|value| value * value).sum();
        assert!((0.4..2.5).contains(&squares), "{squares}");
    }

    #[test]
    fn the_tiny_file_has_words_of_its_own() {
        let words: Vec<String> = (0..2 * TINY_WORDS + 5).map(|word| format!("w{word}")).collect();
        let model = GgufBuilder::new()
            .string("tokenizer.ggml.model", "gpt2")
            .metadata("tokenizer.ggml.bos_token_id", Value::U32(1))
            .strings("tokenizer.ggml.tokens", &words)
            .build();
        let model = block_on(Gguf::read(&model)).expect("a file");
        let gguf = block_on(Gguf::read(&tiny_file(&model).expect("made").build())).expect("a file");
        let found = vocabulary(&gguf).expect("words");
        assert_eq!((found.len(), found[0].as_str()), (TINY_WORDS, "w320"));
        assert_eq!(gguf.metadata.u32("tokenizer.ggml.eos_token_id").expect("a number"), Some(319));
        assert_eq!(gguf.metadata.u32("tokenizer.ggml.bos_token_id").expect("a number"), None);
        assert_eq!(gguf.tensor("token_embd.weight").expect("there").rows(), TINY_WORDS as u64);
    }

    #[test]
    fn a_synthetic_shape_has_all_tensors() {
        let shape = Shape { name: "tiny", hidden: 64, layers: 2, heads: 4, kv_heads: 2, intermediate: 96 };
        let tokenizer = GgufBuilder::new().strings("tokenizer.ggml.tokens", &["a", "b", "c"]);
        let gguf = block_on(Gguf::read(&shape.build(tokenizer, 3).build())).expect("a file");
        assert_eq!(gguf.tensors.len(), 2 + 2 * 9);
        assert_eq!(gguf.tensor("blk.1.attn_k.weight").expect("there").rows(), 32);
        assert_eq!(gguf.metadata.u32("llama.rope.dimension_count").expect("a number"), Some(16));
    }
}
