//! The one table of metadata keys: which are used, which change nothing, and with which values. A key that llama.cpp knows and that
//! is not listed as used or harmless is refused.

use inshore_gguf::{Array, GgufError, Metadata, Value};

use crate::ModelError;
use crate::config::Config;

/// How a key is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// It affects the computation.
    Used,
    /// It is checked or describes the file, and does not affect the computation.
    Known,
    /// Its meaning is unknown.
    Unknown,
}

/// Which values a key may have.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// The decoder, the tokenizer or the loader reads and checks it.
    Used,
    /// Any value of this type: it describes the file or belongs to other programs.
    Describes(Type),
    /// One of these values, which have the same effect as no key. Any other value would change what the model computes.
    Neutral(Neutral),
    /// No value: it belongs to models of another kind.
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    Number,
    Flag,
    Text,
    Any,
}

#[derive(Debug, Clone, Copy)]
enum Neutral {
    Is(bool),
    Zero,
    Integer(u64),
    /// Any of these numbers has no effect.
    Number(&'static [f64]),
    Text(&'static [&'static str]),
    EmptyArray,
    /// The scale that the decoder always uses, `1 / sqrt(head_dim)`, or 0.
    AttentionScale,
    /// A window that no context exceeds.
    WholeContext,
    HiddenSize,
}

use Neutral::{AttentionScale, EmptyArray, HiddenSize, Integer, Is, Number, Text, WholeContext, Zero};
use Rule::{Describes, Foreign, Neutral as Only, Used};

const OFF: Rule = Only(Number(&[0.0]));
/// Factors; converters write 0 for "none".
const ONE: Rule = Only(Number(&[0.0, 1.0]));
const NONE: Rule = Only(Zero);

/// Keys that follow the architecture's name and a dot.
const OF_ARCHITECTURE: &[(&str, Rule)] = &[
    ("vocab_size", Used),
    ("context_length", Used),
    ("embedding_length", Used),
    ("block_count", Used),
    ("feed_forward_length", Used),
    ("attention.head_count", Used),
    ("attention.head_count_kv", Used),
    ("attention.key_length", Used),
    ("attention.value_length", Used),
    ("attention.layer_norm_rms_epsilon", Used),
    ("rope.dimension_count", Used),
    ("rope.freq_base", Used),
    ("rope.scaling.type", Used),
    ("rope.scaling.factor", Used),
    ("rope.scale_linear", Used),
    // Parameters of YaRN, which itself is refused.
    ("rope.scaling.original_context_length", Describes(Type::Integer)),
    ("rope.scaling.finetuned", Describes(Type::Flag)),
    // The norms are RMS norms, which have their own epsilon.
    ("attention.layer_norm_epsilon", Describes(Type::Number)),
    ("rope.scaling.attn_factor", Only(Number(&[1.0]))),
    ("rope.scaling.alpha", OFF),
    ("attention.causal", Only(Is(true))),
    ("attention.scale", Only(AttentionScale)),
    ("attention.output_scale", ONE),
    ("attention.value_scale", ONE),
    ("attention.clamp_kqv", OFF),
    ("attention.max_alibi_bias", OFF),
    ("attention.sliding_window", Only(WholeContext)),
    ("use_parallel_residual", Only(Is(false))),
    ("use_alibi", Only(Is(false))),
    ("hidden_activation", Only(Text(&["silu", "swish"]))),
    // Order of the rows of Q and K; these are the names of the default order of `llama`.
    ("tensor_data_layout", Only(Text(&["reference", "Meta AI original pth"]))),
    ("embedding_length_out", Only(HiddenSize)),
    ("embedding_length_per_layer_input", NONE),
    ("logit_scale", ONE),
    ("residual_scale", ONE),
    ("embedding_scale", ONE),
    ("attn_logit_softcapping", OFF),
    ("final_logit_softcapping", OFF),
    ("router_logit_softcapping", OFF),
    ("pooling_type", NONE),
    ("leading_dense_block_count", NONE),
    ("nextn_predict_layers", NONE),
    ("n_deepstack_layers", NONE),
    ("expert_count", NONE),
    ("expert_used_count", NONE),
    ("expert_shared_count", NONE),
    ("expert_group_count", NONE),
    ("expert_group_used_count", NONE),
    ("expert_feed_forward_length", NONE),
    ("expert_shared_feed_forward_length", NONE),
    ("interleave_moe_layer_step", NONE),
    ("moe_every_n_layers", NONE),
    ("adapters.count", NONE),
    ("num_loops", Only(Integer(1))),
];

