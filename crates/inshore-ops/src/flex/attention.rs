//! Causal grouped-query attention on the CPU, as in FlashAttention (arXiv 2205.14135): blocks of positions, a running
//! maximum, no score matrix. A task is a key head with all queries that share it, for a strip of tokens or, in decode, for
//! a span of positions (Flash-Decoding); what the spans found is put together at the end.

mod found;
mod tiles;

use std::marker::PhantomData;
use std::ops::Range;

use self::found::Found;
use self::tiles::{Weights, score_tile, value_stream, value_tile, widen};
use super::cache::{CacheShape, Kept};
use super::parallel::for_each;
use super::simd::{self, Kernel, LANES, Simd};
use crate::{AttentionShape, KvFormat};

/// Tokens of one task, which share the blocks of the cache.
const STRIP_TOKENS: usize = 16;
/// Positions of which sums are formed by themselves, in decode by a task each. Never a matter of threads or of how many
/// tokens come at once: a prompt that is run again leaves the bits that its tokens left one by one.
const SPAN_POSITIONS: usize = 256;
/// Positions between two looks at the maximum: keys and values of a block stay in the L1 or L2 cache.
const BLOCK: usize = 128;

/// # Shapes
/// `q: [tokens, heads, head_dim]`, `cache` as `cached` says → `[tokens, heads * head_dim]`.
pub fn attention(q: &[f32], cache: &[u32], cached: CacheShape, shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { heads, kv_heads, head_dim, position, .. } = shape;
    assert!(heads.is_multiple_of(kv_heads), "{heads} heads cannot share {kv_heads} key heads evenly");
    let tokens = q.len() / (heads * head_dim);
    let span = if tokens == 1 { SPAN_POSITIONS } else { usize::MAX };
    let mut tasks = Vec::new();
    for kv_head in 0..kv_heads {
        for first in (0..tokens).step_by(STRIP_TOKENS) {
            let strip = first..(first + STRIP_TOKENS).min(tokens);
            let end = position + strip.end;
            for first_position in (0..end).step_by(span) {
                let positions = first_position..first_position.saturating_add(span).min(end);
                let rows = Rows { kv_head, tokens: strip.clone(), shape };
                let found = Found::nothing(rows.count(), head_dim);
                tasks.push((rows, positions, found));
            }
        }
    }
    let work = tasks.iter_mut().map(|(rows, positions, found)| {
        let (keys, values) = (cached.keys(cache, rows.kv_head), cached.values(cache, rows.kv_head));
        (Span { q, keys, values, rows, positions: positions.clone() }, found)
    });
    let most_rows = tokens.min(STRIP_TOKENS) * heads / kv_heads;
    let attend = match shape.kv_format {
        KvFormat::F32 => attend::<f32>,
        KvFormat::F16 => attend::<u16>,
    };
    for_each(
        &mut work.collect::<Vec<_>>(),
        || Scratch::new(most_rows, shape),
        |(span, found), scratch| attend(span, found, scratch),
    );

    let mut out = vec![0.0; q.len()];
    let mut tasks = tasks.into_iter().peekable();
    while let Some((rows, _, mut found)) = tasks.next() {
        while let Some((_, _, more)) = tasks.next_if(|(next, _, _)| next.same_queries(&rows)) {
            found.join(&more, head_dim);
        }
        for row in 0..rows.count() {
            let norm = found.sums[row].recip();
            let values = &found.values[row * head_dim..][..head_dim];
            for (out, value) in out[rows.place(row)..][..head_dim].iter_mut().zip(values) {
                *out = value * norm;
            }
        }
    }
    out
}

/// The queries of a task: of each token those that share a key head.
struct Rows {
    kv_head: usize,
    tokens: Range<usize>,
    shape: AttentionShape,
}

impl Rows {
    const fn group(&self) -> usize {
        self.shape.heads / self.shape.kv_heads
    }

    fn count(&self) -> usize {
        self.tokens.len() * self.group()
    }

    /// Where a row begins in queries and output.
    fn place(&self, row: usize) -> usize {
        let token = self.tokens.start + row / self.group();
        let head = self.kv_head * self.group() + row % self.group();
        (token * self.shape.heads + head) * self.shape.head_dim
    }

    /// Positions that a row sees.
    fn seen(&self, row: usize) -> usize {
        self.shape.position + self.tokens.start + row / self.group() + 1
    }

