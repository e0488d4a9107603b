//! Device code of causal attention over the cache, with a running softmax (Milakov and Gimelshein, arXiv 1805.02867). In
//! decode the cubes of a head can share a long context; what they found is joined by another kernel (Flash-Decoding).

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
    #[cube(comptime)]
    pub sharing: Sharing,
}

/// Which queries share a cube, and with it every read of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sharing {
    /// Those of neighbouring tokens, of one head.
    Tokens,
    /// Those of heads with the same keys, of one token; cubes along z share the context.
    Heads,
}

/// The queries of a cube, and the positions that it looks at.
#[derive(CubeType)]
struct Share {
    /// Row of the first query in queries and output; from one query to the next; how many there are.
    row: usize,
    stride: usize,
    count: usize,
    kv_head: usize,
    /// Token of the first query among those of the launch.
    token: usize,
    begin: usize,
    end: usize,
}

/// `queries` neighbouring tokens of a head, over all of the context.
#[cube]
fn share_of_tokens(position: usize, measures: &Heads, #[comptime] queries: usize) -> Share {
    let head = CUBE_POS_X as usize;
    let token = CUBE_POS_Y as usize * queries;
    let count = min(measures.tokens - token, queries);
    Share {
        row: token * measures.heads + head,
        stride: measures.heads,
        count,
        kv_head: head / (measures.heads / measures.kv_heads),
        token,
        begin: 0usize.runtime(),
        end: position + token + count,
    }
}

/// The one token's queries of up to `queries` heads with the same keys, over a part of the context.
#[cube]
fn share_of_heads(position: usize, measures: &Heads, #[comptime] queries: usize) -> Share {
    let sharers = measures.heads / measures.kv_heads;
    let cubes = sharers.div_ceil(queries);
    let kv_head = CUBE_POS_X as usize / cubes;
    let before = CUBE_POS_X as usize % cubes * queries;
    // Whole spans, as many for each cube of a head but the last ones, which may have none.
    let positions = position + 1;
    let part = positions.div_ceil(CUBE_COUNT_Z as usize).div_ceil(SPAN) * SPAN;
    let begin = min(CUBE_POS_Z as usize * part, positions);
    Share {
        row: kv_head * sharers + before,
        stride: 1usize.runtime(),
        count: min(sharers - before, queries),
        kv_head,
        token: 0usize.runtime(),
        begin,
        end: min(begin + part, positions),
    }
}

/// What the queries of a cube found.
#[derive(CubeType)]
struct Found<Queries: Size, N: Size> {
    share: Share,
    /// Largest scores.
    maximum: Vector<f32, Queries>,
    /// `Σ e^(score - maximum)`.
    total: Vector<f32, Queries>,
    /// `Σ e^(score - maximum) value` of each query and group of units, still apart.
    gathered: Shared<[Vector<f32, N>]>,
}

