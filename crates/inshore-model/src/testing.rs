//! Tiny synthetic models: real files in every respect but size and sense, for tests of everything around the model.

use inshore_gguf::testing::{GgufBuilder, quantize};
use inshore_gguf::{Array, GgmlType, Value, block};

/// Id of the token that ends an answer in the tiny models.
pub const TINY_EOS: u32 = 256;

const HIDDEN: u64 = 64;
const HEAD_DIM: u64 = 16;
const HEADS: u64 = 4;
const INTERMEDIATE: u64 = 96;
const LAYERS: u32 = 2;

/// Shape and formats of a tiny model.
#[derive(Debug, Clone, Copy)]
pub struct TinyModel {
    /// Architecture: `llama` or `qwen2`.
    pub architecture: &'static str,
    /// Format of the matrices; blocks of 32 values or fewer.
    pub kind: GgmlType,
    /// Key and value heads: 1, 2 or 4.
    pub kv_heads: u64,
    /// Context length in the metadata.
    pub context_tokens: u32,
    /// Seed of the weights.
    pub seed: u32,
}

/// A GGUF file of a Llama with two layers, a vocabulary of the 256 bytes and a few special tokens, and weights drawn
/// from `seed`. About 100 KB.
pub fn tiny_llama(seed: u32) -> Vec<u8> {
    TinyModel { architecture: "llama", kind: GgmlType::Q8_0, kv_heads: 2, context_tokens: 512, seed }.build()
}

impl TinyModel {
    /// The file.
    pub fn build(&self) -> Vec<u8> {
        self.builder().build()
    }

    /// The same model with its matrices unpacked to F32: what the blocks of `kind` stand for, rounded no further.
    pub fn unpacked(&self) -> GgufBuilder {
        self.build_with(|builder, name, shape, values| {
            let mut unpacked = vec![0.0; values.len()];
            block::dequantize(self.kind, &quantize(self.kind, values), &mut unpacked).expect("whole blocks");
            builder.tensor(name, GgmlType::F32, shape, &unpacked)
        })
    }

    /// The file's builder, for tests that spoil something first.
    pub fn builder(&self) -> GgufBuilder {
        self.build_with(|builder, name, shape, values| builder.tensor(name, self.kind, shape, values))
    }

    /// `add_matrix` adds a matrix of a name and shape with these values.
    fn build_with(&self, add_matrix: impl Fn(GgufBuilder, &str, &[u64], &[f32]) -> GgufBuilder) -> GgufBuilder {
        let mut noise = Noise(u64::from(self.seed) * 2 + 1);
        let vocab = tokens().len() as u64;
        let kv = self.kv_heads * HEAD_DIM;
        let empty = vocabulary(self.hyperparameters(GgufBuilder::new()));
        let embedding = noise.values(HIDDEN * vocab, 1.0);
        let mut builder = add_matrix(empty, "token_embd.weight", &[HIDDEN, vocab], &embedding).tensor(
            "output_norm.weight",
            GgmlType::F32,
            &[HIDDEN],
            &vec![1.0; HIDDEN as usize],
        );
        for layer in 0..LAYERS {
            let name = |suffix: &str| format!("blk.{layer}.{suffix}");
            let matrices = [
                ("attn_q.weight", HIDDEN, HEADS * HEAD_DIM),
                ("attn_k.weight", HIDDEN, kv),
                ("attn_v.weight", HIDDEN, kv),
                ("attn_output.weight", HEADS * HEAD_DIM, HIDDEN),
                ("ffn_gate.weight", HIDDEN, INTERMEDIATE),
                ("ffn_up.weight", HIDDEN, INTERMEDIATE),
                ("ffn_down.weight", INTERMEDIATE, HIDDEN),
            ];
            for (suffix, cols, rows) in matrices {
                let values = noise.values(cols * rows, 2.0 / (cols as f32).sqrt());
                builder = add_matrix(builder, &name(suffix), &[cols, rows], &values);
            }
            for suffix in ["attn_norm.weight", "ffn_norm.weight"] {
                let values = noise.values(HIDDEN, 0.1).iter().map(|value| 1.0 + value).collect::<Vec<_>>();
                builder = builder.tensor(&name(suffix), GgmlType::F32, &[HIDDEN], &values);
            }
            if self.architecture == "qwen2" {
                for (suffix, len) in [("attn_q.bias", HEADS * HEAD_DIM), ("attn_k.bias", kv), ("attn_v.bias", kv)] {
                    builder = builder.tensor(&name(suffix), GgmlType::F32, &[len], &noise.values(len, 0.5));
                }
            }
        }
        builder
    }

    fn hyperparameters(&self, builder: GgufBuilder) -> GgufBuilder {
        let key = |name: &str| format!("{}.{name}", self.architecture);
        builder
            .string("general.architecture", self.architecture)
            .string("general.name", "Tiny")
            .metadata(&key("block_count"), Value::U32(LAYERS))
            .metadata(&key("context_length"), Value::U32(self.context_tokens))
            .metadata(&key("embedding_length"), Value::U32(HIDDEN as u32))
            .metadata(&key("feed_forward_length"), Value::U32(INTERMEDIATE as u32))
            .metadata(&key("attention.head_count"), Value::U32(HEADS as u32))
            .metadata(&key("attention.head_count_kv"), Value::U32(self.kv_heads as u32))
            .metadata(&key("attention.layer_norm_rms_epsilon"), Value::F32(1e-5))
            .metadata(&key("rope.freq_base"), Value::F32(10_000.0))
    }
}

fn vocabulary(builder: GgufBuilder) -> GgufBuilder {
    let tokens = tokens();
    let types = tokens.iter().map(|token| if token.starts_with("<|") { 3 } else { 1 }).collect();
    let template = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
                    '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    builder
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "smollm")
        .strings("tokenizer.ggml.tokens", &tokens)
        .metadata("tokenizer.ggml.token_type", Value::Array(Array::I32(types)))
        .strings::<&str>("tokenizer.ggml.merges", &[])
        .metadata("tokenizer.ggml.bos_token_id", Value::U32(TINY_EOS + 1))
        .metadata("tokenizer.ggml.eos_token_id", Value::U32(TINY_EOS))
        .string("tokenizer.chat_template", template)
}

/// The 256 bytes as GPT-2 writes them in vocabularies, in byte order, and the special tokens.
fn tokens() -> Vec<String> {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut next_stand_in = 256;
    let mut tokens: Vec<String> = (0..256)
        .map(|byte| {
            let code = if printable(byte) {
                byte
            } else {
                next_stand_in += 1;
                next_stand_in - 1
            };
            char::from_u32(code).map(String::from).unwrap_or_default()
        })
        .collect();
    tokens.extend(["<|im_end|>", "<|im_start|>"].map(String::from));
    tokens
}

/// A small generator (xorshift64*), so that weights are the same everywhere.
struct Noise(u64);

impl Noise {
    fn values(&mut self, count: u64, amplitude: f32) -> Vec<f32> {
        (0..count).map(|_| amplitude * self.uniform()).collect()
    }

    /// From −1 to 1.
    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f32 / (1u64 << 23) as f32 - 1.0
    }
}
