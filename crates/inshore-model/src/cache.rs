use burn::tensor::Device;
use inshore_ops::device::{BackendKind, OpenDevice};
use inshore_ops::{KvFormat, KvLayer, PANEL_POSITIONS};

use crate::ModelError;
use crate::config::Config;
use crate::decode_graph::DecodeGraph;

/// Keys and values of all layers, allocated once for `capacity` tokens.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) layers: Vec<KvLayer>,
    /// The tokens in it, in order.
    ids: Vec<u32>,
    capacity: usize,
    appended: u64,
    /// The last decode step on this memory, to be launched again.
    pub(crate) step: Option<DecodeGraph>,
}

impl KvCache {
    /// An empty cache on `device` that keeps its numbers in `format`.
    pub fn new(config: &Config, capacity: usize, format: KvFormat, device: &Device) -> Self {
        let layer = |_| KvLayer::new(capacity, config.num_key_value_heads, config.head_dim, format, device);
        let layers = (0..config.num_hidden_layers).map(layer).collect();
        Self { layers, ids: Vec::with_capacity(capacity), capacity, appended: 0, step: None }
    }

    /// How `device` keeps keys and values where `format` is asked for: a GPU does not keep them as `q8_0`, and one that was not asked
    /// for by name keeps them as `f16` instead.
    ///
    /// # Errors
    /// [`ModelError::KvFormatOnGpu`] on a GPU that was asked for.
    pub fn format_on(format: KvFormat, device: &OpenDevice) -> Result<FormatOnDevice, ModelError> {
        match (format, device.backend, device.is_automatic) {
            (KvFormat::Q8_0, BackendKind::Wgpu, false) => Err(ModelError::KvFormatOnGpu { format: format.name() }),
            (KvFormat::Q8_0, BackendKind::Wgpu, true) => {
                let note =
                    "keys and values are kept as f16: a GPU does not keep them as q8_0; the CPU (device `cpu`) does";
                Ok(FormatOnDevice { format: KvFormat::F16, note: Some(note.to_owned()) })
            }
            _ => Ok(FormatOnDevice { format, note: None }),
        }
    }

    /// Tokens that fit.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens in the cache.
    pub const fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Tokens that were ever appended.
    pub const fn appended(&self) -> u64 {
        self.appended
    }

    /// Length of the longest beginning that `ids` and the cache have in common.
    pub fn common_prefix_len(&self, ids: &[u32]) -> usize {
        self.ids.iter().zip(ids).take_while(|(held, id)| held == id).count()
    }

    /// Forgets all tokens behind the first `tokens`. The memory stays, and what lies in it is never read: causal attention
    /// sees only positions that were written after it was set back.
    pub fn truncate(&mut self, tokens: usize) {
        self.ids.truncate(tokens);
    }

    /// Forgets all tokens, and what was recorded.
    pub fn clear(&mut self) {
        self.truncate(0);
        self.step = None;
    }

    /// Drops all tokens, and allocates again the memory that a panic lost.
    pub fn restore(&mut self) {
        self.clear();
        self.layers.iter_mut().for_each(KvLayer::restore);
    }

    /// Notes tokens whose keys and values all layers have got.
    pub(crate) fn append(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.appended += ids.len() as u64;
    }

    /// Bytes of keys and values of all layers, for `capacity` tokens rounded up to whole panels.
    ///
    /// # Errors
    /// [`ModelError::ContextTooLarge`] if the number overflows.
    pub fn bytes(config: &Config, capacity: usize, format: KvFormat, device: &Device) -> Result<u64, ModelError> {
        let layer = Self::layer_bytes(config, capacity, format, device)?;
        let bytes = layer.checked_mul(2).and_then(|bytes| bytes.checked_mul(config.num_hidden_layers as u64));
        bytes.ok_or_else(|| too_large(capacity, u64::MAX, u64::MAX))
    }

    /// Bytes of keys (or of values) of one layer; both are one tensor.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn layer_bytes(config: &Config, capacity: usize, format: KvFormat, device: &Device) -> Result<u64, ModelError> {
        let head_words = format.head_words(config.head_dim, device);
        kv_bytes(capacity, config.num_key_value_heads, head_words)
            .ok_or_else(|| too_large(capacity, u64::MAX, u64::MAX))
    }
}

/// The format that a device uses for keys and values.
#[derive(Debug)]
pub struct FormatOnDevice {
    pub format: KvFormat,
    /// Why it differs from the requested format.
    pub note: Option<String>,
}

/// Bytes of `heads` heads of `head_words` words for a context, in 64 bits on every platform: 131,072 tokens of Llama-3.2-1B take more
/// than 32 bits can count.
pub fn kv_bytes(capacity: usize, heads: usize, head_words: usize) -> Option<u64> {
    let positions = (capacity as u64).checked_next_multiple_of(PANEL_POSITIONS as u64)?;
    positions.checked_mul(heads as u64)?.checked_mul(head_words as u64)?.checked_mul(size_of::<u32>() as u64)
}

/// [`ModelError::ContextTooLarge`].
pub fn too_large(context_tokens: usize, bytes: u64, limit_bytes: u64) -> ModelError {
    ModelError::ContextTooLarge { context_tokens, bytes, limit_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With 32-bit addresses these products would wrap to 0 or a small number.
    #[test]
    fn sizes_that_32_bits_cannot_count() {
        // Llama-3.2-1B: 8 heads of 64 numbers in 16 layers.
        let llama = kv_bytes(131_072, 8, 64).expect("it fits 64 bits");
        assert_eq!((llama, 2 * 16 * llama), (1 << 28, 1 << 33));
        assert_eq!((2 * 16 * llama) as u32, 0, "what 32 bits make of it");
        assert_eq!(kv_bytes(1 << 20, 32, 128), Some(1 << 34));
        assert_eq!(kv_bytes(1 << 24, 1 << 24, 1 << 24), None);
        assert_eq!(kv_bytes(usize::MAX, 1, 1), None);
    }

    #[test]
    fn a_context_takes_whole_panels() {
        assert_eq!(kv_bytes(1, 2, 3), kv_bytes(16, 2, 3));
        assert_eq!(kv_bytes(16, 2, 3), Some(16 * 2 * 3 * 4));
        assert_eq!(kv_bytes(17, 2, 3), kv_bytes(32, 2, 3));
    }
}