/// Keys that llama.cpp uses for other architectures, without the architecture's name. A final dot means all keys with this prefix.
#[rustfmt::skip]
const FOREIGN_OF_ARCHITECTURE: &[&str] = &[
    "activation.", "adapters.", "attention.compress_ratios", "attention.compress_rope_freq_base",
    "attention.decay_lora_rank", "attention.gate_lora_rank", "attention.group_norm_epsilon",
    "attention.group_norm_groups", "attention.iclr_lora_rank", "attention.indexer.", "attention.key_length_mla",
    "attention.key_length_mla_swa", "attention.key_length_swa", "attention.kv_lora_rank",
    "attention.kv_lora_rank_swa", "attention.output_group_count", "attention.output_lora_rank",
    "attention.q_lora_rank", "attention.recurrent_layers", "attention.relative_buckets_count",
    "attention.rope_pattern", "attention.shared_kv_layers", "attention.sliding_window_pattern",
    "attention.temperature_length", "attention.temperature_scale", "attention.value_length_mla",
    "attention.value_length_mla_swa", "attention.value_length_swa", "attention.value_residual_mix_lora_rank",
    "attn_res.", "block_size", "classifier.", "conv_group_size", "conv_kernel_size", "convnext.", "decision.",
    "decoder_block_count", "decoder_start_token_id", "deepstack_mapping", "dense_2_feat_in", "dense_2_feat_out",
    "dense_3_feat_in", "dense_3_feat_out", "expert_chunk_feed_forward_length", "expert_gating_func",
    "expert_group_scale", "expert_latent_length", "expert_weights_norm", "expert_weights_scale", "experts_per_group",
    "features_length", "full_attention_interval", "hash_layer_count", "hrm.", "hyper_connection.", "kda.",
    "moe_latent_size", "norm_before_fc", "norm_before_residual", "ple.", "posnet.", "rescale_every_n_layers",
    "rope.dimension_count_swa", "rope.dimension_sections", "rope.freq_base_swa", "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_log_multiplier", "selector_rank", "selector_top_k", "shortconv.", "skip_loop_final_norm",
    "ssm.", "swiglu_clamp_exp", "swiglu_clamp_shexp", "swin_norm", "target_hidden_size", "target_layers",
    "time_decay_extra_dim", "time_mix_extra_dim", "token_shift_count", "wkv.",
];

