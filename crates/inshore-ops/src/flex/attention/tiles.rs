//! The two products of attention in register tiles. Where a block is read once, each asks memory for what comes after it, one line
//! ahead for each that it reads: CPUs' own prefetchers stop at every page.

use super::super::cache::Kept;
use super::super::simd::{LANES, Simd};
use super::BLOCK;

/// Scores of `R` rows for the positions of each panel, `N` registers of these at a time; each is multiplied by `unit`.
///
/// `ahead`: the block's values.
///
/// # Shapes
/// `queries: [head_dim]`, `keys: [panels, head_dim]` → `scores: [R, BLOCK]`.
#[inline(always)]
pub fn score_tile<S: Simd, T: Kept, const R: usize, const N: usize>(
    simd: S,
    (queries, unit): (&[[f32; R]], f32),
    keys: &[[T; LANES]],
    mut ahead: *const [T; LANES],
    scores: &mut [f32],
) {
    for (panel, keys) in keys.chunks_exact(queries.len()).enumerate() {
        for first in (0..LANES).step_by(N * S::ROWS) {
            let mut sums = [[simd.lanes(0.0); N]; R];
            for (query, key) in queries.iter().zip(keys) {
                simd.prefetch(ahead.cast());
                ahead = ahead.wrapping_add(1);
                let key = registers::<S, T, N>(simd, &key[first..]);
                add_products(simd, query.each_ref(), key, &mut sums);
            }
            for (r, sums) in sums.into_iter().enumerate() {
                let out = &mut scores[r * BLOCK + panel * LANES + first..][..N * S::ROWS];
                for (out, sum) in out.chunks_exact_mut(S::ROWS).zip(sums) {
                    simd.put_lanes(simd.times(sum, simd.lanes(unit)), out);
                }
            }
        }
    }
}

/// Weights of a block, as sums over its positions take them.
#[derive(Clone, Copy)]
pub struct Weights<'a, const R: usize> {
    /// `[R, positions]`.
    rows: [&'a [f32]; R],
    /// The factor that they have, in which kept numbers as lanes are short.
    unit: f32,
}

impl<'a, const R: usize> Weights<'a, R> {
    /// `weights: [R, BLOCK]`, of which `positions` count.
    #[inline(always)]
    pub fn new(weights: &'a [f32], positions: usize, unit: f32) -> Self {
        let mut rows = [&[][..]; R];
        for (row, weights) in rows.iter_mut().zip(weights.chunks_exact(BLOCK)) {
            *row = &weights[..positions];
        }
        Self { rows, unit }
    }

    /// Adds what is behind the last whole run of a head.
    #[inline(always)]
    fn add_rest<T: Kept>(&self, values: &[T], head_dim: usize, out: &mut [f32]) {
        for column in head_dim / LANES * LANES..head_dim {
            for (out, weights) in out.chunks_exact_mut(head_dim).zip(self.rows) {
                for (weight, value) in weights.iter().zip(values.iter().skip(column).step_by(head_dim)) {
                    out[column] += weight * (value.value() / self.unit);
                }
            }
        }
    }
}

/// `out += weights values` for one tile of `R` rows, `P` positions at a time: values are read in the order of memory, and
/// sums wait in `out`. `ahead`: the keys of the next block.
///
/// # Shapes
/// `values: [positions, head_dim]` → `out: [rows, head_dim]`.
#[inline(always)]
pub fn value_stream<S: Simd, T: Kept, const R: usize, const P: usize>(
    simd: S,
    weights: &Weights<'_, R>,
    values: &[T],
    head_dim: usize,
    ahead: *const T,
    out: &mut [f32],
) {
    let positions = values.len() / head_dim;
    let whole = positions / P * P;
    for first in (0..whole).step_by(P) {
        let place = first * head_dim;
        for line in (0..P * head_dim).step_by(64 / size_of::<T>()) {
            simd.prefetch(ahead.wrapping_add(place + line).cast());
        }
        add_positions::<S, T, R, P>(simd, weights, first, &values[place..][..P * head_dim], out);
    }
    for last in whole..positions {
        add_positions::<S, T, R, 1>(simd, weights, last, &values[last * head_dim..][..head_dim], out);
    }
    weights.add_rest(values, head_dim, out);
}