    fn same_queries(&self, other: &Self) -> bool {
        self.kv_head == other.kv_head && self.tokens == other.tokens
    }
}

/// Queries and the positions that they look at; keys and values as words of their format.
#[derive(Clone)]
struct Span<'a> {
    q: &'a [f32],
    keys: &'a [u32],
    values: &'a [u32],
    rows: &'a Rows,
    positions: Range<usize>,
}

/// What a thread works with.
struct Scratch {
    tiles: Tiles,
    part: Found,
}

/// Queries in tiles, and of a block their scores and, where several tiles need them widened, its keys and values.
struct Tiles {
    queries: Vec<f32>,
    scores: Vec<f32>,
    wide_keys: Vec<f32>,
    wide_values: Vec<f32>,
}

/// Most rows of a tile.
const TILE_ROWS: usize = 6;

impl Scratch {
    /// For up to `rows` queries, the last tile being filled up.
    fn new(rows: usize, AttentionShape { head_dim, kv_format, .. }: AttentionShape) -> Self {
        let tiled = rows + TILE_ROWS - 1;
        let widened = if kv_format == KvFormat::F32 { 0 } else { BLOCK * head_dim };
        let [queries, scores] = [tiled * head_dim, tiled * BLOCK].map(|values| vec![0.0; values]);
        let [wide_keys, wide_values] = [(); 2].map(|()| vec![0.0; widened]);
        Self { tiles: Tiles { queries, scores, wide_keys, wide_values }, part: Found::nothing(rows, head_dim) }
    }
}

/// One task, over numbers kept as `T`.
fn attend<T: Kept>(span: &Span<'_>, found: &mut Found, Scratch { tiles, part }: &mut Scratch) {
    let (rows, Range { start, end }) = (span.rows, span.positions.clone());
    for first in (start..end).step_by(SPAN_POSITIONS) {
        let span = Span { positions: first..end.min(first + SPAN_POSITIONS), ..*span };
        if first == start {
            simd::run(Work::<T> { span, found, tiles, kept: PhantomData });
        } else {
            part.clear(rows.count(), rows.shape.head_dim);
            simd::run(Work::<T> { span, found: part, tiles, kept: PhantomData });
            found.join(part, rows.shape.head_dim);
        }
    }
}

struct Work<'a, T> {
    span: Span<'a>,
    found: &'a mut Found,
    tiles: &'a mut Tiles,
    kept: PhantomData<T>,
}

impl<T: Kept> Kernel for Work<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { span, found, tiles, .. } = self;
        match (S::ROWS, S::REGISTERS) {
            (16, _) => span.tiles::<S, T, TILE_ROWS, 1, 4>(simd, found, tiles),
            (4, 8) => span.tiles::<S, T, 4, 4, 4>(simd, found, tiles),
            _ => span.tiles::<S, T, 4, 2, 2>(simd, found, tiles),
        }
    }
}

/// Keys and values of the positions from `first` on.
struct Block<'a, T> {
    first: usize,
    positions: usize,
    /// `[panels, head_dim]`.
    keys: &'a [[T; LANES]],
    /// `[positions, head_dim]`.
    values: &'a [T],
    /// What numbers must be multiplied by, once they are lanes.
    unit: f32,
}