/// Whole keys. A final dot means all keys with this prefix.
const GENERAL: &[(&str, Rule)] = &[
    ("general.architecture", Used),
    ("general.alignment", Used),
    ("general.type", Used),
    ("general.name", Describes(Type::Text)),
    // Older versions of the block layouts predate GGUF.
    ("general.quantization_version", Only(Integer(2))),
    ("general.file_type", Describes(Type::Integer)),
    ("general.author", Describes(Type::Text)),
    ("general.version", Describes(Type::Text)),
    ("general.organization", Describes(Type::Text)),
    ("general.basename", Describes(Type::Text)),
    ("general.finetune", Describes(Type::Text)),
    ("general.description", Describes(Type::Text)),
    ("general.quantized_by", Describes(Type::Text)),
    ("general.size_label", Describes(Type::Text)),
    ("general.license", Describes(Type::Text)),
    ("general.license.", Describes(Type::Text)),
    ("general.url", Describes(Type::Text)),
    ("general.doi", Describes(Type::Text)),
    ("general.uuid", Describes(Type::Text)),
    ("general.repo_url", Describes(Type::Text)),
    ("general.source.", Describes(Type::Any)),
    ("general.base_model.", Describes(Type::Any)),
    ("general.dataset.", Describes(Type::Any)),
    ("general.datasets", Describes(Type::Any)),
    ("general.tags", Describes(Type::Any)),
    ("general.languages", Describes(Type::Any)),
    // Suggestions of the author; the request decides the sampling.
    ("general.sampling.", Describes(Type::Any)),
    ("general.tensor_extra.", Foreign),
    ("quantize.imatrix.", Describes(Type::Any)),
    ("split.no", Used),
    ("split.count", Used),
    ("split.tensors.count", Describes(Type::Integer)),
    ("adapter.", Foreign),
    ("xielu.", Foreign),
    ("tokenizer.chat_template", Used),
    // Templates for other purposes, by name.
    ("tokenizer.chat_template.", Describes(Type::Text)),
    ("tokenizer.chat_templates", Describes(Type::Any)),
    ("tokenizer.huggingface.json", Describes(Type::Text)),
    ("tokenizer.rwkv.world", Foreign),
    ("tokenizer.ggml.model", Used),
    ("tokenizer.ggml.pre", Used),
    ("tokenizer.ggml.tokens", Used),
    ("tokenizer.ggml.token_type", Used),
    ("tokenizer.ggml.scores", Used),
    ("tokenizer.ggml.merges", Used),
    ("tokenizer.ggml.bos_token_id", Used),
    ("tokenizer.ggml.eos_token_id", Used),
    ("tokenizer.ggml.eot_token_id", Used),
    ("tokenizer.ggml.eom_token_id", Used),
    ("tokenizer.ggml.unknown_token_id", Used),
    ("tokenizer.ggml.fim_pad_token_id", Used),
    ("tokenizer.ggml.fim_rep_token_id", Used),
    ("tokenizer.ggml.fim_sep_token_id", Used),
    ("tokenizer.ggml.add_bos_token", Used),
    ("tokenizer.ggml.add_eos_token", Used),
    ("tokenizer.ggml.add_space_prefix", Used),
    // Tokens that neither occur in a chat nor end an answer.
    ("tokenizer.ggml.padding_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.seperator_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.separator_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.cls_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.mask_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.fim_pre_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.fim_suf_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.fim_mid_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.prefix_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.suffix_token_id", Describes(Type::Integer)),
    ("tokenizer.ggml.middle_token_id", Describes(Type::Integer)),
    // Applies only to pairs of texts, which do not occur here.
    ("tokenizer.ggml.add_sep_token", Describes(Type::Flag)),
    ("tokenizer.ggml.token_type_count", Only(Integer(1))),
    ("tokenizer.ggml.remove_extra_whitespaces", Only(Is(false))),
    ("tokenizer.ggml.precompiled_charsmap", Only(EmptyArray)),
    ("tokenizer.ggml.normalizer.lowercase", Only(Is(false))),
    ("tokenizer.ggml.normalizer.strip_accents", Only(Is(false))),
    ("tokenizer.ggml.suppress_tokens", Only(EmptyArray)),
];

/// How a key of a file of `architecture` is treated.
pub fn use_of(key: &str, architecture: &str) -> KeyUse {
    match rule_of(key, architecture) {
        Some(Used) => KeyUse::Used,
        Some(_) => KeyUse::Known,
        None => KeyUse::Unknown,
    }
}

/// Returns an error for each refused key of the file.
pub fn refusals(metadata: &Metadata, config: &Config) -> impl Iterator<Item = ModelError> {
    metadata.iter().filter_map(|(key, value)| {
        let rule = rule_of(key, config.architecture.name)?;
        check(key, value, rule, config).err()
    })
}

