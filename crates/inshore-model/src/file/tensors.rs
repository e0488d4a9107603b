//! The tensors of each architecture. As in llama.cpp, a file with other tensors is refused, because those would change what the
//! model computes.

use inshore_gguf::{Gguf, GgufError, TensorInfo};

use crate::ModelError;
use crate::config::Config;

/// Kinds of tensor shapes, which depend on the hyperparameters. A vector is one row.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Embedding,
    Hidden,
    RopePairs,
    Query,
    KeyValue,
    Output,
    Gate,
    Down,
    QueryBias,
    KeyValueBias,
}

/// Tensors outside the layers, and whether they are required.
const MODEL: [(&str, Shape, bool); 3] = [
    ("token_embd.weight", Shape::Embedding, true),
    ("output_norm.weight", Shape::Hidden, true),
    ("output.weight", Shape::Embedding, false),
];

/// Tensors of every layer, without the prefix `blk.N.`.
const LAYER: [(&str, Shape); 9] = [
    ("attn_norm.weight", Shape::Hidden),
    ("attn_q.weight", Shape::Query),
    ("attn_k.weight", Shape::KeyValue),
    ("attn_v.weight", Shape::KeyValue),
    ("attn_output.weight", Shape::Output),
    ("ffn_norm.weight", Shape::Hidden),
    ("ffn_gate.weight", Shape::Gate),
    ("ffn_up.weight", Shape::Gate),
    ("ffn_down.weight", Shape::Down),
];

/// Tensors of the layers of an architecture with biases.
const QKV_BIAS: [(&str, Shape); 3] =
    [("attn_q.bias", Shape::QueryBias), ("attn_k.bias", Shape::KeyValueBias), ("attn_v.bias", Shape::KeyValueBias)];

impl Shape {
    const fn of(self, config: &Config) -> [u64; 2] {
        let (hidden, intermediate) = (config.hidden_size as u64, config.intermediate_size as u64);
        // `Config` keeps these products small.
        let query = (config.num_attention_heads * config.head_dim) as u64;
        let key_value = (config.num_key_value_heads * config.head_dim) as u64;
        match self {
            Self::Embedding => [config.vocab_size as u64, hidden],
            Self::Hidden => [1, hidden],
            Self::RopePairs => [1, config.rope_dim as u64 / 2],
            Self::Query => [query, hidden],
            Self::KeyValue => [key_value, hidden],
            Self::Output => [hidden, query],
            Self::Gate => [intermediate, hidden],
            Self::Down => [hidden, intermediate],
            Self::QueryBias => [1, query],
            Self::KeyValueBias => [1, key_value],
        }
    }
}

/// Llama 3's RoPE scaling; llama.cpp reads it for `llama` and refuses it in files of `qwen2`.
pub const ROPE_FREQS: &str = "rope_freqs.weight";

/// Most names that an error lists.
const SHOWN: usize = 5;

/// Compares names and shapes of the file's tensors with those of its architecture, so that false sizes are never allocated.
///
/// # Errors
/// [`ModelError::MixtureOfExperts`], [`ModelError::UnusedTensors`], [`ModelError::WrongShape`] or [`GgufError::MissingTensor`], and
/// [`ModelError::InvalidHyperparameter`] for more layers than there are tensors.
pub fn check(gguf: &Gguf, config: &Config) -> Result<(), ModelError> {
    if config.num_hidden_layers > gguf.tensors.len() {
        let key = format!("{}.block_count", config.architecture.name);
        return Err(ModelError::InvalidHyperparameter { key, value: config.num_hidden_layers.to_string() });
    }
    let names = || gguf.tensors.iter().map(|info| info.name.as_str());
    let unused = || names().filter(|name| shape_of(name, config).is_none());
    if let Some(name) = unused().find(|name| is_of_an_expert(name)) {
        return Err(ModelError::MixtureOfExperts { found: format!("the tensor {}", shortened(name)) });
    }
    let count = unused().count();
    if count > 0 {
        let names: Vec<_> = unused().take(SHOWN).map(shortened).collect();
        return Err(ModelError::UnusedTensors { count, names });
    }
    let required = MODEL.iter().filter(|(.., required)| *required).map(|(name, ..)| (*name).to_owned());
    let of_layers = (0..config.num_hidden_layers)
        .flat_map(|layer| of_a_layer(config).map(move |(suffix, _)| format!("blk.{layer}.{suffix}")));
    if let Some(name) = required.chain(of_layers).find(|name| gguf.tensors.get(name).is_none()) {
        return Err(GgufError::MissingTensor { name }.into());
    }
    gguf.tensors.iter().try_for_each(|info| match shape_of(&info.name, config) {
        Some(shape) => check_shape(info, shape.of(config)),
        None => Ok(()),
    })
}

/// Refuses a tensor of another shape than `[rows, columns]`.
///
/// # Errors
/// [`ModelError::WrongShape`].
pub fn check_shape(info: &TensorInfo, expected: [u64; 2]) -> Result<(), ModelError> {
    if [info.rows(), info.cols()] == expected {
        return Ok(());
    }
    let actual = info.shape.iter().rev().copied().collect();
    Err(ModelError::WrongShape { name: shortened(&info.name), expected: expected.to_vec(), actual })
}

fn of_a_layer(config: &Config) -> impl Iterator<Item = (&'static str, Shape)> {
    LAYER.into_iter().chain(QKV_BIAS.into_iter().filter(|_| config.architecture.qkv_bias))
}

/// The shape of a tensor that the decoder reads; `None` for any other.
fn shape_of(name: &str, config: &Config) -> Option<Shape> {
    if name == ROPE_FREQS && config.architecture.rope_freqs {
        return Some(Shape::RopePairs);
    }
    if let Some((_, shape, _)) = MODEL.iter().find(|(known, ..)| *known == name) {
        return Some(*shape);
    }
    let (layer, suffix) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'))?;
    // Accepts only the number as converters write it: `blk.01` is not the name of a layer.
    let is_layer = layer.parse().is_ok_and(|at: usize| at < config.num_hidden_layers && at.to_string() == layer);
    of_a_layer(config).find(|(known, _)| is_layer && *known == suffix).map(|(_, shape)| shape)
}

/// Whether the tensor belongs to a mixture of experts: `ffn_gate_inp` (router), `ffn_up_exps` (all experts), `ffn_up.3` (one
/// expert, in old files).
fn is_of_an_expert(name: &str) -> bool {
    let Some((_, suffix)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else { return false };
    let one_of_many = ["ffn_gate.", "ffn_up.", "ffn_down."]
        .iter()
        .any(|part| suffix.strip_prefix(part).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
    one_of_many || ["ffn_gate_inp", "_exps.", "_shexp."].iter().any(|part| suffix.contains(part))
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}
