//! Streams a model's tensors from its source to the device, one at a time and large ones in pieces, so that the file is
//! never in memory as a whole.

use burn::tensor::{DType, Tensor, TensorData};
use inshore_gguf::{GgmlType, Gguf, GgufError, ReadAt, TensorInfo, block};
use inshore_ops::{PackedLayout, PackedMatrix, QkvWeights, device::OpenDevice};

use crate::config::Config;
use crate::file::{ROPE_FREQS, check_shape};
use crate::llama::{DecoderLayer, Llama};
use crate::rope::{adjacent_row, rope_table};
use crate::{LoadProgress, ModelError};

/// Bytes read at a time.
const PIECE_BYTES: u64 = 4 << 20;

/// Loads weights by name.
pub struct Loader<'a, S: ReadAt, P: FnMut(LoadProgress)> {
    pub source: &'a S,
    pub gguf: &'a Gguf,
    pub config: &'a Config,
    pub device: &'a OpenDevice,
    pub exact: bool,
    pub on_progress: P,
    pub done_bytes: u64,
    pub total_bytes: u64,
    /// Tensors that were read, each once.
    pub read: usize,
}

impl<'a, S: ReadAt, P: FnMut(LoadProgress)> Loader<'a, S, P> {
    /// The whole decoder, with RoPE's table for `capacity` positions.
    ///
    /// # Errors
    /// Missing, misshapen or unreadable tensors; tensors that the device's buffers cannot hold.
    pub async fn llama(mut self, capacity: usize) -> Result<Llama, ModelError> {
        self.check_sizes()?;
        let config = self.config.clone();
        let (vocab, hidden) = (config.vocab_size, config.hidden_size);
        let embed_tokens = self.matrix("token_embd.weight", vocab, hidden).await?;
        let mut layers = Vec::new();
        for layer in 0..config.num_hidden_layers {
            layers.push(self.layer(layer).await?);
        }
        let norm = self.vector("output_norm.weight", hidden).await?;
        let lm_head = match self.gguf.tensors.get("output.weight") {
            Some(_) => self.matrix("output.weight", vocab, hidden).await?,
            None => embed_tokens.clone(),
        };
        let freq_factors = match self.gguf.tensors.get(ROPE_FREQS) {
            Some(_) => Some(self.values(ROPE_FREQS, config.rope_dim / 2).await?),
            None => None,
        };
        if let Some(&bad) = freq_factors.iter().flatten().find(|factor| !factor.is_normal()) {
            return Err(ModelError::InvalidHyperparameter { key: ROPE_FREQS.into(), value: bad.to_string() });
        }
        debug_assert_eq!(self.read, self.gguf.tensors.len(), "`check_tensors` knows what is read");
        let rope = rope_table(&config, capacity, freq_factors.as_deref(), &self.device.device);
        Ok(Llama { config, embed_tokens, layers, norm, lm_head, rope })
    }

    async fn layer(&mut self, index: usize) -> Result<DecoderLayer, ModelError> {
        let Config { hidden_size, intermediate_size, .. } = *self.config;
        let name = |suffix: &str| format!("blk.{index}.{suffix}");
        let q_rows = self.config.num_attention_heads * self.config.head_dim;
        let kv_rows = self.config.num_key_value_heads * self.config.head_dim;
        Ok(DecoderLayer {
            qkv: self.qkv(index, q_rows, kv_rows).await?,
            o_proj: self.matrix(&name("attn_output.weight"), hidden_size, q_rows).await?,
            post_attention_layernorm: self.vector(&name("ffn_norm.weight"), hidden_size).await?,
            gate_proj: self.matrix(&name("ffn_gate.weight"), intermediate_size, hidden_size).await?,
            up_proj: self.matrix(&name("ffn_up.weight"), intermediate_size, hidden_size).await?,
            down_proj: self.matrix(&name("ffn_down.weight"), hidden_size, intermediate_size).await?,
        })
    }

    async fn qkv(&mut self, index: usize, q_rows: usize, kv_rows: usize) -> Result<QkvWeights, ModelError> {
        let config = self.config;
        let norm = self.values(&format!("blk.{index}.attn_norm.weight"), config.hidden_size).await?;
        let mut layouts = Vec::new();
        let mut words = Vec::new();
        for (name, rows) in [("attn_q", q_rows), ("attn_k", kv_rows), ("attn_v", kv_rows)] {
            let place = |row| if name == "attn_v" { row } else { adjacent_row(row, config) };
            let name = format!("blk.{index}.{name}.weight");
            layouts.push(self.append_matrix(&name, (rows, config.hidden_size), place, &mut words).await?);
        }
        let bias = self.qkv_bias(index, q_rows, kv_rows).await?;
        Ok(QkvWeights::new(norm, [layouts[0], layouts[1], layouts[2]], words, bias.as_deref(), &self.device.device)?)
    }

