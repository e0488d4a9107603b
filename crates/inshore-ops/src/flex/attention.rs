//! Causal grouped-query attention on the CPU, as in FlashAttention (arXiv 2205.14135): blocks of positions, a running
//! maximum, no score matrix. A task is a key head with all queries that share it, for a strip of tokens or, in decode, for
//! a span of positions (Flash-Decoding); what the spans found is put together at the end.

mod found;
mod tiles;

use std::marker::PhantomData;
use std::ops::Range;

use self::found::Found;
use self::tiles::{Queries, Reading, TILE_ROWS, score_tile, value_tile};
use super::cache::{CacheShape, Kept, columns, panel_words};
use super::parallel::{for_each, threads};
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
    let columns = columns(head_dim);
    let span = if tokens == 1 && threads() > 1 { SPAN_POSITIONS } else { usize::MAX };
    let mut tasks = Vec::new();
    for kv_head in 0..kv_heads {
        for first in (0..tokens).step_by(STRIP_TOKENS) {
            let strip = first..(first + STRIP_TOKENS).min(tokens);
            let end = position + strip.end;
            for first_position in (0..end).step_by(span) {
                let positions = first_position..first_position.saturating_add(span).min(end);
                let rows = Rows { kv_head, tokens: strip.clone(), shape };
                let found = Found::nothing(rows.count(), columns);
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
        KvFormat::F16 => attend::<i16>,
        KvFormat::Q8_0 => attend::<i8>,
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
            found.join(&more, columns);
        }
        for row in 0..rows.count() {
            let norm = found.sums[row].recip();
            let values = &found.values[row * columns..][..head_dim];
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

/// Queries in tiles, and their scores of a block.
struct Tiles {
    queries: Queries,
    scores: Vec<f32>,
}

impl Scratch {
    /// For up to `rows` queries, the last tile being filled up.
    fn new(rows: usize, AttentionShape { head_dim, .. }: AttentionShape) -> Self {
        let tiled = rows + TILE_ROWS - 1;
        let tiles = Tiles { queries: Queries::new(tiled, head_dim), scores: vec![0.0; tiled * BLOCK] };
        Self { tiles, part: Found::nothing(rows, columns(head_dim)) }
    }
}

/// One task, over numbers kept as `K`.
fn attend<K: Kept>(span: &Span<'_>, found: &mut Found, scratch: &mut Scratch) {
    simd::run(Work::<K> { span, found, scratch, kept: PhantomData });
}

struct Work<'a, K> {
    span: &'a Span<'a>,
    found: &'a mut Found,
    scratch: &'a mut Scratch,
    kept: PhantomData<K>,
}

impl<K: Kept> Kernel for Work<'_, K> {
    /// Tiles of as many sums as fit the registers beside what they are formed of.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { span, found, scratch, .. } = self;
        match (span.rows.count(), S::ROWS) {
            (1, 16) => span.spans::<S, K, 1, 1>(simd, found, scratch),
            (2, 16) => span.spans::<S, K, 2, 1>(simd, found, scratch),
            (3, 16) => span.spans::<S, K, 3, 1>(simd, found, scratch),
            (_, 16) => span.spans::<S, K, TILE_ROWS, 1>(simd, found, scratch),
            (1, _) => span.spans::<S, K, 1, 2>(simd, found, scratch),
            (2, _) => span.spans::<S, K, 2, 2>(simd, found, scratch),
            (3, _) => span.spans::<S, K, 3, 2>(simd, found, scratch),
            _ => span.spans::<S, K, 4, 2>(simd, found, scratch),
        }
    }
}

impl Span<'_> {
    /// Goes through the positions in tiles of `R` rows by `N` registers, and takes in each [`SPAN_POSITIONS`] of them as a whole.
    #[inline(always)]
    fn spans<S: Simd, K: Kept, const R: usize, const N: usize>(
        &self,
        simd: S,
        found: &mut Found,
        Scratch { tiles, part }: &mut Scratch,
    ) {
        let (rows, Range { start, end }) = (self.rows, self.positions.clone());
        let columns = columns(rows.shape.head_dim);
        tiles.queries.take::<K, R>(self.q, rows);
        for first in (start..end).step_by(SPAN_POSITIONS) {
            let positions = first..end.min(first + SPAN_POSITIONS);
            let is_first = first == start;
            if !is_first {
                part.clear(rows.count(), columns);
            }
            self.blocks::<S, K, R, N>(simd, positions, if is_first { found } else { part }, tiles);
            if !is_first {
                found.join(part, columns);
            }
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, K: Kept, const R: usize, const N: usize>(
        &self,
        simd: S,
        positions: Range<usize>,
        now: &mut Found,
        Tiles { queries, scores }: &mut Tiles,
    ) {
        let panel_words = panel_words::<K>(self.rows.shape.head_dim);
        for first in positions.clone().step_by(BLOCK) {
            let positions = BLOCK.min(positions.end - first);
            let panels = first / LANES * panel_words..(first + positions).div_ceil(LANES) * panel_words;
            let block = Block { first, positions, keys: &self.keys[panels.clone()], values: &self.values[panels] };
            self.rows.block::<S, K, R, N>(simd, &block, queries, scores, now);
        }
    }
}

/// Panels of the positions from `first` on.
struct Block<'a> {
    first: usize,
    positions: usize,
    keys: &'a [u32],
    values: &'a [u32],
}

impl Rows {
    /// Takes in a block, tile by tile. The first tile asks memory for what comes next: CPUs' own prefetchers stop at every page.
    #[inline(always)]
    fn block<S: Simd, K: Kept, const R: usize, const N: usize>(
        &self,
        simd: S,
        block: &Block<'_>,
        queries: &Queries,
        scores: &mut [f32],
        now: &mut Found,
    ) {
        let (count, head_dim) = (self.count(), self.shape.head_dim);
        let columns = columns(head_dim);
        let &Block { first, positions, keys, values } = block;
        let seen = |row: usize| self.seen(row.min(count - 1)).saturating_sub(first).min(positions);
        for (tile, scores) in scores.chunks_exact_mut(R * BLOCK).enumerate().take(count.div_ceil(R)) {
            // The last row of a tile sees the most.
            let visible = seen(tile * R + R - 1);
            if visible == 0 {
                continue;
            }
            let next = |words| (tile == 0).then_some(words);
            let panels = Reading::<K>::new(keys, head_dim, visible, next(values.as_ptr()));
            score_tile::<S, K, R, N>(simd, queries.tile::<K, R>(tile, head_dim), &panels, scores);
            for (at, scores) in scores.chunks_exact_mut(BLOCK).enumerate() {
                let (row, scores) = (tile * R + at, &mut scores[..visible.next_multiple_of(LANES)]);
                match if row < count { seen(row) } else { 0 } {
                    0 => scores.fill(0.0),
                    seen => now.weigh(simd, row, scores, seen, columns),
                }
            }
            let panels = Reading::<K>::new(values, head_dim, visible, next(keys.as_ptr_range().end));
            let out = &mut now.values[tile * R * columns..][..R * columns];
            value_tile::<S, K, R, N>(simd, scores, &panels, out);
        }
    }
}