impl Span<'_> {
    /// As many sums as fit the registers beside the operands: if the rows are one tile, of them and a few positions, else of
    /// `R` rows and `N` registers of columns; of keys always `K` registers.
    #[inline(always)]
    fn tiles<S: Simd, T: Kept, const R: usize, const K: usize, const N: usize>(
        &self,
        simd: S,
        now: &mut Found,
        tiles: &mut Tiles,
    ) {
        match self.rows.count() {
            1 => self.blocks::<S, T, 1, K, 8, true>(simd, now, tiles),
            2 => self.blocks::<S, T, 2, K, 4, true>(simd, now, tiles),
            3 => self.blocks::<S, T, 3, K, 3, true>(simd, now, tiles),
            4 => self.blocks::<S, T, 4, K, 2, true>(simd, now, tiles),
            _ => self.blocks::<S, T, R, K, N, false>(simd, now, tiles),
        }
    }

    /// `R` rows by `K` registers of keys a tile; `ONE` tile by `N` positions, or several by `N` registers of columns.
    #[inline(always)]
    fn blocks<S: Simd, T: Kept, const R: usize, const K: usize, const N: usize, const ONE: bool>(
        &self,
        simd: S,
        now: &mut Found,
        tiles: &mut Tiles,
    ) {
        let (rows, positions) = (self.rows, &self.positions);
        let head_dim = rows.shape.head_dim;
        let Tiles { queries, scores, wide_keys, wide_values } = tiles;
        // Several tiles share what is widened.
        let unit = if ONE { T::unit::<S>() } else { 1.0 };
        let queries = scaled_queries::<R>(self.q, rows, unit.sqrt(), queries);
        let (all_keys, _) = bytemuck::cast_slice::<u32, T>(self.keys).as_chunks::<LANES>();
        let all_values = bytemuck::cast_slice::<u32, T>(self.values);
        for first in positions.clone().step_by(BLOCK) {
            let positions = BLOCK.min(positions.end - first);
            let keys = &all_keys[first / LANES * head_dim..][..positions.div_ceil(LANES) * head_dim];
            let values = &all_values[first * head_dim..][..positions * head_dim];
            if ONE || T::IS_WIDE {
                let block = Block { first, positions, keys, values, unit };
                rows.block::<S, T, R, K, N, ONE>(simd, &block, queries, scores, now);
            } else {
                let (keys, _) = widen(simd, keys.as_flattened(), wide_keys).as_chunks();
                let values = widen(simd, values, wide_values);
                let block = Block { first, positions, keys, values, unit };
                rows.block::<S, f32, R, K, N, ONE>(simd, &block, queries, scores, now);
            }
        }
    }
}

impl Rows {
    /// Takes in a block, tile by tile.
    #[inline(always)]
    fn block<S: Simd, T: Kept, const R: usize, const K: usize, const N: usize, const ONE: bool>(
        &self,
        simd: S,
        block: &Block<'_, T>,
        queries: &[[f32; R]],
        scores: &mut [f32],
        now: &mut Found,
    ) {
        let (count, head_dim) = (self.count(), self.shape.head_dim);
        let &Block { first, positions, keys, values, unit } = block;
        // The last row of a tile sees the most.
        let seen = |row: usize| self.seen(row.min(count - 1)).saturating_sub(first).min(positions);
        let tiles = queries.chunks_exact(head_dim).zip(scores.chunks_exact_mut(R * BLOCK)).enumerate();
        for (tile, (queries, scores)) in tiles {
            let visible = seen(tile * R + R - 1);
            if visible == 0 {
                continue;
            }
            let seen_keys = &keys[..visible.div_ceil(LANES) * head_dim];
            score_tile::<S, T, R, K>(simd, (queries, unit.sqrt()), seen_keys, values.as_ptr().cast(), scores);
            for (at, scores) in scores.chunks_exact_mut(BLOCK).enumerate() {
                let row = tile * R + at;
                let seen = seen(row);
                if row < count && seen > 0 {
                    now.weigh(row, &mut scores[..seen], unit, head_dim);
                }
                scores[seen..visible].fill(0.0);
            }
            let last = (tile * R + R).min(count);
            let out = &mut now.values[tile * R * head_dim..last * head_dim];
            let (weights, values) = (Weights::new(scores, visible, unit), &values[..visible * head_dim]);
            if ONE {
                let next_keys = keys.as_ptr_range().end.cast();
                value_stream::<S, T, R, N>(simd, &weights, values, head_dim, next_keys, out);
            } else {
                value_tile::<S, T, R, N>(simd, &weights, values, head_dim, out);
            }
        }
    }
}

/// The queries of `rows`, scaled by `factor / sqrt(head_dim)`, in tiles of `R` rows: `[tiles, head_dim]`. The last tile repeats
/// its last row.
fn scaled_queries<'a, const R: usize>(q: &[f32], rows: &Rows, factor: f32, out: &'a mut [f32]) -> &'a [[f32; R]] {
    let (count, head_dim) = (rows.count(), rows.shape.head_dim);
    let scale = (head_dim as f32).sqrt().recip() * factor;
    let queries = &mut out.as_chunks_mut::<R>().0[..count.div_ceil(R) * head_dim];
    for (tile, queries) in queries.chunks_exact_mut(head_dim).enumerate() {
        for at in 0..R {
            let query = &q[rows.place((tile * R + at).min(count - 1))..][..head_dim];
            for (out, value) in queries.iter_mut().zip(query) {
                out[at] = value * scale;
            }
        }
    }
    queries
}
