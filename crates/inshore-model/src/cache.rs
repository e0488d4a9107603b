use burn::tensor::Device;
use inshore_ops::device::{BackendKind, OpenDevice};
use inshore_ops::{KvFormat, KvLayer};

use crate::ModelError;
use crate::config::Config;
use crate::recorded::RecordedStep;

/// Keys and values of all layers, allocated once for `capacity` tokens.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) layers: Vec<KvLayer>,
    /// The tokens in it, in order.
    ids: Vec<u32>,
    capacity: usize,
    appended: u64,
    /// The last decode step on this memory, to be launched again.
    pub(crate) step: Option<RecordedStep>,
}

impl KvCache {
    /// An empty cache on `device` that keeps its numbers in `format`.
    pub fn new(config: &Config, capacity: usize, format: KvFormat, device: &Device) -> Self {
        let layer = |_| KvLayer::new(capacity, config.num_key_value_heads, config.head_dim, format, device);
        let layers = (0..config.num_hidden_layers).map(layer).collect();
        Self { layers, ids: Vec::with_capacity(capacity), capacity, appended: 0, step: None }
    }

    /// Whether `device` keeps keys and values in `format`.
    ///
    /// # Errors
    /// [`ModelError::KvFormatOnGpu`] where it does not.
    pub fn check_format(format: KvFormat, device: &OpenDevice) -> Result<(), ModelError> {
        match (format, device.backend) {
            (KvFormat::Q8_0, BackendKind::Wgpu) => Err(ModelError::KvFormatOnGpu { format: format.name() }),
            _ => Ok(()),
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
    pub fn shared(&self, ids: &[u32]) -> usize {
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

    /// Notes tokens whose keys and values all layers have got.
    pub(crate) fn append(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.appended += ids.len() as u64;
    }

    /// Bytes of keys (or of values) of one layer; both are one tensor.
    pub fn layer_bytes(config: &Config, capacity: usize, format: KvFormat, device: &Device) -> u64 {
        (capacity * config.num_key_value_heads * format.head_words(config.head_dim, device) * size_of::<u32>()) as u64
    }
}
