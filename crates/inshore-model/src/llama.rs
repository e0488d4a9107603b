//! The Llama decoder (arXiv 2302.13971) and its close kin: pre-norm blocks of grouped-query attention with RoPE and a
//! SwiGLU feed-forward layer.

use burn::tensor::{Int, Tensor};
use inshore_ops::{
    Heads, KvLayer, PackedMatrix, Position, QkvInputs, QkvWeights, WeightStreams, all_logits, attention, embed,
    gated_mlp, linear_add, logits, qkv_rope,
};

use crate::{cache::KvCache, config::Config};

/// A decoder with its weights. Field names equal the checkpoint's.
#[derive(Debug)]
pub struct Llama {
    pub(crate) config: Config,
    pub(crate) embed_tokens: PackedMatrix,
    pub(crate) layers: Vec<DecoderLayer>,
    pub(crate) norm: Tensor<1>,
    /// The output projection; the embedding table itself where they are tied.
    pub(crate) lm_head: PackedMatrix,
    /// Cosines and sines, `[capacity, head_dim]`.
    pub(crate) rope: Tensor<2>,
}

/// One block.
#[derive(Debug)]
pub struct DecoderLayer {
    /// `input_layernorm`, `q_proj`, `k_proj`, `v_proj`.
    pub(crate) qkv: QkvWeights,
    pub(crate) o_proj: PackedMatrix,
    pub(crate) post_attention_layernorm: Tensor<1>,
    pub(crate) gate_proj: PackedMatrix,
    pub(crate) up_proj: PackedMatrix,
    pub(crate) down_proj: PackedMatrix,
}

impl Llama {
    /// Runs new tokens through the model, appends them to the cache and gives the logits of the last one.
    ///
    /// # Shapes
    /// `input`: the tokens `ids` on the device, perhaps with something behind them → `[vocab]`. The caller keeps
    /// `cache.tokens() + ids.len()` within the cache's capacity.
    pub fn forward(&self, input: Tensor<1, Int>, ids: &[u32], cache: &mut KvCache) -> Tensor<1> {
        let x = self.hidden(input, ids, cache);
        logits(x, &self.norm, self.config.rms_norm_eps, &self.lm_head)
    }

    /// As [`forward`](Self::forward), with the logits of all the tokens: `[tokens, vocab]`.
    pub fn forward_all(&self, input: Tensor<1, Int>, ids: &[u32], cache: &mut KvCache) -> Tensor<2> {
        let x = self.hidden(input, ids, cache);
        all_logits(x, &self.norm, self.config.rms_norm_eps, &self.lm_head)
    }

    /// As [`forward`](Self::forward) for one token, at a position that may be another when the launches are repeated; the caller
    /// appends the token.
    pub(crate) fn forward_at(&self, input: Tensor<1, Int>, position: &Position, cache: &mut KvCache) -> Tensor<1> {
        let x = self.layers_at(input, 1, position, cache);
        logits(x, &self.norm, self.config.rms_norm_eps, &self.lm_head)
    }

    /// Sets how a CPU reads the matrices for one token.
    pub(crate) fn set_streams(&mut self, streams: WeightStreams) {
        for layer in &mut self.layers {
            let DecoderLayer { qkv, o_proj, gate_proj, up_proj, down_proj, .. } = layer;
            qkv.set_streams(streams);
            [o_proj, gate_proj, up_proj, down_proj].into_iter().for_each(|matrix| matrix.set_streams(streams));
        }
        self.embed_tokens.set_streams(streams);
        self.lm_head.set_streams(streams);
    }

    /// The last layer's output: `[tokens, hidden]`.
    fn hidden(&self, input: Tensor<1, Int>, ids: &[u32], cache: &mut KvCache) -> Tensor<2> {
        let position = Position::new(cache.tokens(), &input.device());
        let x = self.layers_at(input, ids.len(), &position, cache);
        cache.append(ids);
        x
    }

    fn layers_at(&self, input: Tensor<1, Int>, tokens: usize, position: &Position, cache: &mut KvCache) -> Tensor<2> {
        let mut x = embed(input, tokens, &self.embed_tokens);
        for (layer, kv) in self.layers.iter().zip(&mut cache.layers) {
            x = layer.forward(x, kv, self, position);
        }
        x
    }
}

impl DecoderLayer {
    /// `h = x + Attention(Norm(x))`, `out = h + MLP(Norm(h))`.
    ///
    /// # Shapes
    /// `x: [tokens, hidden]` → `[tokens, hidden]`.
    fn forward(&self, x: Tensor<2>, kv: &mut KvLayer, model: &Llama, position: &Position) -> Tensor<2> {
        let Config {
            num_attention_heads: heads, num_key_value_heads: kv_heads, head_dim, rms_norm_eps: norm_eps, ..
        } = model.config;
        let q = qkv_rope(x.clone(), &self.qkv, kv, QkvInputs { rope: &model.rope, head_dim, norm_eps, position });
        let attended = attention(q, kv, Heads { heads, kv_heads, head_dim }, position);
        let h = linear_add(attended, &self.o_proj, x);
        let gated = gated_mlp(h.clone(), &self.post_attention_layernorm, norm_eps, &self.gate_proj, &self.up_proj);
        linear_add(gated, &self.down_proj, h)
    }
}
