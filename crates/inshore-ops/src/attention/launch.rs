//! Host side of attention.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{HeadsLaunch, Sharing, UNITS, attention, attention_part, join_parts};
use crate::AttentionShape;
use crate::cube::{dispatch, empty, vector_width};
use crate::device::plan::GpuPlan;
use crate::device::plan_of;

/// Queries that share a cube, and with it every read of the cache.
const MOST_QUERIES: usize = 4;
/// Positions of a part of the context, when the cache is full.
const LEAST_PART: usize = 128;

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
    let measures = |sharing| HeadsLaunch::new(tokens, heads, kv_heads, cache_half, head_dim, kv_format, sharing);
    let dim = CubeDim::new_1d(UNITS as u32);
    let parts = if tokens == 1 { parts(plan_of(&q.device), cache.meta.shape()[1]) } else { 1 };
    dispatch();
    if parts == 1 {
        let queries = if tokens == 1 { 1 } else { MOST_QUERIES };
        attention::launch(
            &q.client,
            CubeCount::new_2d(heads as u32, tokens.div_ceil(queries) as u32),
            dim,
            queries,
            vector,
            vector_words,
            q.clone().into_buffer_arg(),
            cache.clone().into_buffer_arg(),
            position.clone().into_buffer_arg(),
            out.clone().into_buffer_arg(),
            measures(Sharing::Tokens),
        );
        return out;
    }
    let sharers = heads / kv_heads;
    // Three heads are a vector of four with an idle lane.
    let queries = sharers.next_power_of_two().min(MOST_QUERIES);
    let cubes = kv_heads * sharers.div_ceil(queries);
    let (values, scores) = (empty(q, &[parts, heads, head_dim]), empty(q, &[parts, heads, 2]));
    attention_part::launch(
        &q.client,
        CubeCount::new_3d(cubes as u32, 1, parts as u32),
        dim,
        queries,
        vector,
        vector_words,
        q.clone().into_buffer_arg(),
        cache.clone().into_buffer_arg(),
        position.clone().into_buffer_arg(),
        values.clone().into_buffer_arg(),
        scores.clone().into_buffer_arg(),
        measures(Sharing::Heads),
    );
    dispatch();
    join_parts::launch(
        &q.client,
        CubeCount::new_1d((heads * head_dim / vector).div_ceil(UNITS) as u32),
        dim,
        vector,
        values.into_buffer_arg(),
        scores.into_buffer_arg(),
        out.clone().into_buffer_arg(),
        parts,
        head_dim,
    );
    out
}

/// Parts of a context in decode: as the plan says, unless they would be shorter than a launch is long.
fn parts(plan: GpuPlan, capacity: usize) -> usize {
    plan.context_parts.min(capacity / LEAST_PART).max(1)
}
