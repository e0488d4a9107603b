//! The two products of attention in register tiles. Neither reads memory as evenly as it computes, values being gone through a few
//! columns at a time; so each asks for what comes after it, one run ahead for each that it reads.

use super::super::cache::Kept;
use super::super::simd::{LANES, Simd};
use super::BLOCK;

/// Scores of `R` rows: lane by lane for the positions of each panel.
///
/// `ahead`: the block's values.
///
/// # Shapes
/// `queries: [head_dim]`, `keys: [panels, head_dim]` → `scores: [R, BLOCK]`.
#[inline(always)]
pub fn score_tile<S: Simd, T: Kept, const R: usize>(
    simd: S,
    queries: &[[f32; R]],
    keys: &[[T; LANES]],
    mut ahead: *const [T; LANES],
    scores: &mut [f32],
) {
    for (panel, keys) in keys.chunks_exact(queries.len()).enumerate() {
        let mut sums = [simd.splat(0.0); R];
        for (query, key) in queries.iter().zip(keys) {
            simd.prefetch(ahead.cast());
            ahead = ahead.wrapping_add(1);
            let key = T::load(simd, key);
            for r in 0..R {
                sums[r] = simd.mul_add(simd.splat(query[r]), key, sums[r]);
            }
        }
        for r in 0..R {
            let out = scores[r * BLOCK + panel * LANES..].first_chunk_mut().expect("a block has whole panels");
            simd.store(sums[r], out);
        }
    }
}

/// `out += weights values`, for up to `R` rows, `N` runs of values at a time. `ahead`: the keys of the next block.
///
/// # Shapes
/// `weights: [R, BLOCK]`, `values: [positions, head_dim]` → `out: [rows, head_dim]`.
#[inline(always)]
pub fn value_tile<S: Simd, T: Kept, const R: usize, const N: usize>(
    simd: S,
    weights: &[f32],
    values: &[T],
    head_dim: usize,
    ahead: *const [T; LANES],
    out: &mut [f32],
) {
    let positions = values.len() / head_dim;
    let mut rows = [&[][..]; R];
    for (row, weights) in rows.iter_mut().zip(weights.chunks_exact(BLOCK)) {
        *row = &weights[..positions];
    }
    let runs = head_dim / LANES;
    let whole = runs / N * N;
    for run in (0..whole).step_by(N) {
        value_runs::<S, T, R, N>(simd, rows, values, [head_dim, run * LANES], ahead.wrapping_add(run * positions), out);
    }
    for run in whole..runs {
        value_runs::<S, T, R, 1>(simd, rows, values, [head_dim, run * LANES], ahead.wrapping_add(run * positions), out);
    }
    for column in runs * LANES..head_dim {
        for (out, weights) in out.chunks_exact_mut(head_dim).zip(rows) {
            let values = values.iter().skip(column).step_by(head_dim);
            out[column] += weights.iter().zip(values).map(|(weight, value)| weight * value.value()).sum::<f32>();
        }
    }
}

/// The part of [`value_tile`] for columns `first..first + 16 * N`.
#[inline(always)]
fn value_runs<S: Simd, T: Kept, const R: usize, const N: usize>(
    simd: S,
    weights: [&[f32]; R],
    values: &[T],
    [head_dim, first]: [usize; 2],
    mut ahead: *const [T; LANES],
    out: &mut [f32],
) {
    let mut sums = [[simd.splat(0.0); N]; R];
    for (position, values) in values.chunks_exact(head_dim).enumerate() {
        let (runs, _) = values[first..].as_chunks::<LANES>();
        let runs: &[_; N] = runs.first_chunk().expect("the head has these runs");
        let mut value = [simd.splat(0.0); N];
        for n in 0..N {
            simd.prefetch(ahead.cast());
            ahead = ahead.wrapping_add(1);
            value[n] = T::load(simd, &runs[n]);
        }
        for r in 0..R {
            let weight = simd.splat(weights[r][position]);
            for n in 0..N {
                sums[r][n] = simd.mul_add(weight, value[n], sums[r][n]);
            }
        }
    }
    for (out, sums) in out.chunks_exact_mut(head_dim).zip(sums) {
        let (runs, _) = out[first..].as_chunks_mut::<LANES>();
        for (out, sum) in runs.iter_mut().zip(sums) {
            let so_far = simd.load(out);
            simd.store(simd.add(so_far, sum), out);
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
