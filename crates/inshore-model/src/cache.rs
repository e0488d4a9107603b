use burn::tensor::Device;
use inshore_ops::KvLayer;

use crate::config::Config;

/// Keys and values of all layers, allocated once for `capacity` tokens.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) layers: Vec<KvLayer>,
    pub(crate) tokens: usize,
    capacity: usize,
}

impl KvCache {
    /// An empty cache on `device`.
    pub fn new(config: &Config, capacity: usize, device: &Device) -> Self {
        let layer = |_| KvLayer::new(capacity, config.num_key_value_heads, config.head_dim, device);
        Self { layers: (0..config.num_hidden_layers).map(layer).collect(), tokens: 0, capacity }
    }

    /// Tokens that fit.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens in the cache.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Forgets all tokens. The memory stays: what lies past `tokens` is never read.
    pub const fn clear(&mut self) {
        self.tokens = 0;
    }

    /// Bytes of keys (or of values) of one layer in f32; both are one tensor.
    pub const fn layer_bytes(config: &Config, capacity: usize) -> u64 {
        (capacity * config.num_key_value_heads * config.head_dim * size_of::<f32>()) as u64
    }
}
