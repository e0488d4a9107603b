//! The backend extension: what a backend must compute for a decoder to run on it.

use burn::backend::{
    Backend, ExtensionType, backend_extension,
    tensor::{FloatTensor, IntTensor},
};

use crate::{KvFormat, PackedLayout, SampleParams};

/// Shapes and constants of [`DecoderOps::qkv_rope`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QkvShape {
    /// Query projection, `[heads * head_dim, hidden]`.
    pub q: PackedLayout,
    /// Key projection, `[kv_heads * head_dim, hidden]`.
    pub k: PackedLayout,
    /// Value projection, `[kv_heads * head_dim, hidden]`.
    pub v: PackedLayout,
    /// Width of a head.
    pub head_dim: usize,
    /// RMSNorm's epsilon.
    pub norm_eps: f32,
    /// Whether the projections have biases.
    pub has_bias: bool,
    /// Tokens already in the cache: the new ones take positions `position..position + tokens`.
    pub position: usize,
    /// What the cache keeps.
    pub kv_format: KvFormat,
}

/// Shapes of [`DecoderOps::attention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; `heads` is a multiple of it (grouped-query attention, arXiv 2305.13245).
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Tokens that were in the cache before the queries' own; query `t` sees `0..=position + t`.
    pub position: usize,
    /// What the cache keeps.
    pub kv_format: KvFormat,
}

/// Weights of [`DecoderOps::qkv_rope`].
#[derive(ExtensionType)]
pub struct QkvTensors<B: Backend> {
    /// RMSNorm weight, `[hidden]`; behind it the biases of q, k and v where there are any, `[(heads + 2 * kv_heads) *
    /// head_dim]`. One tensor, and the projections too, as WebGPU promises a kernel no more than eight.
    pub norm: FloatTensor<B>,
    /// Packed projections of q, k and v, one behind the other.
    pub words: IntTensor<B>,
    /// Cosines and sines, `[capacity, head_dim]`: row `p` holds `cos, sin` of `p * theta_i` for each pair `i`.
    pub rope: FloatTensor<B>,
    /// [`QkvShape::position`] as a word, so that on a GPU nothing else of a launch changes from token to token.
    pub position: IntTensor<B>,
}

/// Keys and values of one layer, and the queries beside them where [`DecoderOps::qkv_rope`] returns them.
#[derive(ExtensionType)]
pub struct KvTensors<B: Backend> {
    /// Queries of the new tokens, `[tokens, heads, head_dim]`, rotated; on input an unused tensor of any shape.
    pub q: FloatTensor<B>,
    /// Keys, rotated, then values: `[2, capacity, kv_heads]` of the [words](KvFormat::head_words) of a head.
    pub cache: IntTensor<B>,
}

/// The operations of a decoder with packed weights. Activations are f32, packed weights are words of [`PackedLayout`]
/// in an unsigned 32-bit tensor. Callers go through the functions at the crate's root.
#[cfg_attr(feature = "gpu", backend_extension(Cube, Flex))]
#[cfg_attr(not(feature = "gpu"), backend_extension(Flex))]
pub trait DecoderOps: Backend {
    /// Rows `ids` of `table`, dequantised: the first `tokens` of `[ids]` → `[tokens, cols]`. So the result of
    /// [`sample`](Self::sample) is an input as it is. An id past the last row counts as the last row.
    fn embed(ids: IntTensor<Self>, tokens: usize, table: IntTensor<Self>, layout: PackedLayout) -> FloatTensor<Self>;

    /// RMSNorm, the three projections (plus bias), RoPE on q and k, append of k and v to the cache.
    ///
    /// # Shapes
    /// `x: [tokens, hidden]`; the cache's tensor is updated in place where it is not shared, and returned.
    /// RoPE (arXiv 2104.09864) rotates adjacent pairs: `(a, b) → (a cos − b sin, a sin + b cos)`.
    fn qkv_rope(
        x: FloatTensor<Self>,
        #[extension_type] weights: QkvTensors<Self>,
        #[extension_type] cache: KvTensors<Self>,
        shape: QkvShape,
    ) -> KvTensors<Self>;

    /// Causal softmax attention, scale `1 / sqrt(head_dim)`.
    ///
    /// # Shapes
    /// `q: [tokens, heads, head_dim]`, `cache: [2, capacity, kv_heads, head_words]` → `[tokens, heads * head_dim]`;
    /// `position`: [`AttentionShape::position`] as a word.
    fn attention(
        q: FloatTensor<Self>,
        cache: IntTensor<Self>,
        position: IntTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;

    /// `residual + x Wᵀ`: `x: [tokens, cols]`, `residual: [tokens, rows]` → `[tokens, rows]`.
    fn linear_add(
        x: FloatTensor<Self>,
        weight: IntTensor<Self>,
        residual: FloatTensor<Self>,
        layout: PackedLayout,
    ) -> FloatTensor<Self>;

    /// `SiLU(n Wgᵀ) * (n Wuᵀ)` with `n = RMSNorm(x)`: `[tokens, cols]` → `[tokens, rows]`. `layouts` of gate and up
    /// (same shape, maybe different formats).
    fn gated_mlp(
        x: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        gate: IntTensor<Self>,
        up: IntTensor<Self>,
        layouts: (PackedLayout, PackedLayout),
        norm_eps: f32,
    ) -> FloatTensor<Self>;

    /// `RMSNorm(x) Wᵀ` of the rows of x from `first` on, one behind the other: `[tokens, cols]` → `[(tokens − first) *
    /// rows]`.
    fn logits(
        x: FloatTensor<Self>,
        first: usize,
        norm: FloatTensor<Self>,
        weight: IntTensor<Self>,
        layout: PackedLayout,
        norm_eps: f32,
    ) -> FloatTensor<Self>;

    /// Draws a token from `logits: [vocab]`; see [`crate::sample`] for the algorithm.
    ///
    /// # Shapes
    /// `history: [entries * 2 + 1]` pairs of token id and count for the penalties (at least one pair; count 0 is ignored), then the noise's key;
    /// result `[2 + 2 * top_logprobs]` words, read by [`crate::Sampled::from_words`].
    fn sample(logits: FloatTensor<Self>, history: IntTensor<Self>, params: SampleParams) -> IntTensor<Self>;
}
