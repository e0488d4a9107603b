//! What is told of a loaded model.

use std::collections::BTreeMap;

use inshore_gguf::Gguf;
use inshore_ops::{KvFormat, device::OpenDevice};
use serde::Serialize;

use crate::ModelError;
use crate::cache::KvCache;
use crate::config::Config;
use crate::file::unknown_keys;

/// What a loaded model is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// `general.name` of the file.
    pub name: String,
    /// Architecture, e.g. `llama`.
    pub architecture: &'static str,
    /// Weights, counted.
    pub parameters: u64,
    /// Block format that holds most of them, e.g. `Q4_1`.
    pub quantisation: String,
    /// Layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Size of the vocabulary.
    pub vocab: usize,
    /// Context the model was trained for.
    pub train_context_tokens: usize,
    /// Context that is allocated.
    pub context_tokens: usize,
    /// Packed weights.
    pub weight_bytes: u64,
    /// Keys and values of the whole context, of all conversations that are kept.
    pub kv_bytes: u64,
    /// How a number of theirs is kept: `f32`, `f16` or `q8_0`.
    pub kv_format: &'static str,
    /// Backend: `wgpu` or `flex`.
    pub backend: &'static str,
    /// Device, as its driver calls it.
    pub device: String,
    /// How a GPU computes products, as `inshore devices` writes plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_plan: Option<String>,
    /// Metadata keys of the file that are not known here and were ignored.
    pub unknown_keys: Vec<String>,
    /// Sentences for users about options that could not be met, and why.
    pub notes: Vec<String>,
    /// Time to load, from the first byte read to a warm device, in ms.
    pub load_ms: f64,
}

/// Memory for keys and values.
pub struct Memory {
    pub context_tokens: usize,
    pub kv_format: KvFormat,
    pub conversations: usize,
}

/// Describes a model; the time to load it is noted later.
///
/// # Errors
/// [`ModelError::ContextTooLarge`] for sizes that no number holds.
pub fn info(gguf: &Gguf, config: &Config, device: &OpenDevice, memory: Memory) -> Result<ModelInfo, ModelError> {
    let Memory { context_tokens, kv_format, conversations } = memory;
    let mut bytes_by_kind = BTreeMap::new();
    for tensor in gguf.tensors.iter() {
        *bytes_by_kind.entry(tensor.kind.name()).or_insert(0u64) += tensor.values();
    }
    let quantisation = bytes_by_kind.into_iter().max_by_key(|&(_, values)| values).map_or("", |(kind, _)| kind);
    let name = gguf.metadata.string("general.name").ok().flatten().unwrap_or("unnamed");
    let kv_bytes = KvCache::bytes(config, context_tokens, kv_format, &device.device)?;
    Ok(ModelInfo {
        name: name.to_owned(),
        architecture: config.architecture.name,
        parameters: gguf.tensors.iter().map(|tensor| tensor.values()).fold(0, u64::saturating_add),
        quantisation: quantisation.to_owned(),
        layers: config.num_hidden_layers,
        hidden: config.hidden_size,
        heads: config.num_attention_heads,
        kv_heads: config.num_key_value_heads,
        vocab: config.vocab_size,
        train_context_tokens: config.max_position_embeddings,
        context_tokens,
        weight_bytes: gguf.tensors.iter().map(|tensor| tensor.bytes).sum(),
        kv_bytes: kv_bytes.saturating_mul(conversations as u64),
        kv_format: kv_format.name(),
        backend: device.backend.name(),
        device: device.name.clone(),
        gpu_plan: device.plan().map(|plan| plan.to_string()),
        unknown_keys: unknown_keys(&gguf.metadata),
        notes: Vec::new(),
        load_ms: 0.0,
    })
}
