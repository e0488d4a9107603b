//! Decoders with weights made on the spot: for measuring shapes of which there is no file here.

use burn::tensor::{DType, Tensor, TensorData};
use inshore_gguf::GgmlType;
use inshore_ops::{OpsError, PackedLayout, PackedMatrix, QkvWeights, device::OpenDevice};

use crate::ModelError;
use crate::llama::{DecoderLayer, Llama};
use crate::rope::rope_table;
use crate::shape::ModelShape;

/// Makes weights of a shape, always the same ones.
pub struct Weights<'a> {
    shape: &'a ModelShape,
    device: &'a OpenDevice,
    noise: u64,
}

impl<'a> Weights<'a> {
    /// For `shape`, on `device`.
    pub const fn new(shape: &'a ModelShape, device: &'a OpenDevice) -> Self {
        Self { shape, device, noise: 0x9E37_79B9_7F4A_7C15 }
    }

    /// A decoder of `layers` layers and `vocab` words, with a RoPE table for `capacity` positions.
    ///
    /// # Errors
    /// [`ModelError`] for shapes that the block format does not fit.
    pub fn llama(&mut self, layers: usize, vocab: usize, capacity: usize) -> Result<Llama, ModelError> {
        let config = self.shape.config(layers, vocab);
        let embed_tokens = self.matrix(self.shape.embedding_kind(), vocab, self.shape.hidden)?;
        let layers = (0..layers).map(|_| self.layer()).collect::<Result<Vec<_>, _>>()?;
        let rope = rope_table(&config, capacity, None, &self.device.device);
        let lm_head = embed_tokens.clone();
        Ok(Llama { config, embed_tokens, layers, norm: self.ones(), lm_head, rope })
    }

    fn layer(&mut self) -> Result<DecoderLayer, ModelError> {
        let ModelShape { hidden, intermediate, heads, kv_heads, head_dim, .. } = *self.shape;
        let kind = self.shape.kind();
        Ok(DecoderLayer {
            qkv: {
                let layouts = [heads, kv_heads, kv_heads].map(|heads| self.layout(kind, heads * head_dim, hidden));
                let [q, k, v] = layouts;
                let layouts = [q?, k?, v?];
                let words = layouts.iter().flat_map(|layout| self.words(layout)).collect();
                QkvWeights::new(vec![1.0; hidden], layouts, words, None, &self.device.device)?
            },
            o_proj: self.matrix(kind, hidden, heads * head_dim)?,
            post_attention_layernorm: self.ones(),
            gate_proj: self.matrix(kind, intermediate, hidden)?,
            up_proj: self.matrix(kind, intermediate, hidden)?,
            down_proj: self.matrix(kind, hidden, intermediate)?,
        })
    }

    fn matrix(&mut self, kind: GgmlType, rows: usize, cols: usize) -> Result<PackedMatrix, ModelError> {
        let layout = self.layout(kind, rows, cols)?;
        Ok(PackedMatrix::new(layout, self.words(&layout), &self.device.device)?)
    }

    fn layout(&self, kind: GgmlType, rows: usize, cols: usize) -> Result<PackedLayout, OpsError> {
        Ok(self.device.arrange(PackedLayout::new(kind, rows, cols)?))
    }

    /// Every byte lies in 0x10 to 0x2F: as part of a scale, in any format and at any place, that is a small positive
    /// number and never a NaN or a subnormal, which would change the speed.
    fn words(&mut self, layout: &PackedLayout) -> Vec<u32> {
        let mut words = Vec::with_capacity(layout.words());
        words.resize_with(layout.words(), || {
            self.noise ^= self.noise << 13;
            self.noise ^= self.noise >> 7;
            self.noise ^= self.noise << 17;
            (self.noise >> 16) as u32 & 0x1F1F_1F1F | 0x1010_1010
        });
        words
    }

    fn ones(&self) -> Tensor<1> {
        let ones = vec![1.0f32; self.shape.hidden];
        Tensor::from_data(TensorData::new(ones, [self.shape.hidden]), (&self.device.device, DType::F32))
    }
}
