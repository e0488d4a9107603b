//! The tensors of an architecture. llama.cpp refuses files with others, as these would change what the model computes.

use inshore_gguf::{Gguf, GgufError};

use crate::ModelError;
use crate::config::Config;

/// Tensors beside those of the layers, and whether a file must have them.
const MODEL: [(&str, bool); 3] = [("token_embd.weight", true), ("output_norm.weight", true), ("output.weight", false)];

/// Tensors that every layer has, behind `blk.N.`.
const LAYER: [&str; 9] = [
    "attn_norm.weight",
    "attn_q.weight",
    "attn_k.weight",
    "attn_v.weight",
    "attn_output.weight",
    "ffn_norm.weight",
    "ffn_gate.weight",
    "ffn_up.weight",
    "ffn_down.weight",
];

/// Tensors of the layers of an architecture with biases.
const QKV_BIAS: [&str; 3] = ["attn_q.bias", "attn_k.bias", "attn_v.bias"];

/// Llama 3's RoPE scaling; llama.cpp reads it for `llama` and refuses it in files of `qwen2`.
pub const ROPE_FREQS: &str = "rope_freqs.weight";

/// Names that an error lists.
const SHOWN: usize = 5;

/// Compares the file's tensors with those of its architecture, by name; shapes are checked where they are read.
///
/// # Errors
/// [`ModelError::MixtureOfExperts`], [`ModelError::UnusedTensors`] or [`GgufError::MissingTensor`], and
/// [`ModelError::InvalidHyperparameter`] for more layers than there are tensors.
pub fn check(gguf: &Gguf, config: &Config) -> Result<(), ModelError> {
    if config.num_hidden_layers > gguf.tensors.len() {
        let key = format!("{}.block_count", config.architecture.name);
        return Err(ModelError::InvalidHyperparameter { key, value: config.num_hidden_layers.to_string() });
    }
    let unused = || gguf.tensors.iter().map(|info| info.name.as_str()).filter(|name| !is_used(name, config));
    if let Some(name) = unused().find(|name| is_of_an_expert(name)) {
        return Err(ModelError::MixtureOfExperts { found: format!("the tensor {}", shortened(name)) });
    }
    let count = unused().count();
    if count > 0 {
        let names: Vec<_> = unused().take(SHOWN).map(shortened).collect();
        return Err(ModelError::UnusedTensors { count, names });
    }
    let required = MODEL.iter().filter(|(_, required)| *required).map(|(name, _)| (*name).to_owned());
    let of_layers = (0..config.num_hidden_layers)
        .flat_map(|layer| layer_suffixes(config).map(move |suffix| format!("blk.{layer}.{suffix}")));
    match required.chain(of_layers).find(|name| gguf.tensors.get(name).is_none()) {
        Some(name) => Err(GgufError::MissingTensor { name }.into()),
        None => Ok(()),
    }
}

fn layer_suffixes(config: &Config) -> impl Iterator<Item = &'static str> {
    LAYER.into_iter().chain(QKV_BIAS.into_iter().filter(|_| config.architecture.qkv_bias))
}

/// Whether the decoder reads the tensor.
pub fn is_used(name: &str, config: &Config) -> bool {
    if MODEL.iter().any(|(known, _)| *known == name) || (name == ROPE_FREQS && config.architecture.rope_freqs) {
        return true;
    }
    let Some((layer, suffix)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else { return false };
    // The number as a converter writes it: `blk.01` names no layer that is read.
    let is_layer = layer.parse().is_ok_and(|at: usize| at < config.num_hidden_layers && at.to_string() == layer);
    is_layer && layer_suffixes(config).any(|known| known == suffix)
}

/// `ffn_gate_inp` (the router), `ffn_up_exps` (all experts), `ffn_up.3` (one of them, in old files).
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
