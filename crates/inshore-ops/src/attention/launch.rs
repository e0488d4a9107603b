//! Host side of attention.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{HeadsLaunch, UNITS, attention};
use crate::AttentionShape;
use crate::cube::{dispatch, empty, vector_width};

/// Neighbouring tokens that share a cube in prefill, and with it every read of the cache.
const PREFILL_QUERIES: usize = 4;

/// Attention of `q: [tokens, heads, head_dim]` over the cache `[2, capacity, kv_heads, head_dim]` (in words) as a new
/// tensor `[tokens, heads * head_dim]`. `position`: one word, the tokens that were in the cache before the queries' own.
pub(crate) fn attend(q: &CubeTensor, cache: &CubeTensor, position: &CubeTensor, shape: AttentionShape) -> CubeTensor {
    let AttentionShape { heads, kv_heads, head_dim, kv_format, .. } = shape;
    let tokens = q.meta.shape()[0];
    let out = empty(q, &[tokens, heads * head_dim]);
    if tokens == 0 {
        return out;
    }
    let vector = vector_width(head_dim);
    let vector_words = kv_format.words(vector);
    let cache_half = cache.meta.num_elements() / 2 / vector_words;
    dispatch();
    let queries = if tokens == 1 { 1 } else { PREFILL_QUERIES };
    attention::launch(
        &q.client,
        CubeCount::new_2d(heads as u32, tokens.div_ceil(queries) as u32),
        CubeDim::new_1d(UNITS as u32),
        queries,
        vector,
        vector_words,
        q.clone().into_buffer_arg(),
        cache.clone().into_buffer_arg(),
        position.clone().into_buffer_arg(),
        out.clone().into_buffer_arg(),
        HeadsLaunch::new(tokens, heads, kv_heads, cache_half, head_dim, kv_format),
    );
    out
}
