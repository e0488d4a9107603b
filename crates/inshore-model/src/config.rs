//! Hyperparameters, read from a GGUF file's metadata.

use inshore_gguf::{Gguf, Metadata};

use crate::ModelError;

/// Which values of a head RoPE rotates together in the file's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// Value `2i` with `2i + 1` (GGUF permutes Llama's weights so).
    Adjacent,
    /// Value `i` with `i + head_dim / 2` (GPT-NeoX).
    Halves,
}

/// An architecture that [`crate::Llama`] computes: a row of the table of variants.
#[derive(Debug, PartialEq, Eq)]
pub struct Architecture {
    /// `general.architecture`, also the prefix of its metadata keys.
    pub name: &'static str,
    /// Order of Q and K rows in the file.
    pub rope_pairs: RopePairs,
    /// Whether Q, K and V have biases.
    pub qkv_bias: bool,
    /// Whether a file may have a scale for each RoPE frequency (Llama 3).
    pub rope_freqs: bool,
}

/// All supported architectures.
pub const ARCHITECTURES: &[Architecture] = &[
    Architecture { name: "llama", rope_pairs: RopePairs::Adjacent, qkv_bias: false, rope_freqs: true },
    Architecture { name: "qwen2", rope_pairs: RopePairs::Halves, qkv_bias: true, rope_freqs: false },
];

/// Hyperparameters of a decoder. Names follow the checkpoint's `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The variant.
    pub architecture: &'static Architecture,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Values of a head that RoPE rotates.
    pub rope_dim: usize,
    /// RoPE's base.
    pub rope_theta: f32,
    /// RoPE's linear scaling: positions are divided by it.
    pub rope_linear_factor: f32,
    /// RMSNorm's epsilon.
    pub rms_norm_eps: f32,
    /// Context the model was trained for, in tokens.
    pub max_position_embeddings: usize,
    /// Rows of the embedding table.
    pub vocab_size: usize,
}

/// Sizes above this are damage, not models.
const MAX_SIZE: u32 = 1 << 24;

impl Config {
    /// Reads and checks the hyperparameters.
    ///
    /// # Errors
    /// [`ModelError::UnsupportedArchitecture`], [`ModelError::UnsupportedRopeScaling`],
    /// [`ModelError::InvalidHyperparameter`], and those of missing or mistyped metadata.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let vocab_size = usize::try_from(gguf.tensor("token_embd.weight")?.rows()).unwrap_or(usize::MAX);
        Self::from_metadata(&gguf.metadata, vocab_size)
    }

    /// Reads and checks the hyperparameters of a model with `vocab_size` words.
    ///
    /// # Errors
    /// As [`from_gguf`](Self::from_gguf).
    pub fn from_metadata(metadata: &Metadata, vocab_size: usize) -> Result<Self, ModelError> {
        let name: &str = metadata.require("general.architecture")?;
        let architecture = ARCHITECTURES.iter().find(|row| row.name == name).ok_or_else(|| {
            let supported = ARCHITECTURES.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            ModelError::UnsupportedArchitecture { architecture: name.chars().take(64).collect(), supported }
        })?;
        let keys = Keys { metadata, prefix: architecture.name };

        let hidden_size = keys.size("embedding_length")?;
        let num_attention_heads = keys.size("attention.head_count")?;
        let num_key_value_heads = keys.optional_size("attention.head_count_kv")?.unwrap_or(num_attention_heads);
        if !num_attention_heads.is_multiple_of(num_key_value_heads) {
            return Err(keys.invalid("attention.head_count_kv", num_key_value_heads));
        }
        let head_dim = match keys.optional_size("attention.key_length")? {
            Some(head_dim) => head_dim,
            None if hidden_size.is_multiple_of(num_attention_heads) => hidden_size / num_attention_heads,
            None => return Err(keys.invalid("attention.head_count", num_attention_heads)),
        };
        if let Some(value_dim) = keys.optional_size("attention.value_length")?.filter(|&dim| dim != head_dim) {
            return Err(keys.invalid("attention.value_length", value_dim));
        }
        // Rows of Q, which no width may wrap where an address has 32 bits.
        if num_attention_heads.checked_mul(head_dim).is_none_or(|rows| rows > MAX_SIZE as usize) {
            return Err(keys.invalid("attention.key_length", head_dim));
        }
        let rope_dim = keys.optional_size("rope.dimension_count")?.unwrap_or(head_dim);
        if rope_dim > head_dim || !rope_dim.is_multiple_of(2) || !head_dim.is_multiple_of(2) {
            return Err(keys.invalid("rope.dimension_count", rope_dim));
        }
        Ok(Self {
            architecture,
            num_hidden_layers: keys.size("block_count")?,
            hidden_size,
            intermediate_size: keys.size("feed_forward_length")?,
            num_attention_heads,
            num_key_value_heads,
            head_dim,
            rope_dim,
            rope_theta: keys.positive("rope.freq_base", 10_000.0)?,
            rope_linear_factor: keys.rope_linear_factor()?,
            rms_norm_eps: keys.required_positive("attention.layer_norm_rms_epsilon")?,
            max_position_embeddings: keys.size("context_length")?,
            vocab_size,
        })
    }
}

struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'static str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn invalid(&self, name: &str, value: impl ToString) -> ModelError {
        ModelError::InvalidHyperparameter { key: self.key(name), value: value.to_string() }
    }

    fn size(&self, name: &str) -> Result<usize, ModelError> {
        let value: u32 = self.metadata.require(&self.key(name))?;
        self.checked(name, value)
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.metadata.u32(&self.key(name))?.map(|value| self.checked(name, value)).transpose()
    }

    fn checked(&self, name: &str, value: u32) -> Result<usize, ModelError> {
        if value == 0 || value > MAX_SIZE { Err(self.invalid(name, value)) } else { Ok(value as usize) }
    }

    fn positive(&self, name: &str, default: f32) -> Result<f32, ModelError> {
        self.checked_positive(name, self.metadata.f32(&self.key(name))?.unwrap_or(default))
    }

    fn required_positive(&self, name: &str) -> Result<f32, ModelError> {
        self.checked_positive(name, self.metadata.require(&self.key(name))?)
    }

    fn checked_positive(&self, name: &str, value: f32) -> Result<f32, ModelError> {
        if value.is_finite() && value > 0.0 { Ok(value) } else { Err(self.invalid(name, value)) }
    }

    /// As llama.cpp reads them: a factor without a type is linear, a factor of 0 and the type `none` scale nothing, and
    /// `rope.scale_linear` is the factor's old name.
    fn rope_linear_factor(&self) -> Result<f32, ModelError> {
        let scaling = self.metadata.string(&self.key("rope.scaling.type"))?;
        let new = self.metadata.f32(&self.key("rope.scaling.factor"))?.map(|factor| ("rope.scaling.factor", factor));
        let old = self.metadata.f32(&self.key("rope.scale_linear"))?.map(|factor| ("rope.scale_linear", factor));
        match (scaling, new.or(old)) {
            (None | Some("none" | "linear"), None | Some((_, 0.0))) => Ok(1.0),
            (None | Some("linear"), Some((name, factor))) => self.checked_positive(name, factor),
            (Some("none"), Some((name, factor))) => self.checked_positive(name, factor).map(|_| 1.0),
            (Some(scaling), _) => {
                Err(ModelError::UnsupportedRopeScaling { scaling: scaling.chars().take(64).collect() })
            }
        }
    }
}
