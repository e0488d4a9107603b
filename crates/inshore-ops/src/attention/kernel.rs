//! Device code of causal attention over the cache, with a running softmax (Milakov and Gimelshein, arXiv 1805.02867).

use cubecl::prelude::*;

use crate::KvFormat;
use crate::linear::kernel::half::half;

/// Units of a cube.
pub(crate) const UNITS: usize = 64;
/// Positions that a unit scores at a time.
const UNIT_POSITIONS: usize = 2;
/// Positions whose weights are in workgroup memory at a time.
const SPAN: usize = UNITS * UNIT_POSITIONS;
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
    /// Vectors in the cache's keys, and so where the values start.
    pub cache_half: usize,
    #[cube(comptime)]
    pub head_dim: usize,
    #[cube(comptime)]
    pub kv_format: KvFormat,
}

/// The `N` values that `Words` words of the cache keep.
#[cube]
fn widened<N: Size, Words: Size>(words: Vector<u32, Words>, #[comptime] format: KvFormat) -> Vector<f32, N> {
    match comptime!(format) {
        KvFormat::F32 => Vector::<f32, N>::reinterpret(words),
        KvFormat::F16 => {
            let mut values = Vector::<f32, N>::empty();
            let words_in_vector = Words::value().comptime();
            #[unroll]
            for i in 0..words_in_vector {
                let word = words.extract(i);
                values.insert(comptime!(2 * i), half(word & 0xffffu32));
                values.insert(comptime!(2 * i + 1), half(word >> 16u32));
            }
            values
        }
    }
}

