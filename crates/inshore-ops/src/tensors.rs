//! The operations on Burn's tensors: thin wrappers around the backend extension.

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::extension::{AttentionShape, DecoderOps, KvTensors, QkvShape, QkvTensors};
use crate::flex::PANEL_POSITIONS;
use crate::{KvFormat, OpsError, PackedLayout, SampleParams, WeightStreams};

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

    /// Sets how the matrix is read.
    pub const fn set_streams(&mut self, streams: WeightStreams) {
        self.layout.streams = streams;
    }
}

/// The weights that turn a layer's input into queries, keys and values.
#[derive(Debug, Clone)]
pub struct QkvWeights {
    norm: Tensor<1>,
    words: Tensor<1, Int>,
    layouts: [PackedLayout; 3],
    has_bias: bool,
}

impl QkvWeights {
    /// Puts the weights on `device`: RMSNorm's `[hidden]`, the words of q, k and v one behind the other, packed by their
    /// layouts, and their biases one behind the other, where the architecture has them.
    ///
    /// # Errors
    /// [`OpsError::WrongByteCount`] if `words` are not those of the three matrices.
    pub fn new(
        mut norm: Vec<f32>,
        layouts: [PackedLayout; 3],
        words: Vec<u32>,
        bias: Option<&[f32]>,
        device: &Device,
    ) -> Result<Self, OpsError> {
        let expected: usize = layouts.iter().map(PackedLayout::words).sum();
        if words.len() != expected {
            let PackedLayout { kind, cols, .. } = layouts[0];
            let rows = layouts.iter().map(|layout| layout.rows).sum();
            let (expected_bytes, actual_bytes) = (expected * 4, words.len() * 4);
            return Err(OpsError::WrongByteCount { kind, rows, cols, expected_bytes, actual_bytes });
        }
        norm.extend_from_slice(bias.unwrap_or(&[]));
        let shape = [norm.len()];
        let norm = Tensor::from_data(TensorData::new(norm, shape), (device, DType::F32));
        let shape = [words.len()];
        let words = Tensor::from_data(TensorData::new(words, shape), (device, DType::U32));
        Ok(Self { norm, words, layouts, has_bias: bias.is_some() })
    }

    /// Sets how the three matrices are read.
    pub fn set_streams(&mut self, streams: WeightStreams) {
        self.layouts.iter_mut().for_each(|layout| layout.streams = streams);
    }
}

/// Keys and values of one layer: `[2, capacity, kv_heads]` of the [words](KvFormat::head_words) of a head, allocated once.
#[derive(Debug)]
pub struct KvLayer {
    // `None` only while an operation holds the tensor, so that a CPU backend sees it unshared and writes in place.
    tensor: Option<Tensor<4, Int>>,
    shape: [usize; 4],
    format: KvFormat,
    unused: Tensor<1>,
}

impl KvLayer {
    /// An empty cache for at least `capacity` tokens; `head_dim` is even.
    pub fn new(capacity: usize, kv_heads: usize, head_dim: usize, format: KvFormat, device: &Device) -> Self {
        let (capacity, words) = (capacity.next_multiple_of(PANEL_POSITIONS), format.head_words(head_dim, device));
        let shape = [2, capacity, kv_heads, words];
        let tensor = Tensor::<4, Int>::zeros(shape, (device, DType::U32));
        let unused = Tensor::from_data(TensorData::new(vec![0.0f32], [1]), (device, DType::F32));
        Self { tensor: Some(tensor), shape, format, unused }
    }

    /// Allocates the memory again if a panicked operation lost it.
    pub fn restore(&mut self) {
        let device = self.unused.device();
        self.tensor.get_or_insert_with(|| Tensor::zeros(self.shape, (&device, DType::U32)));
    }

    #[cfg(test)]
    pub(crate) const fn format(&self) -> KvFormat {
        self.format
    }

    #[cfg(test)]
    pub(crate) fn words(&self) -> Tensor<4, Int> {
        self.tensor.clone().expect("the cache is given back by every operation")
    }
}

/// How many tokens the cache holds, and so the position of the next one: for the host, and in the device's memory, where a
/// kernel reads it. A constant of a launch would have to be uploaded anew for each kernel of each token.
#[derive(Debug, Clone)]
pub struct Position {
    tokens: usize,
    word: Tensor<1, Int>,
}

impl Position {
    /// Behind `tokens` tokens.
    pub fn new(tokens: usize, device: &Device) -> Self {
        Self { tokens, word: Tensor::from_data(TensorData::new(vec![tokens as u32], [1]), (device, DType::U32)) }
    }

    /// Sets it anew, in the same memory; whether that is possible (see [`crate::rewrite`]).
    pub fn rewrite(&mut self, tokens: usize) -> bool {
        self.tokens = tokens;
        crate::rewrite(&self.word, &[tokens as u32])
    }