    /// The biases of Q, K and V one behind the other, in the order of their rows.
    async fn qkv_bias(&mut self, index: usize, q_rows: usize, kv_rows: usize) -> Result<Option<Vec<f32>>, ModelError> {
        if !self.config.architecture.qkv_bias {
            return Ok(None);
        }
        let q = self.values(&format!("blk.{index}.attn_q.bias"), q_rows).await?;
        let k = self.values(&format!("blk.{index}.attn_k.bias"), kv_rows).await?;
        let v = self.values(&format!("blk.{index}.attn_v.bias"), kv_rows).await?;
        let mut all = vec![0.0; q_rows + 2 * kv_rows];
        for (row, &value) in q.iter().enumerate() {
            all[adjacent_row(row, self.config)] = value;
        }
        for (row, &value) in k.iter().enumerate() {
            all[q_rows + adjacent_row(row, self.config)] = value;
        }
        all[q_rows + kv_rows..].copy_from_slice(&v);
        Ok(Some(all))
    }

    async fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<PackedMatrix, ModelError> {
        let mut words = Vec::new();
        let layout = self.append_matrix(name, (rows, cols), |row| row, &mut words).await?;
        Ok(PackedMatrix::new(layout, words, &self.device.device)?)
    }

    /// Packs a matrix behind the words that are there; row `r` of the file becomes row `place(r)`.
    async fn append_matrix(
        &mut self,
        name: &str,
        (rows, cols): (usize, usize),
        place: impl Fn(usize) -> usize,
        words: &mut Vec<u32>,
    ) -> Result<PackedLayout, ModelError> {
        let info = self.tensor(name, &[rows as u64, cols as u64])?;
        let layout = PackedLayout::new(info.kind, rows, cols)?;
        let layout = if self.exact { layout } else { self.device.arrange(layout) };
        let piece_rows = (PIECE_BYTES / info.row_bytes().max(1)).max(1);
        let start = words.len();
        let bytes = layout.words() as u64 * 4;
        words.try_reserve(layout.words()).map_err(|_| GgufError::OutOfMemory { what: "a tensor", bytes })?;
        words.resize(start + layout.words(), 0);
        let mut first = 0;
        while first < rows as u64 {
            let count = piece_rows.min(rows as u64 - first);
            let piece = Gguf::read_rows(self.source, info, first, count).await?;
            check_finite(info, first, &piece)?;
            layout.pack_rows(first as usize, &piece, &place, &mut words[start..]);
            self.advance(piece.len() as u64);
            first += count;
        }
        Ok(layout)
    }

    async fn vector(&mut self, name: &str, len: usize) -> Result<Tensor<1>, ModelError> {
        let values = self.values(name, len).await?;
        Ok(self.upload(values))
    }

    async fn values(&mut self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        let info = self.tensor(name, &[1, len as u64])?;
        let bytes = Gguf::read_tensor(self.source, info).await?;
        check_finite(info, 0, &bytes)?;
        let mut values = vec![0.0; len];
        block::dequantize(info.kind, &bytes, &mut values)?;
        self.advance(bytes.len() as u64);
        Ok(values)
    }

    fn upload(&self, values: Vec<f32>) -> Tensor<1> {
        let shape = [values.len()];
        Tensor::from_data(TensorData::new(values, shape), (&self.device.device, DType::F32))
    }

    /// The tensor `name`, if its shape is `[rows, cols]`.
    fn tensor(&mut self, name: &str, expected: &[u64; 2]) -> Result<&'a TensorInfo, ModelError> {
        let info = self.gguf.tensor(name)?;
        self.read += 1;
        check_shape(info, *expected)?;
        Ok(info)
    }

    /// Refuses what the device cannot hold before anything is read.
    fn check_sizes(&self) -> Result<(), ModelError> {
        let Some(limit_bytes) = self.device.max_tensor_bytes else { return Ok(()) };
        let too_large = |info: &TensorInfo, bytes| {
            Err(ModelError::TensorTooLarge { name: info.name.clone(), kind: info.kind, bytes, limit_bytes })
        };
        if let Some(info) = self.gguf.tensors.iter().find(|info| packed_bytes(info) > limit_bytes) {
            return too_large(info, packed_bytes(info));
        }
        // The three projections of a layer are one tensor on the device.
        for layer in 0..self.config.num_hidden_layers {
            let part = |name: &str| self.gguf.tensors.get(&format!("blk.{layer}.{name}.weight"));
            let parts = ["attn_q", "attn_k", "attn_v"].into_iter().filter_map(part);
            let bytes = parts.clone().map(packed_bytes).fold(0, u64::saturating_add);
            if let Some(info) = parts.max_by_key(|info| info.bytes).filter(|_| bytes > limit_bytes) {
                return too_large(info, bytes);
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.done_bytes += bytes;
        (self.on_progress)(LoadProgress { done_bytes: self.done_bytes, total_bytes: self.total_bytes });
    }
}

/// Refuses weights that are NaN or infinite in `rows` of a tensor, the first of which is `first_row`.
fn check_finite(info: &TensorInfo, first_row: u64, rows: &[u8]) -> Result<(), ModelError> {
    let Some(block) = block::first_not_finite(info.kind, rows) else { return Ok(()) };
    let at = first_row * info.cols() + block as u64 * info.kind.block_len() as u64;
    Err(ModelError::NotFiniteWeight { name: info.name.clone(), at })
}

/// Bytes of a tensor on the device: rows padded to 32 bits.
fn packed_bytes(info: &TensorInfo) -> u64 {
    if info.kind == GgmlType::F32 { info.bytes } else { info.bytes.saturating_add(info.rows().saturating_mul(2)) }
}
