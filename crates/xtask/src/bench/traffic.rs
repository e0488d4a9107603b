//! Bytes that a token costs: every weight once, and the cache of every token before it.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use inshore_gguf::testing::block_on;
use inshore_gguf::{FileSource, Gguf, TensorInfo};
use serde::Serialize;

use super::contestant::Weights;

/// What decode reads, from the header of the model's file.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Traffic {
    /// All matrices that a token is multiplied with, as they are in the file, in bytes.
    pub weight_bytes: u64,
    /// Numbers in them.
    pub weights: u64,
    /// Numbers that the KV cache keeps for a token.
    pub kv_values_per_token: u64,
}

impl Traffic {
    /// Of the model in the file `path`.
    pub fn of(path: &Path) -> Result<Self> {
        let source = FileSource::new(File::open(path).with_context(|| format!("could not open {}", path.display()))?)?;
        Self::of_header(&block_on(Gguf::read(&source))?)
    }

    fn of_header(gguf: &Gguf) -> Result<Self> {
        // Of the embedding one row is read, unless it is the output matrix as well.
        let is_tied = gguf.tensors.get("output.weight").is_none();
        let is_read = |tensor: &&TensorInfo| tensor.name != "token_embd.weight" || is_tied;
        let (mut weight_bytes, mut weights) = (0, 0);
        for tensor in gguf.tensors.iter().filter(is_read) {
            weight_bytes += tensor.bytes;
            weights += tensor.values();
        }
        let architecture: &str = gguf.metadata.require("general.architecture")?;
        let layers = u64::from(gguf.metadata.require::<u32>(&format!("{architecture}.block_count"))?);
        let kv_width = gguf.tensor("blk.0.attn_k.weight")?.rows();
        Ok(Self { weight_bytes, weights, kv_values_per_token: 2 * layers * kv_width })
    }

    /// Bytes of one token's weights in the form that a contestant reads.
    pub const fn weight_bytes_as(&self, weights: Weights) -> u64 {
        match weights {
            Weights::Model => self.weight_bytes,
            // One scale of two bytes for 32 numbers.
            Weights::Q8_0 => self.weights + self.weights / 16,
            Weights::OnnxFp32 => self.weights * 4,
            Weights::OnnxInt8 => self.weights,
            // One scale of four bytes for 32 numbers.
            Weights::OnnxQ8 => self.weights + self.weights / 8,
        }
    }

    /// Bytes of the cache that a token reads at `context_tokens`, with numbers of `value_bytes`.
    pub const fn kv_bytes(&self, context_tokens: u64, value_bytes: u64) -> u64 {
        self.kv_values_per_token * context_tokens * value_bytes
    }
}

#[cfg(test)]
mod tests {
    use inshore_gguf::testing::GgufBuilder;
    use inshore_gguf::{GgmlType, Value};

    use super::*;

    fn traffic(tied: bool) -> Traffic {
        let mut file = GgufBuilder::new()
            .string("general.architecture", "llama")
            .metadata("llama.block_count", Value::U32(1))
            .tensor("token_embd.weight", GgmlType::Q8_0, &[32, 10], &[0.5; 320])
            .tensor("blk.0.attn_k.weight", GgmlType::Q4_1, &[32, 8], &[0.5; 256]);
        if !tied {
            file = file.tensor("output.weight", GgmlType::Q8_0, &[32, 10], &[0.5; 320]);
        }
        Traffic::of_header(&block_on(Gguf::read(&file.build())).expect("a whole file")).expect("a model")
    }

    #[test]
    fn a_tied_embedding_is_read_and_another_is_not() {
        assert_eq!(traffic(true).weight_bytes, 10 * 34 + 8 * 20);
        assert_eq!(traffic(false).weight_bytes, traffic(true).weight_bytes);
        assert_eq!(traffic(true).weights, 320 + 256);
    }

    #[test]
    fn the_cache_has_keys_and_values_of_every_layer() {
        assert_eq!(traffic(true).kv_bytes(100, 4), 2 * 8 * 100 * 4);
    }

    #[test]
    fn formats_have_their_size() {
        let traffic = traffic(true);
        assert_eq!(traffic.weight_bytes_as(Weights::OnnxFp32), 4 * 576);
        assert_eq!(traffic.weight_bytes_as(Weights::Q8_0), 576 / 32 * 34);
        assert_eq!(traffic.weight_bytes_as(Weights::OnnxQ8), 576 / 32 * 36);
    }
}