/// Attention of one head for `Queries` neighbouring tokens a cube: cubes cover the heads along x, the tokens along y.
///
/// A unit scores every 64th position against all `Queries` queries, the lanes of a vector. Then the weights go to workgroup
/// memory, and a unit gathers a few columns of the values of every `groups`-th position.
#[cube(launch)]
pub(crate) fn attention<Queries: Size, N: Size, Words: Size>(
    q: &[Vector<f32, N>],
    cache: &[Vector<u32, Words>],
    position: &[u32],
    out: &mut [Vector<f32, N>],
    measures: &Heads,
) {
    let lanes = N::value().comptime();
    let queries = Queries::value().comptime();
    let format = comptime!(measures.kv_format);
    let width = comptime!(measures.head_dim / lanes);
    let columns = comptime!(width.div_ceil(UNITS));
    let groups = comptime!(if width < UNITS { UNITS / width } else { 1 });
    let scale = comptime!(1.0f32 / (measures.head_dim as f32).sqrt());
    let unit = UNIT_POS as usize;
    let head = CUBE_POS_X as usize;
    let first = CUBE_POS_Y as usize * queries;
    let last = min(first + queries, measures.tokens) - 1;
    // A loop that holds barriers needs a bound that is the same for the whole cube, also in the compiler's eyes.
    let mut shared_position = Shared::<[u32]>::new_slice(1usize);
    if unit == 0 {
        shared_position[0usize] = position[0usize];
    }
    let position = workgroup_uniform_load(&shared_position[0usize]) as usize;
    let positions = position + last + 1;
    let kv_head = head / (measures.heads / measures.kv_heads);

    let mut query = Shared::<[Vector<f32, N>]>::new_slice(comptime!(queries * width));
    let mut weights = Shared::<[Vector<f32, Queries>]>::new_slice(SPAN);
    let mut partial = Shared::<[Vector<f32, Queries>]>::new_slice(UNITS);
    let mut folded = Shared::<[Vector<f32, Queries>]>::new_slice(FOLD);
    let mut gathered = Shared::<[Vector<f32, N>]>::new_slice(comptime!(queries * groups * width));

    let mut at = unit;
    while at < comptime!(queries * width) {
        let token = min(first + at / width, last);
        query[at] = q[(token * measures.heads + head) * width + at % width] * Vector::<f32, N>::new(scale);
        at += UNITS;
    }
    // The last position that each query sees: its own.
    let mut seen = Vector::<u32, Queries>::empty();
    #[unroll]
    for t in 0..queries {
        seen.insert(t, u32::cast_from(position + min(first + t, last)));
    }
    sync_cube();

    let column = unit % width;
    let group = unit / width;
    let mut maximum = Vector::<f32, Queries>::new(UNSEEN);
    let mut sum = Vector::<f32, Queries>::new(0.0f32);
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(queries * columns));
    let spans = (positions + comptime!(SPAN - 1)) / SPAN;
    for span in 0..spans {
        let start = span * SPAN;
        let mut scores = Array::<Vector<f32, Queries>>::new(UNIT_POSITIONS);
        let mut largest = Vector::<f32, Queries>::new(UNSEEN);
        #[unroll]
        for i in 0..UNIT_POSITIONS {
            let at = start + unit + comptime!(i * UNITS);
            let mut score = Vector::<f32, Queries>::new(UNSEEN);
            if at < positions {
                let row = (at * measures.kv_heads + kv_head) * width;
                let mut products = Array::<Vector<f32, N>>::new(queries);
                for w in 0..width {
                    let key = widened::<N, Words>(cache[row + w], format);
                    #[unroll]
                    for t in 0..queries {
                        products[t] += query[comptime!(t * width) + w] * key;
                    }
                }
                #[unroll]
                for t in 0..queries {
                    score.insert(t, products[t].vector_sum());
                }
            }
            let visible = Vector::<u32, Queries>::new(u32::cast_from(at)).less_equal(&seen);
            scores[i] = select_many(visible, score, Vector::<f32, Queries>::new(UNSEEN));
            largest = max(largest, scores[i]);
        }

        // The largest score of the span, folded 64 to 8 to 1.
        partial[unit] = largest;
        sync_cube();
        if unit < FOLD {
            let mut of_fold = partial[unit * FOLD];
            for j in 1..FOLD {
                of_fold = max(of_fold, partial[unit * FOLD + j]);
            }
            folded[unit] = of_fold;
        }
        sync_cube();
        let mut next = maximum;
        for j in 0..FOLD {
            next = max(next, folded[j]);
        }

        let shrink = (maximum - next).exp();
        maximum = next;
        sum *= shrink;
        #[unroll]
        for i in 0..UNIT_POSITIONS {
            let weight = (scores[i] - next).exp();
            weights[unit + comptime!(i * UNITS)] = weight;
            sum += weight;
        }
        sync_cube();

        #[unroll]
        for c in 0..columns {
            #[unroll]
            for t in 0..queries {
                let slot = comptime!(c * queries + t);
                sums[slot] *= Vector::<f32, N>::new(shrink.extract(t));
            }
        }
        let count = min(SPAN, positions - start);
        let mut j = group;
        while j < count {
            let weight = weights[j];
            let row = ((start + j) * measures.kv_heads + kv_head) * width;
            #[unroll]
            for c in 0..columns {
                let at = row + min(column + comptime!(c * UNITS), comptime!(width - 1));
                let value = widened::<N, Words>(cache[measures.cache_half + at], format);
                #[unroll]
                for t in 0..queries {
                    let slot = comptime!(c * queries + t);
                    sums[slot] += value * Vector::<f32, N>::new(weight.extract(t));
                }
            }
            j += groups;
        }
        sync_cube();
    }

    // Sums of the units' weights, folded 64 to 8 to 1, and of the groups' values.
    partial[unit] = sum;
    #[unroll]
    for c in 0..columns {
        let own = column + comptime!(c * UNITS);
        if own < width && group < groups {
            #[unroll]
            for t in 0..queries {
                gathered[(comptime!(t * groups) + group) * width + own] = sums[comptime!(c * queries + t)];
            }
        }
    }
    sync_cube();
    if unit < FOLD {
        let mut of_fold = partial[unit * FOLD];
        for j in 1..FOLD {
            of_fold += partial[unit * FOLD + j];
        }
        folded[unit] = of_fold;
    }
    sync_cube();
    let mut total = folded[0usize];
    for j in 1..FOLD {
        total += folded[j];
    }
    let mut own = unit;
    while own < width {
        #[unroll]
        for t in 0..queries {
            let mut value = gathered[comptime!(t * groups * width) + own];
            for g in 1..groups {
                value += gathered[(comptime!(t * groups) + g) * width + own];
            }
            if first + t <= last {
                let to = ((first + t) * measures.heads + head) * width + own;
                out[to] = value / Vector::<f32, N>::new(total.extract(t));
            }
        }
        own += UNITS;
    }
}