fn rule_of(key: &str, architecture: &str) -> Option<Rule> {
    let own =
        key.strip_prefix(architecture).and_then(|rest| rest.strip_prefix('.')).filter(|_| !architecture.is_empty());
    let Some(own) = own else { return found(key, GENERAL) };
    let is_foreign = |known: &&str| *known == own || (known.ends_with('.') && own.starts_with(*known));
    found(own, OF_ARCHITECTURE).or_else(|| FOREIGN_OF_ARCHITECTURE.iter().any(is_foreign).then_some(Foreign))
}

/// Returns the rule of the key itself, or else that of its prefix.
fn found(key: &str, table: &[(&str, Rule)]) -> Option<Rule> {
    let exact = table.iter().find(|(known, _)| *known == key);
    let family = || table.iter().find(|(known, _)| known.ends_with('.') && key.starts_with(known));
    exact.or_else(family).map(|(_, rule)| *rule)
}

fn check(key: &str, value: &Value, rule: Rule, config: &Config) -> Result<(), ModelError> {
    let is_neutral = match rule {
        Used => return Ok(()),
        Describes(kind) => return of_type(key, value, kind),
        Foreign => false,
        Only(Zero) => integer(key, value)? == 0,
        Only(Integer(only)) => integer(key, value)? == i128::from(only),
        Only(HiddenSize) => integer(key, value)? == config.hidden_size as i128,
        Only(WholeContext) => {
            let window = integer(key, value)?;
            window == 0 || window >= config.max_position_embeddings as i128
        }
        Only(Is(only)) => {
            of_type(key, value, Type::Flag)?;
            *value == Value::Bool(only)
        }
        Only(Number(only)) => only.contains(&number(key, value)?),
        Only(AttentionScale) => {
            let scale = number(key, value)?;
            scale == 0.0 || (scale * (config.head_dim as f64).sqrt() - 1.0).abs() < 1e-6
        }
        Only(Text(only)) => {
            of_type(key, value, Type::Text)?;
            matches!(value, Value::String(text) if only.contains(&text.as_str()))
        }
        Only(EmptyArray) => match value {
            Value::Array(array) => array.is_empty(),
            _ => return Err(wrong_type(key, "an array", value)),
        },
    };
    if is_neutral {
        return Ok(());
    }
    Err(ModelError::UnsupportedMetadata { key: key.chars().take(96).collect(), value: shown(value) })
}

fn of_type(key: &str, value: &Value, wanted: Type) -> Result<(), ModelError> {
    let (fits, name) = match wanted {
        Type::Integer => (value.as_integer().is_some(), "an integer"),
        Type::Number => (matches!(value, Value::F32(_) | Value::F64(_)), "a floating-point number"),
        Type::Flag => (matches!(value, Value::Bool(_)), "a bool"),
        Type::Text => (matches!(value, Value::String(_)), "a string"),
        Type::Any => (true, ""),
    };
    if fits { Ok(()) } else { Err(wrong_type(key, name, value)) }
}

fn integer(key: &str, value: &Value) -> Result<i128, ModelError> {
    value.as_integer().ok_or_else(|| wrong_type(key, "an integer", value))
}

fn number(key: &str, value: &Value) -> Result<f64, ModelError> {
    match value {
        Value::F32(number) => Ok(f64::from(*number)),
        Value::F64(number) => Ok(*number),
        _ => Err(wrong_type(key, "a floating-point number", value)),
    }
}

fn wrong_type(key: &str, wanted: &'static str, value: &Value) -> ModelError {
    GgufError::WrongType { key: key.chars().take(96).collect(), wanted, found: value.type_name() }.into()
}

/// A value for a message, cut to a line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", text.chars().take(48).collect::<String>()),
        Value::F32(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(array) => shown_array(array),
        integer => integer.as_integer().map_or_else(String::new, |number| number.to_string()),
    }
}

fn shown_array(array: &Array) -> String {
    format!("an array of {} elements", array.len())
}
