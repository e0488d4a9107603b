//! Device code of causal attention over the cache, with a running softmax (Milakov and Gimelshein, arXiv 1805.02867).

use cubecl::prelude::*;

/// Units of a cube.
pub(crate) const UNITS: usize = 64;
/// Positions whose scores are in workgroup memory at a time.
const SPAN: usize = 128;
/// Units that share a partial maximum or sum.
const FOLD: usize = 8;
/// Score of a position that a query does not see. Finite, as WGSL knows no infinity.
const UNSEEN: f32 = -3.0e38f32;

/// Measures of the tensors, in vectors of the width of the kernel's `N` where they count along a head.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Heads {
    pub tokens: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub position: usize,
    #[cube(comptime)]
    pub head_dim: usize,
}

/// Attention of one head for `Q` neighbouring tokens a cube: cubes cover the heads along x, the tokens along y.
///
/// A unit scores every 64th position against all `Q` queries (the lanes of a vector), then the weights go to workgroup
/// memory and each unit gathers the values of its own dimensions of the head.
#[cube(launch)]
pub(crate) fn attention<Q: Size, N: Size>(
    q: &[f32],
    k: &[Vector<f32, N>],
    v: &[f32],
    out: &mut [f32],
    measures: &Heads,
) {
    let head_dim = comptime!(measures.head_dim);
    let lanes = N::value().comptime();
    let queries = Q::value().comptime();
    let width = comptime!(head_dim / lanes);
    let columns = comptime!(head_dim.div_ceil(UNITS));
    let unit = UNIT_POS as usize;
    let head = CUBE_POS_X as usize;
    let first = CUBE_POS_Y as usize * queries;
    let kv_head = head / (measures.heads / measures.kv_heads);
    let last = min(first + queries, measures.tokens) - 1;
    let positions = measures.position + last + 1;
    let scale = comptime!(1.0f32 / (head_dim as f32).sqrt());

    let mut query = Shared::<[Vector<f32, Q>]>::new_slice(head_dim);
    let mut weights = Shared::<[Vector<f32, Q>]>::new_slice(SPAN);
    let mut partial = Shared::<[Vector<f32, Q>]>::new_slice(UNITS);
    let mut folded = Shared::<[Vector<f32, Q>]>::new_slice(FOLD);

    let mut d = unit;
    while d < head_dim {
        let mut value = Vector::<f32, Q>::empty();
        #[unroll]
        for t in 0..queries {
            let token = min(first + t, last);
            value.insert(t, q[(token * measures.heads + head) * head_dim + d] * scale);
        }
        query[d] = value;
        d += UNITS;
    }
    // Positions that a query sees: up to its own.
    let mut seen = Vector::<u32, Q>::empty();
    #[unroll]
    for t in 0..queries {
        seen.insert(t, u32::cast_from(measures.position + min(first + t, last)));
    }
    sync_cube();

    let mut maximum = Vector::<f32, Q>::new(UNSEEN);
    let mut sum = Vector::<f32, Q>::new(0.0f32);
    let mut sums = Array::<Vector<f32, Q>>::new(columns);
    let spans = (positions + comptime!(SPAN - 1)) / SPAN;
    for span in 0..spans {
        let start = span * SPAN;
        let mut scores = Array::<Vector<f32, Q>>::new(comptime!(SPAN / UNITS));
        let mut largest = Vector::<f32, Q>::new(UNSEEN);
        #[unroll]
        for i in 0..comptime!(SPAN / UNITS) {
            let at = start + unit + comptime!(i * UNITS);
            let row = (min(at, positions - 1) * measures.kv_heads + kv_head) * width;
            let mut score = Vector::<f32, Q>::new(0.0f32);
            for w in 0..width {
                let key = k[row + w];
                #[unroll]
                for j in 0..lanes {
                    score += query[w * lanes + j] * Vector::<f32, Q>::new(key.extract(j));
                }
            }
            let visible = Vector::<u32, Q>::new(u32::cast_from(at)).less_equal(&seen);
            let score = select_many(visible, score, Vector::<f32, Q>::new(UNSEEN));
            scores[i] = score;
            largest = max(largest, score);
        }

        // The largest score of the span, folded 64 to 8 to 1.
        partial[unit] = largest;
        sync_cube();
        if unit < FOLD {
            let mut of_fold = partial[unit * FOLD];
            #[unroll]
            for j in 1..FOLD {
                of_fold = max(of_fold, partial[unit * FOLD + j]);
            }
            folded[unit] = of_fold;
        }
        sync_cube();
        let mut next = maximum;
        #[unroll]
        for j in 0..FOLD {
            next = max(next, folded[j]);
        }

        let shrink = (maximum - next).exp();
        maximum = next;
        sum = sum * shrink;
        #[unroll]
        for i in 0..comptime!(SPAN / UNITS) {
            let weight = (scores[i] - next).exp();
            weights[unit + comptime!(i * UNITS)] = weight;
            sum += weight;
        }
        sync_cube();

        #[unroll]
        for c in 0..columns {
            sums[c] = sums[c] * shrink;
        }
        let count = min(SPAN, positions - start);
        for j in 0..count {
            let weight = weights[j];
            let row = ((start + j) * measures.kv_heads + kv_head) * head_dim;
            #[unroll]
            for c in 0..columns {
                let column = min(unit + comptime!(c * UNITS), comptime!(head_dim - 1));
                sums[c] = sums[c] + weight * Vector::<f32, Q>::new(v[row + column]);
            }
        }
        sync_cube();
    }

    partial[unit] = sum;
    sync_cube();
    if unit < FOLD {
        let mut of_fold = partial[unit * FOLD];
        #[unroll]
        for j in 1..FOLD {
            of_fold += partial[unit * FOLD + j];
        }
        folded[unit] = of_fold;
    }
    sync_cube();
    let mut total = folded[0usize];
    #[unroll]
    for j in 1..FOLD {
        total += folded[j];
    }

    #[unroll]
    for c in 0..columns {
        let column = unit + comptime!(c * UNITS);
        let value = sums[c] / total;
        #[unroll]
        for t in 0..queries {
            if column < head_dim && first + t <= last {
                out[((first + t) * measures.heads + head) * head_dim + column] = value.extract(t);
            }
        }
    }
}