/// The whole runs of [`value_stream`] for `values: [P, head_dim]`, the first position being `first`.
#[inline(always)]
fn add_positions<S: Simd, T: Kept, const R: usize, const P: usize>(
    simd: S,
    weights: &Weights<'_, R>,
    first: usize,
    values: &[T],
    out: &mut [f32],
) {
    let head_dim = values.len() / P;
    let mut factors = [[simd.lanes(0.0); P]; R];
    for (factors, row) in factors.iter_mut().zip(weights.rows) {
        for (factor, weight) in factors.iter_mut().zip(&row[first..][..P]) {
            *factor = simd.lanes(*weight);
        }
    }
    // Of the same length, known to the compiler.
    let runs = head_dim / LANES;
    let mut lines = [&[][..]; P];
    for (line, values) in lines.iter_mut().zip(values.chunks_exact(head_dim)) {
        *line = &values.as_chunks::<LANES>().0[..runs];
    }
    let mut sums = [(); R].map(|()| &mut [][..]);
    for (sums, row) in sums.iter_mut().zip(out.chunks_exact_mut(head_dim)) {
        *sums = &mut row.as_chunks_mut::<LANES>().0[..runs];
    }
    assert!(sums.iter().all(|sums| sums.len() == runs), "{R} rows");
    for run in 0..runs {
        for part in (0..LANES).step_by(S::ROWS) {
            let mut row_sums = [simd.lanes(0.0); R];
            for r in 0..R {
                row_sums[r] = simd.get_lanes(&sums[r][run][part..]);
            }
            for p in 0..P {
                let value = T::get_lanes(simd, &lines[p][run][part..]);
                for r in 0..R {
                    row_sums[r] = simd.plus_product(row_sums[r], factors[r][p], value);
                }
            }
            for r in 0..R {
                simd.put_lanes(row_sums[r], &mut sums[r][run][part..]);
            }
        }
    }
}

/// [`value_stream`] for one of several tiles, to which the block's values are in the CPU's cache: `N` registers of columns at
/// a time for all positions, with sums in registers.
#[inline(always)]
pub fn value_tile<S: Simd, T: Kept, const R: usize, const N: usize>(
    simd: S,
    weights: &Weights<'_, R>,
    values: &[T],
    head_dim: usize,
    out: &mut [f32],
) {
    let whole = head_dim / LANES * LANES;
    let tiled = whole / (N * S::ROWS) * (N * S::ROWS);
    for first in (0..tiled).step_by(N * S::ROWS) {
        add_columns::<S, T, R, N>(simd, weights, values, [head_dim, first], out);
    }
    for first in (tiled..whole).step_by(S::ROWS) {
        add_columns::<S, T, R, 1>(simd, weights, values, [head_dim, first], out);
    }
    weights.add_rest(values, head_dim, out);
}

/// The part of [`value_tile`] for `N` registers of columns from `first` on.
#[inline(always)]
fn add_columns<S: Simd, T: Kept, const R: usize, const N: usize>(
    simd: S,
    weights: &Weights<'_, R>,
    values: &[T],
    [head_dim, first]: [usize; 2],
    out: &mut [f32],
) {
    let mut sums = [[simd.lanes(0.0); N]; R];
    for (out, sums) in out.chunks_exact(head_dim).zip(&mut sums) {
        *sums = registers::<S, f32, N>(simd, &out[first..]);
    }
    for (position, values) in values.chunks_exact(head_dim).enumerate() {
        let mut factors = [&0.0; R];
        for (factor, row) in factors.iter_mut().zip(weights.rows) {
            *factor = &row[position];
        }
        add_products(simd, factors, registers::<S, T, N>(simd, &values[first..]), &mut sums);
    }
    for (out, sums) in out.chunks_exact_mut(head_dim).zip(sums) {
        for (out, sum) in out[first..].chunks_exact_mut(S::ROWS).zip(sums) {
            simd.put_lanes(sum, out);
        }
    }
}

/// The first `N` registers of `kept`.
#[inline(always)]
fn registers<S: Simd, T: Kept, const N: usize>(simd: S, kept: &[T]) -> [S::Lanes; N] {
    let kept = &kept[..N * S::ROWS];
    let mut out = [simd.lanes(0.0); N];
    for n in 0..N {
        out[n] = T::get_lanes(simd, &kept[n * S::ROWS..]);
    }
    out
}

/// `sums[r] += factors[r] * values`.
#[inline(always)]
fn add_products<S: Simd, const R: usize, const N: usize>(
    simd: S,
    factors: [&f32; R],
    values: [S::Lanes; N],
    sums: &mut [[S::Lanes; N]; R],
) {
    for r in 0..R {
        let factor = simd.lanes(*factors[r]);
        for n in 0..N {
            sums[r][n] = simd.plus_product(sums[r][n], factor, values[n]);
        }
    }
}

/// Kept numbers as f32 in `out`, for tiles that share them: what is cheap for one tile is not for ten.
#[inline(always)]
pub fn widen<'w, S: Simd, T: Kept>(simd: S, kept: &[T], out: &'w mut [f32]) -> &'w [f32] {
    let out = &mut out[..kept.len()];
    let (runs, rest) = kept.as_chunks::<LANES>();
    let (wide_runs, wide_rest) = out.as_chunks_mut::<LANES>();
    for (run, wide) in runs.iter().zip(wide_runs) {
        simd.prefetch_behind(run);
        simd.store(T::load(simd, run), wide);
    }
    for (&kept, wide) in rest.iter().zip(wide_rest) {
        *wide = kept.value();
    }
    out
}
