//! The operations on Burn's tensors: thin wrappers around the backend extension.

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::{OpsError, PackedLayout, SampleParams};

/// A weight matrix that stays quantised in the device's memory.
#[derive(Debug, Clone)]
pub struct PackedMatrix {
    words: Tensor<1, Int>,
    layout: PackedLayout,
}

impl PackedMatrix {
    /// Puts words packed by [`PackedLayout::pack`] or [`PackedLayout::pack_rows`] on `device`.
    ///
    /// # Errors
    /// [`OpsError::WrongByteCount`] if `words` is not the whole matrix.
    pub fn new(layout: PackedLayout, words: Vec<u32>, device: &Device) -> Result<Self, OpsError> {
        if words.len() != layout.words() {
            let PackedLayout { kind, rows, cols, .. } = layout;
            let (expected_bytes, actual_bytes) = (layout.words() * 4, words.len() * 4);
            return Err(OpsError::WrongByteCount { kind, rows, cols, expected_bytes, actual_bytes });
        }
        let shape = [words.len()];
        let words = Tensor::from_data(TensorData::new(words, shape), (device, DType::U32));
        Ok(Self { words, layout })
    }

    /// Format and shape.
    pub const fn layout(&self) -> PackedLayout {
        self.layout
    }
}

/// The weights that turn a layer's input into queries, keys and values.
#[derive(Debug, Clone)]
pub struct QkvWeights {
    /// RMSNorm weight, `[hidden]`.
    pub norm: Tensor<1>,
    /// Query projection.
    pub q: PackedMatrix,
    /// Key projection.
    pub k: PackedMatrix,
    /// Value projection.
    pub v: PackedMatrix,
    /// Biases of q, k and v one behind the other, where the architecture has them.
    pub bias: Option<Tensor<1>>,
}

/// Keys and values of one layer: `[capacity, kv_heads, head_dim]` each, allocated once.
#[derive(Debug)]
pub struct KvLayer {
    // `None` only while an operation holds the tensors, so that a CPU backend sees them unshared and writes in place.
    tensors: Option<(Tensor<3>, Tensor<3>)>,
    unused: Tensor<1>,
}

impl KvLayer {
    /// An empty cache for `capacity` tokens.
    pub fn new(capacity: usize, kv_heads: usize, head_dim: usize, device: &Device) -> Self {
        let zeros = || Tensor::<3>::zeros([capacity, kv_heads, head_dim], (device, DType::F32));
        Self { tensors: Some((zeros(), zeros())), unused: Tensor::zeros([1], (device, DType::F32)) }
    }
}

/// Rows of an embedding table: ids `[tokens]` → `[tokens, hidden]`.
pub fn embed(ids: Tensor<1, Int>, table: &PackedMatrix) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::embed(ids.into_dispatch(), table.words.clone().into_dispatch(), table.layout))
}

/// Position-dependent inputs of [`qkv_rope`].
#[derive(Debug, Clone, Copy)]
pub struct QkvInputs<'a> {
    /// Cosines and sines, `[capacity, head_dim]`.
    pub rope: &'a Tensor<2>,
    /// Width of a head.
    pub head_dim: usize,
    /// RMSNorm's epsilon.
    pub norm_eps: f32,
    /// Tokens already in the cache.
    pub position: usize,
}

/// RMSNorm, Q, K and V projections, RoPE; keys and values go into `cache`.
/// `x: [tokens, hidden]` → queries `[tokens, heads, head_dim]`.
pub fn qkv_rope(x: Tensor<2>, weights: &QkvWeights, cache: &mut KvLayer, inputs: QkvInputs<'_>) -> Tensor<3> {
    let shape = QkvShape {
        q: weights.q.layout,
        k: weights.k.layout,
        v: weights.v.layout,
        head_dim: inputs.head_dim,
        norm_eps: inputs.norm_eps,
        has_bias: weights.bias.is_some(),
        position: inputs.position,
    };
    let tensors = QkvTensors {
        norm: weights.norm.clone().into_dispatch(),
        q: weights.q.words.clone().into_dispatch(),
        k: weights.k.words.clone().into_dispatch(),
        v: weights.v.words.clone().into_dispatch(),
        bias: weights.bias.as_ref().unwrap_or(&cache.unused).clone().into_dispatch(),
        rope: inputs.rope.clone().into_dispatch(),
    };
    let (k, v) = cache.tensors.take().expect("the cache is given back by every operation");
    let held = KvTensors { q: cache.unused.clone().into_dispatch(), k: k.into_dispatch(), v: v.into_dispatch() };
    let out = Dispatch::qkv_rope(x.into_dispatch(), tensors, held, shape);
    cache.tensors = Some((Tensor::from_dispatch(out.k), Tensor::from_dispatch(out.v)));
    Tensor::from_dispatch(out.q)
}

/// Causal grouped-query attention of `q: [tokens, heads, head_dim]` over the cache → `[tokens, heads * head_dim]`.
pub fn attention(q: Tensor<3>, cache: &KvLayer, shape: AttentionShape) -> Tensor<2> {
    let (k, v) = cache.tensors.as_ref().expect("the cache is given back by every operation");
    Tensor::from_dispatch(Dispatch::attention(
        q.into_dispatch(),
        k.clone().into_dispatch(),
        v.clone().into_dispatch(),
        shape,
    ))
}

/// `residual + x Wᵀ`: `[tokens, in]`, `[tokens, out]` → `[tokens, out]`.
pub fn linear_add(x: Tensor<2>, weight: &PackedMatrix, residual: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::linear_add(
        x.into_dispatch(),
        weight.words.clone().into_dispatch(),
        residual.into_dispatch(),
        weight.layout,
    ))
}

/// `SiLU(n Wgᵀ) * (n Wuᵀ)`, `n = RMSNorm(x)`: `[tokens, hidden]` → `[tokens, intermediate]`.
pub fn gated_mlp(x: Tensor<2>, norm: &Tensor<1>, norm_eps: f32, gate: &PackedMatrix, up: &PackedMatrix) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::gated_mlp(
        x.into_dispatch(),
        norm.clone().into_dispatch(),
        gate.words.clone().into_dispatch(),
        up.words.clone().into_dispatch(),
        (gate.layout, up.layout),
        norm_eps,
    ))
}

/// Logits of the last position: `[tokens, hidden]` → `[vocab]`.
pub fn logits(x: Tensor<2>, norm: &Tensor<1>, norm_eps: f32, weight: &PackedMatrix) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::logits(
        x.into_dispatch(),
        norm.clone().into_dispatch(),
        weight.words.clone().into_dispatch(),
        weight.layout,
        norm_eps,
    ))
}

/// Draws a token on the device; read the result with [`crate::Sampled::from_words`].
/// `logits: [vocab]`, `history: [entries * 2]` → `[2 + 2 * top_logprobs]`.
pub fn sample(logits: Tensor<1>, history: Tensor<1, Int>, params: SampleParams) -> Tensor<1, Int> {
    Tensor::from_dispatch(Dispatch::sample(logits.into_dispatch(), history.into_dispatch(), params))
}