/// The `N` values that `Words` words of the cache keep.
#[cube]
fn widened<N: Size, Words: Size>(words: Vector<u32, Words>, #[comptime] format: KvFormat) -> Vector<f32, N> {
    if comptime!(format == KvFormat::F32) {
        Vector::<f32, N>::reinterpret(words)
    } else {
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

/// Attention of `Queries` queries a cube over all of the context: cubes cover the heads along x, the tokens along y.
#[cube(launch)]
pub(crate) fn attention<Queries: Size, N: Size, Words: Size>(
    q: &[Vector<f32, N>],
    cache: &[Vector<u32, Words>],
    position: &[u32],
    out: &mut [Vector<f32, N>],
    measures: &Heads,
) {
    let found = attend::<Queries, N, Words>(q, cache, position, measures);
    put::<Queries, N>(&found, out, 0usize, measures.head_dim);
}

/// The same over the cube's part of the context: of part `z` and query `r`, the values are row `z * heads + r` of `out`
/// and the largest score and the sum are words `2 (z * heads + r)` of `scores` and the next.
#[cube(launch)]
pub(crate) fn attention_part<Queries: Size, N: Size, Words: Size>(
    q: &[Vector<f32, N>],
    cache: &[Vector<u32, Words>],
    position: &[u32],
    out: &mut [Vector<f32, N>],
    scores: &mut [f32],
    measures: &Heads,
) {
    let found = attend::<Queries, N, Words>(q, cache, position, measures);
    let first_row = CUBE_POS_Z as usize * measures.heads;
    put::<Queries, N>(&found, out, first_row, measures.head_dim);
    let queries = Queries::value().comptime();
    if UNIT_POS == 0 {
        #[unroll]
        for t in 0..queries {
            if t < found.share.count {
                let at = (first_row + found.share.row + t * found.share.stride) * 2;
                scores[at] = found.maximum.extract(t);
                scores[at + 1] = found.total.extract(t);
            }
        }
    }
}

/// Joins what `parts` cubes found for each head: a unit has a vector of the output.
#[cube(launch)]
pub(crate) fn join_parts<N: Size>(
    values: &[Vector<f32, N>],
    scores: &[f32],
    out: &mut [Vector<f32, N>],
    parts: usize,
    #[comptime] head_dim: usize,
) {
    let lanes = N::value().comptime();
    let width = comptime!(head_dim / lanes);
    let own = ABSOLUTE_POS;
    if own < out.len() {
        let heads = out.len() / width;
        let head = own / width;
        let mut maximum = scores[head * 2];
        for part in 1..parts {
            maximum = max(maximum, scores[(part * heads + head) * 2]);
        }
        let mut sum = 0.0f32.runtime();
        let mut joined = Vector::<f32, N>::new(0.0f32);
        for part in 0..parts {
            let row = part * heads + head;
            let weight = scores[row * 2 + 1] * (scores[row * 2] - maximum).exp();
            sum += weight;
            joined += values[row * width + own % width] * Vector::<f32, N>::new(weight);
        }
        out[own] = joined / Vector::<f32, N>::new(sum);
    }
}

/// Stores the found values over their sums, as rows from `first_row` on.
#[cube]
fn put<Queries: Size, N: Size>(
    found: &Found<Queries, N>,
    out: &mut [Vector<f32, N>],
    first_row: usize,
    #[comptime] head_dim: usize,
) {
    let lanes = N::value().comptime();
    let width = comptime!(head_dim / lanes);
    let groups = comptime!(groups(width));
    let queries = Queries::value().comptime();
    let mut own = UNIT_POS as usize;
    while own < width {
        #[unroll]
        for t in 0..queries {
            let mut value = found.gathered[comptime!(t * groups * width) + own];
            for g in 1..groups {
                value += found.gathered[(comptime!(t * groups) + g) * width + own];
            }
            if t < found.share.count {
                let to = (first_row + found.share.row + t * found.share.stride) * width + own;
                out[to] = value / Vector::<f32, N>::new(found.total.extract(t));
            }
        }
        own += UNITS;
    }
}

/// Groups of units that gather every so many positions, for heads of `width` vectors.
const fn groups(width: usize) -> usize {
    if width < UNITS { UNITS / width } else { 1 }
}

/// A unit scores every 64th position of its span against all queries, the lanes of a vector. Then the weights go to
/// workgroup memory, and a unit gathers a few columns of the values of every `groups`-th position.
#[cube]
fn attend<Queries: Size, N: Size, Words: Size>(
    q: &[Vector<f32, N>],
    cache: &[Vector<u32, Words>],
    position: &[u32],
    measures: &Heads,
) -> Found<Queries, N> {
    let lanes = N::value().comptime();
    let queries = Queries::value().comptime();
    let format = comptime!(measures.kv_format);
    let width = comptime!(measures.head_dim / lanes);
    let columns = comptime!(width.div_ceil(UNITS));
    let groups = comptime!(groups(width));
    let scale = comptime!(1.0f32 / (measures.head_dim as f32).sqrt());
    let unit = UNIT_POS as usize;
    // A loop that holds barriers needs a bound that is the same for the whole cube, also in the compiler's eyes.
    let mut shared_position = Shared::<[u32]>::new_slice(1usize);
    if unit == 0 {
        shared_position[0usize] = position[0usize];
    }
    let position = workgroup_uniform_load(&shared_position[0usize]) as usize;
    let share = if comptime!(measures.sharing == Sharing::Heads) {
        share_of_heads(position, measures, queries)
    } else {
        share_of_tokens(position, measures, queries)
    };
    let (begin, end) = (share.begin, share.end);

    let mut query = Shared::<[Vector<f32, N>]>::new_slice(comptime!(queries * width));
    let mut weights = Shared::<[Vector<f32, Queries>]>::new_slice(SPAN);
    let mut partial = Shared::<[Vector<f32, Queries>]>::new_slice(UNITS);
    let mut folded = Shared::<[Vector<f32, Queries>]>::new_slice(FOLD);
    let mut gathered = Shared::<[Vector<f32, N>]>::new_slice(comptime!(queries * groups * width));

    let mut at = unit;
    while at < comptime!(queries * width) {
        let from = share.row + min(at / width, share.count - 1) * share.stride;
        query[at] = q[from * width + at % width] * Vector::<f32, N>::new(scale);
        at += UNITS;
    }
    // The last position that each query sees: its own.
    let mut seen = Vector::<u32, Queries>::empty();
    #[unroll]
    for t in 0..queries {
        let own = match comptime!(measures.sharing) {
            Sharing::Tokens => position + share.token + min(t, share.count - 1),
            Sharing::Heads => position,
        };
        seen.insert(t, u32::cast_from(own));
    }
    sync_cube();

    let column = unit % width;
    let group = unit / width;
    let mut maximum = Vector::<f32, Queries>::new(UNSEEN);
    let mut sum = Vector::<f32, Queries>::new(0.0f32);
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(queries * columns));
    let spans = (end - begin + comptime!(SPAN - 1)) / SPAN;
    for span in 0..spans {
        let start = begin + span * SPAN;
        let mut scores = Array::<Vector<f32, Queries>>::new(UNIT_POSITIONS);
        let mut largest = Vector::<f32, Queries>::new(UNSEEN);
        #[unroll]
        for i in 0..UNIT_POSITIONS {
            let at = start + unit + comptime!(i * UNITS);
            let mut score = Vector::<f32, Queries>::new(UNSEEN);
            if at < end {
                let row = (at * measures.kv_heads + share.kv_head) * width;
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
        let here = min(SPAN, end - start);
        let mut j = group;
        while j < here {
            let weight = weights[j];
            let row = ((start + j) * measures.kv_heads + share.kv_head) * width;
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
    if comptime!(measures.sharing == Sharing::Heads) {
        // Of a part without positions; in others the largest score alone weighs 1.
        total = max(total, Vector::<f32, Queries>::new(1.0e-30f32));
    }
    Found::<Queries, N> { share, maximum, total, gathered }
}
