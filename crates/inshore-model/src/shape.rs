//! A model's shape, known from the first bytes of its file: enough to predict what it will cost, before it is fetched.

use burn::tensor::Device;
use inshore_gguf::{GgmlType, Gguf, GgufError, Peek};
use inshore_ops::KvFormat;
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::cache::kv_bytes;
use crate::config::{ARCHITECTURES, Config};
use crate::file::{check_keys, check_kind};

/// Sizes of a decoder and how its weights are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelShape {
    /// Layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Rows of the embedding table.
    pub vocab: usize,
    /// Context the model was trained for, in tokens.
    pub train_context_tokens: usize,
    /// Block format of most matrices, e.g. `Q4_1`.
    pub quantisation: String,
}

/// `general.file_type` of GGUF and the format that most matrices of such a file have.
const FILE_TYPES: [(u32, GgmlType); 14] = [
    (0, GgmlType::F32),
    (1, GgmlType::F16),
    (2, GgmlType::Q4_0),
    (3, GgmlType::Q4_1),
    (7, GgmlType::Q8_0),
    (8, GgmlType::Q5_0),
    (9, GgmlType::Q5_1),
    (14, GgmlType::Q4K),
    (15, GgmlType::Q4K),
    (16, GgmlType::Q5K),
    (17, GgmlType::Q5K),
    (18, GgmlType::Q6K),
    (30, GgmlType::F32),
    (32, GgmlType::Bf16),
];

impl ModelShape {
    /// Reads the shape from the first bytes of a GGUF file; 64 KB are more than enough for the files of usual converters.
    ///
    /// # Errors
    /// [`ModelError`] if these are no first bytes of a GGUF file, if they do not hold all hyperparameters, or if the
    /// architecture is not supported.
    pub fn from_prefix(prefix: &[u8]) -> Result<Self, ModelError> {
        let Peek { metadata, cut_array } = Gguf::peek(prefix)?;
        let vocab = match (metadata.get("tokenizer.ggml.tokens"), cut_array) {
            (Some(inshore_gguf::Value::Array(tokens)), _) => tokens.len() as u64,
            (_, Some((key, count))) if key == "tokenizer.ggml.tokens" => count,
            _ => return Err(GgufError::MissingKey { key: "tokenizer.ggml.tokens".to_owned() }.into()),
        };
        check_kind(&metadata)?;
        let config = Config::from_metadata(&metadata, usize::try_from(vocab).unwrap_or(usize::MAX))?;
        check_keys(&metadata, &config)?;
        let file_type: Option<u32> = metadata.u32("general.file_type")?;
        let kind = FILE_TYPES.iter().find(|(code, _)| Some(*code) == file_type).map_or(GgmlType::Q4_0, |row| row.1);
        Ok(Self {
            layers: config.num_hidden_layers,
            hidden: config.hidden_size,
            intermediate: config.intermediate_size,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            vocab: config.vocab_size,
            train_context_tokens: config.max_position_embeddings,
            quantisation: kind.name().to_owned(),
        })
    }

    /// Format of the layers' matrices.
    pub(crate) fn kind(&self) -> GgmlType {
        GgmlType::from_name(&self.quantisation).unwrap_or(GgmlType::Q4_0)
    }

    /// Format of the embedding table: converters keep it finer than 4 bits.
    pub(crate) fn embedding_kind(&self) -> GgmlType {
        match self.kind() {
            kind @ (GgmlType::F32 | GgmlType::F16 | GgmlType::Bf16 | GgmlType::Q8_0) => kind,
            _ if self.hidden.is_multiple_of(256) => GgmlType::Q6K,
            _ => GgmlType::Q8_0,
        }
    }

    /// Weights of one layer, counted.
    pub(crate) fn layer_values(&self) -> u64 {
        let [hidden, intermediate, heads, kv_heads, head_dim] =
            [self.hidden, self.intermediate, self.heads, self.kv_heads, self.head_dim].map(|size| size as u64);
        let attention = saturating_product(&[hidden, head_dim, 2, heads.saturating_add(kv_heads)]);
        attention.saturating_add(saturating_product(&[3, hidden, intermediate]))
    }

    /// Bytes of the packed weights, the output projection tied to the embedding. A size that no number holds is the largest
    /// number.
    pub fn weight_bytes(&self) -> u64 {
        let bytes =
            |values: u64, kind: GgmlType| values.saturating_mul(kind.block_bytes() as u64) / kind.block_len() as u64;
        let layers = self.layer_values().saturating_mul(self.layers as u64);
        let embedding = (self.vocab as u64).saturating_mul(self.hidden as u64);
        bytes(layers, self.kind()).saturating_add(bytes(embedding, self.embedding_kind()))
    }

    /// Bytes of keys and values of `context_tokens` on `device`, saturating as [`weight_bytes`](Self::weight_bytes).
    pub fn kv_bytes(&self, context_tokens: usize, format: KvFormat, device: &Device) -> u64 {
        let head_words = format.head_words(self.head_dim, device);
        let layer = kv_bytes(context_tokens, self.kv_heads, head_words).unwrap_or(u64::MAX);
        layer.saturating_mul(2).saturating_mul(self.layers as u64)
    }

