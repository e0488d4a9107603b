//! The two products of attention, in tiles of `R` queries by `N` registers. Both go through lines of lanes in the order of memory:
//! of keys a lane is a position, of values a column.

use std::marker::PhantomData;

use super::super::cache::{Arithmetic, Kept, columns, padded_runs, panel_words, runs, scale_words};
use super::super::simd::int8::RUN;
use super::super::simd::{LANES, Simd};
use super::{BLOCK, Rows};

/// Most rows of a tile.
pub const TILE_ROWS: usize = 6;

type Factor<K> = <<K as Kept>::Arithmetic as Arithmetic>::Factor;
type Term<K> = <<K as Kept>::Arithmetic as Arithmetic>::Term;

/// Queries in tiles, as terms of a format's products.
pub struct Queries {
    /// `[tiles][runs][R][RUN]` factors, of a word each; of a run only so many count as it has steps.
    factors: Vec<u32>,
    /// `[tiles][runs][R]`.
    scales: Vec<f32>,
}

/// The queries of a tile.
pub struct QueryTile<'a, K: Kept, const R: usize> {
    /// Of each run.
    factors: &'a [[[Factor<K>; RUN]; R]],
    /// The same.
    scales: &'a [[f32; R]],
}

impl Queries {
    /// Room for tiles of `rows` in all.
    pub fn new(rows: usize, head_dim: usize) -> Self {
        let runs = rows * runs(head_dim);
        Self { factors: vec![0; runs * RUN], scales: vec![0.0; runs] }
    }

    /// Takes the queries of `rows`, scaled by `1 / sqrt(head_dim)`. The last tile repeats its last row.
    #[inline(always)]
    pub fn take<K: Kept, const R: usize>(&mut self, q: &[f32], rows: &Rows) {
        let (count, head_dim) = (rows.count(), rows.shape.head_dim);
        let (runs, scale) = (runs(head_dim), (head_dim as f32).sqrt().recip());
        let terms: &mut [Term<K>] = bytemuck::cast_slice_mut(&mut self.factors);
        for row in 0..count.next_multiple_of(R) {
            let (tile, r) = (row / R, row % R);
            let query = &q[rows.place(row.min(count - 1))..][..head_dim];
            for (run, values) in padded_runs(query).enumerate() {
                let (rounded, unit) = K::Arithmetic::query(&values);
                let at = (tile * runs + run) * R + r;
                terms[at * RUN * K::STEP..][..RUN].copy_from_slice(&rounded);
                self.scales[at] = unit * scale;
            }
        }
    }

    /// Tile `at`.
    #[inline(always)]
    pub fn tile<K: Kept, const R: usize>(&self, at: usize, head_dim: usize) -> QueryTile<'_, K, R> {
        let runs = runs(head_dim);
        let factors = bytemuck::cast_slice::<u32, Factor<K>>(&self.factors).as_chunks::<RUN>().0.as_chunks::<R>().0;
        let scales = self.scales.as_chunks::<R>().0;
        QueryTile { factors: &factors[at * runs..][..runs], scales: &scales[at * runs..][..runs] }
    }
}

/// The panels of a block that are read.
pub struct Reading<'a, K> {
    words: &'a [u32],
    head_dim: usize,
    /// Positions that count.
    positions: usize,
    /// How many bytes behind a line that is read lies what memory is asked for.
    ahead: Option<usize>,
    kept: PhantomData<K>,
}

impl<'a, K: Kept> Reading<'a, K> {
    /// The first `positions` of the panels in `words`; what is read after them lies at `next`.
    #[inline(always)]
    pub fn new(words: &'a [u32], head_dim: usize, positions: usize, next: Option<*const u32>) -> Self {
        let ahead = next.map(|next| (next as usize).wrapping_sub(words.as_ptr() as usize));
        Self { words, head_dim, positions, ahead, kept: PhantomData }
    }

    /// Scales of runs, if there are any, and lines of each panel.
    #[inline(always)]
    fn panels(&self) -> impl Iterator<Item = (&'a [[f32; LANES]], &'a [[K::Lane; LANES]])> {
        let scale_words = scale_words::<K>(self.head_dim);
        let panels = self.words.chunks_exact(panel_words::<K>(self.head_dim));
        panels.take(self.positions.div_ceil(LANES)).map(move |panel| {
            let (scales, lines) = panel.split_at(scale_words);
            (
                bytemuck::cast_slice::<u32, f32>(scales).as_chunks().0,
                bytemuck::cast_slice::<u32, K::Lane>(lines).as_chunks().0,
            )
        })
    }
}