    /// Tokens before the position.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }
}

/// Rows of an embedding table: the first `tokens` of ids `[ids]` → `[tokens, hidden]`. What [`sample`] gives starts with
/// an id, and so is the input of the next token as it is.
pub fn embed(ids: Tensor<1, Int>, tokens: usize, table: &PackedMatrix) -> Tensor<2> {
    assert!(tokens <= ids.dims()[0], "there are fewer ids than tokens");
    let words = table.words.clone().into_dispatch();
    Tensor::from_dispatch(Dispatch::embed(ids.into_dispatch(), tokens, words, table.layout))
}

/// What a layer's [`qkv_rope`] needs beside its weights.
#[derive(Debug, Clone, Copy)]
pub struct QkvInputs<'a> {
    /// Cosines and sines, `[capacity, head_dim]`.
    pub rope: &'a Tensor<2>,
    /// Width of a head.
    pub head_dim: usize,
    /// RMSNorm's epsilon.
    pub norm_eps: f32,
    /// Tokens already in the cache.
    pub position: &'a Position,
}

/// RMSNorm, Q, K and V projections, RoPE; keys and values go into `cache`.
/// `x: [tokens, hidden]` → queries `[tokens, heads, head_dim]`.
pub fn qkv_rope(x: Tensor<2>, weights: &QkvWeights, cache: &mut KvLayer, inputs: QkvInputs<'_>) -> Tensor<3> {
    let [q, k, v] = weights.layouts;
    let shape = QkvShape {
        q,
        k,
        v,
        head_dim: inputs.head_dim,
        norm_eps: inputs.norm_eps,
        has_bias: weights.has_bias,
        position: inputs.position.tokens,
        kv_format: cache.format,
    };
    let tensors = QkvTensors {
        norm: weights.norm.clone().into_dispatch(),
        words: weights.words.clone().into_dispatch(),
        rope: inputs.rope.clone().into_dispatch(),
        position: inputs.position.word.clone().into_dispatch(),
    };
    let held = cache.tensor.take().expect("the cache is given back by every operation");
    let held = KvTensors { q: cache.unused.clone().into_dispatch(), cache: held.into_dispatch() };
    let out = Dispatch::qkv_rope(x.into_dispatch(), tensors, held, shape);
    cache.tensor = Some(Tensor::from_dispatch(out.cache));
    Tensor::from_dispatch(out.q)
}

/// Query heads, key and value heads, and their width, of [`attention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; `heads` is a multiple of it.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

/// Causal grouped-query attention of `q: [tokens, heads, head_dim]` over the cache → `[tokens, heads * head_dim]`. The
/// queries' own tokens are in the cache already, from `position` on.
pub fn attention(q: Tensor<3>, cache: &KvLayer, heads: Heads, position: &Position) -> Tensor<2> {
    let Heads { heads, kv_heads, head_dim } = heads;
    let held = cache.tensor.as_ref().expect("the cache is given back by every operation");
    Tensor::from_dispatch(Dispatch::attention(
        q.into_dispatch(),
        held.clone().into_dispatch(),
        position.word.clone().into_dispatch(),
        AttentionShape { heads, kv_heads, head_dim, position: position.tokens, kv_format: cache.format },
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
    let [tokens, _] = x.dims();
    logits_from(x, tokens - 1, norm, norm_eps, weight)
}

/// Logits of all positions: `[tokens, hidden]` → `[tokens, vocab]`.
pub fn all_logits(x: Tensor<2>, norm: &Tensor<1>, norm_eps: f32, weight: &PackedMatrix) -> Tensor<2> {
    let [tokens, _] = x.dims();
    logits_from(x, 0, norm, norm_eps, weight).reshape([tokens, weight.layout.rows])
}

fn logits_from(x: Tensor<2>, first: usize, norm: &Tensor<1>, norm_eps: f32, weight: &PackedMatrix) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::logits(
        x.into_dispatch(),
        first,
        norm.clone().into_dispatch(),
        weight.words.clone().into_dispatch(),
        weight.layout,
        norm_eps,
    ))
}

/// Draws a token on the device; read the result with [`crate::Sampled::from_words`].
/// `logits: [vocab]`, `history: [entries * 2 + 1]`, with the draw's [`noise_key`](crate::sample::reference::noise_key) behind the
/// entries → `[2 + 2 * top_logprobs]`.
pub fn sample(logits: Tensor<1>, history: Tensor<1, Int>, params: SampleParams) -> Tensor<1, Int> {
    Tensor::from_dispatch(Dispatch::sample(logits.into_dispatch(), history.into_dispatch(), params))
}