    /// The same shape with other counts of layers and vocabulary, as hyperparameters.
    pub(crate) fn config(&self, layers: usize, vocab: usize) -> Config {
        Config {
            architecture: &ARCHITECTURES[0],
            num_hidden_layers: layers,
            hidden_size: self.hidden,
            intermediate_size: self.intermediate,
            num_attention_heads: self.heads,
            num_key_value_heads: self.kv_heads,
            head_dim: self.head_dim,
            rope_dim: self.head_dim,
            rope_theta: 10_000.0,
            rope_linear_factor: 1.0,
            rms_norm_eps: 1e-5,
            max_position_embeddings: self.train_context_tokens,
            vocab_size: vocab,
        }
    }

    /// Refuses sizes that no decoder has, before anything is allocated for them.
    ///
    /// # Errors
    /// [`ModelError::InvalidHyperparameter`].
    pub fn check(&self) -> Result<(), ModelError> {
        const MAX_WIDTH: usize = 1 << 17;
        for (key, value, limit) in [
            ("layers", self.layers, 1 << 10),
            ("hidden", self.hidden, MAX_WIDTH),
            ("intermediate", self.intermediate, MAX_WIDTH),
            ("heads", self.heads, 1 << 10),
            ("kvHeads", self.kv_heads, self.heads),
            ("headDim", self.head_dim, 1 << 10),
            ("vocab", self.vocab, 1 << 22),
            ("trainContextTokens", self.train_context_tokens, 1 << 24),
        ] {
            if value == 0 || value > limit {
                return Err(ModelError::InvalidHyperparameter { key: key.to_owned(), value: value.to_string() });
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) || !self.head_dim.is_multiple_of(2) {
            let value = format!("{} heads of {}, {} of keys", self.heads, self.head_dim, self.kv_heads);
            return Err(ModelError::InvalidHyperparameter { key: "kvHeads".to_owned(), value });
        }
        Ok(())
    }
}

fn saturating_product(factors: &[u64]) -> u64 {
    factors.iter().fold(1, |product, &factor| product.saturating_mul(factor))
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::tiny_llama;

    #[test]
    fn the_shape_is_in_the_first_bytes() {
        let file = tiny_llama(1);
        let whole = ModelShape::from_prefix(&file).unwrap();
        assert_eq!((whole.layers, whole.hidden, whole.heads, whole.kv_heads, whole.vocab), (2, 64, 4, 2, 258));
        // The vocabulary's length stands before its words.
        assert_eq!(ModelShape::from_prefix(&file[..700]).unwrap(), whole);
        whole.check().unwrap();
        for len in 0..file.len().min(4096) {
            let _ = ModelShape::from_prefix(&file[..len]);
        }
        assert!(ModelShape::from_prefix(b"GGUF").is_err());
        assert!(ModelShape::from_prefix(b"<html>").is_err());
        assert!(ModelShape { heads: 0, ..whole.clone() }.check().is_err());
        assert!(ModelShape { vocab: usize::MAX, ..whole }.check().is_err());
    }

    #[test]
    fn bytes_are_those_of_smollm2() {
        let shape = ModelShape {
            layers: 30,
            hidden: 576,
            intermediate: 1536,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            vocab: 49152,
            train_context_tokens: 8192,
            quantisation: "Q4_1".to_owned(),
        };
        // The file has 98,362,432 bytes, with header and norms.
        assert_eq!(shape.weight_bytes(), 96_436_224);
        let kv_bytes = |format| shape.kv_bytes(2048, format, &Device::flex());
        let (numbers, runs) = (2 * 30 * 2048 * 192, 2 * 30 * 2048 * 6);
        assert_eq!(kv_bytes(KvFormat::F32), numbers * 4);
        assert_eq!(kv_bytes(KvFormat::F16), numbers * 2 + runs * 4);
        assert_eq!(kv_bytes(KvFormat::Q8_0), numbers + runs * 4);
    }

    #[test]
    fn sizes_that_32_bits_cannot_count() {
        let llama = ModelShape {
            layers: 16,
            hidden: 2048,
            intermediate: 8192,
            heads: 32,
            kv_heads: 8,
            head_dim: 64,
            vocab: 128_256,
            train_context_tokens: 131_072,
            quantisation: "F32".to_owned(),
        };
        assert_eq!(llama.kv_bytes(131_072, KvFormat::F32, &Device::flex()), 1 << 33);
        assert_eq!(llama.kv_bytes(1, KvFormat::F32, &Device::flex()), 16 * (1 << 16), "whole panels of positions");
        assert_eq!(llama.weight_bytes(), (16 * 60_817_408 + 128_256 * 2048) * 4);
        let absurd = ModelShape { layers: usize::MAX, hidden: usize::MAX, vocab: usize::MAX, ..llama };
        assert_eq!(absurd.weight_bytes(), u64::MAX);
        assert_eq!(absurd.kv_bytes(1 << 20, KvFormat::F32, &Device::flex()), u64::MAX);
    }
}