/// Scores of a tile's rows for the positions of each panel.
///
/// # Shapes
/// → `scores: [R, BLOCK]`.
#[inline(always)]
pub fn score_tile<S: Simd, K: Kept, const R: usize, const N: usize>(
    simd: S,
    queries: QueryTile<'_, K, R>,
    keys: &Reading<'_, K>,
    scores: &mut [f32],
) {
    for (panel, (key_scales, lines)) in keys.panels().enumerate() {
        for first in (0..LANES).step_by(N * S::ROWS) {
            let mut sums = [[simd.lanes(0.0); N]; R];
            let runs = queries.factors.iter().zip(lines.chunks(RUN / K::STEP));
            for (run, (factors, lines)) in runs.enumerate() {
                let dots = products::<S, K, R, N>(simd, factors, lines, first, keys.ahead);
                for n in 0..N {
                    for r in 0..R {
                        let mut scale = simd.lanes(queries.scales[run][r]);
                        if K::HAS_SCALES {
                            let of_keys = simd.get_lanes(&key_scales[run][first + n * S::ROWS..]);
                            scale = simd.times(scale, of_keys);
                        }
                        sums[r][n] = simd.plus_product(sums[r][n], dots[r][n], scale);
                    }
                }
            }
            for r in 0..R {
                let out = &mut scores[r * BLOCK + panel * LANES + first..][..N * S::ROWS];
                for n in 0..N {
                    simd.put_lanes(sums[r][n], &mut out[n * S::ROWS..]);
                }
            }
        }
    }
}

/// `out += weights values`.
///
/// # Shapes
/// `weights: [R, BLOCK]` → `out: [R, columns]`.
#[inline(always)]
pub fn value_tile<S: Simd, K: Kept, const R: usize, const N: usize>(
    simd: S,
    weights: &[f32],
    values: &Reading<'_, K>,
    out: &mut [f32],
) {
    let columns = columns(values.head_dim);
    let lines_of_sixteen = LANES / K::STEP;
    let (mut factors, mut scales) = ([[<Factor<K> as bytemuck::Zeroable>::zeroed(); RUN]; R], [0.0; R]);
    for (panel, (value_scales, lines)) in values.panels().enumerate() {
        let positions = LANES.min(values.positions - panel * LANES);
        let steps = positions.div_ceil(K::STEP);
        for (run, lines) in lines.chunks(RUN / LANES * lines_of_sixteen).enumerate() {
            let mut value_scale = [0.0; LANES];
            if K::HAS_SCALES {
                // What lies behind the last position may be anything.
                value_scale[..positions].copy_from_slice(&value_scales[run][..positions]);
            }
            for r in 0..R {
                let own = weights[r * BLOCK + panel * LANES..].first_chunk().expect("a block has whole panels");
                let (terms, scale) = K::Arithmetic::weights(simd, own, &value_scale);
                bytemuck::cast_slice_mut(&mut factors[r])[..LANES].copy_from_slice(&terms);
                scales[r] = scale;
            }
            for (sixteen, lines) in lines.chunks_exact(lines_of_sixteen).enumerate() {
                for first in (0..LANES).step_by(N * S::ROWS) {
                    let dots = products::<S, K, R, N>(simd, &factors, &lines[..steps], first, values.ahead);
                    for r in 0..R {
                        let out = &mut out[r * columns + run * RUN + sixteen * LANES + first..][..N * S::ROWS];
                        for n in 0..N {
                            let out = &mut out[n * S::ROWS..];
                            let sum = simd.plus_product(simd.get_lanes(out), dots[r][n], simd.lanes(scales[r]));
                            simd.put_lanes(sum, out);
                        }
                    }
                }
            }
        }
    }
}

/// Of each row's factors, one a step, the sum of their products with the lanes from `first` on of the step's line, `N` registers of
/// them.
#[inline(always)]
fn products<S: Simd, K: Kept, const R: usize, const N: usize>(
    simd: S,
    factors: &[[Factor<K>; RUN]; R],
    lines: &[[K::Lane; LANES]],
    first: usize,
    ahead: Option<usize>,
) -> [[S::Lanes; N]; R] {
    let mut sums = [[K::Arithmetic::nothing(simd); N]; R];
    for (step, line) in lines.iter().enumerate().take(RUN) {
        if let Some(ahead) = ahead {
            simd.prefetch(line.as_ptr().cast::<u8>().wrapping_add(ahead));
        }
        let line = &line[first..][..N * S::ROWS];
        let mut terms = [K::get(simd, line); N];
        for n in 0..N {
            terms[n] = K::get(simd, &line[n * S::ROWS..]);
        }
        for r in 0..R {
            let factor = K::Arithmetic::splat(simd, &factors[r][step]);
            for n in 0..N {
                sums[r][n] = K::Arithmetic::plus(simd, sums[r][n], factor, terms[n]);
            }
        }
    }
    let mut out = [[simd.lanes(0.0); N]; R];
    for r in 0..R {
        for n in 0..N {
            out[r][n] = K::Arithmetic::floats(simd, sums[r][n]);
        }
    }
    out
}
