//! Host side of attention.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{HeadsLaunch, UNITS, attention};
use crate::AttentionShape;
use crate::cube::{empty, vector_width};

/// Neighbouring tokens that share a cube in prefill, and with it every read of the cache.
const PREFILL_QUERIES: usize = 4;

/// Attention of `q: [tokens, heads, head_dim]` over the cache as a new tensor `[tokens, heads * head_dim]`.
pub(crate) fn attend(q: &CubeTensor, k: &CubeTensor, v: &CubeTensor, shape: AttentionShape) -> CubeTensor {
    let AttentionShape { heads, kv_heads, head_dim, position } = shape;
    let tokens = q.meta.shape()[0];
    let out = empty(q, &[tokens, heads * head_dim]);
    if tokens == 0 {
        return out;
    }
    let queries = if tokens == 1 { 1 } else { PREFILL_QUERIES };
    attention::launch(
        &q.client,
        CubeCount::new_2d(heads as u32, tokens.div_ceil(queries) as u32),
        CubeDim::new_1d(UNITS as u32),
        queries,
        vector_width(head_dim),
        q.clone().into_buffer_arg(),
        k.clone().into_buffer_arg(),
        v.clone().into_buffer_arg(),
        out.clone().into_buffer_arg(),
        HeadsLaunch::new(tokens, heads, kv_heads, position, head_dim),
    );
    out
}
