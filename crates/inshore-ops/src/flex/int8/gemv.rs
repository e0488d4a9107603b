//! One token: each row is read once, its numbers go from memory to a dot product and are never written.

use super::super::simd::int8::Int8;
use super::super::simd::{Kernel, Simd};
use super::activations::{Activations, Token};
use super::formats::{Format, Row, Rows};

/// How far ahead of the use weights are asked for: what memory delivers while it takes to answer. CPUs' own prefetchers
/// stop at every 4 KiB page.
const AHEAD_BYTES: usize = 4096;

pub struct OneToken<'a, F: Format> {
    pub rows: Rows<'a, F>,
    pub x: &'a Activations,
    pub out: &'a mut [f32],
}

impl<F: Format> Kernel for OneToken<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let x = self.x.token::<S>(0);
        let mut scales = vec![0.0; x.scales.len()];
        for (at, out) in self.out.iter_mut().enumerate() {
            *out += row_product(simd, self.rows.row(at), x, &mut scales);
        }
    }
}

/// Dot product of a row with a token; `scales` is room for as many values as the token has.
#[inline(always)]
fn row_product<S: Simd, F: Format>(simd: S, row: Row<'_, F>, x: Token<'_, S>, scales: &mut [f32]) -> f32 {
    // All scales first, four at a time: widening a half costs as much as a run's products.
    let mut offsets = [0.0; 4];
    let fours = scales.as_chunks_mut::<4>().0.iter_mut();
    for (at, ((scales, x_scales), x_sums)) in
        fours.zip(x.scales.as_chunks::<4>().0).zip(x.sums.as_chunks::<4>().0).enumerate()
    {
        let ahead = row.blocks.as_ptr().cast::<u8>().wrapping_add(at * 4 * size_of::<F::Block>() + AHEAD_BYTES);
        simd.prefetch(ahead);
        if 4 * size_of::<F::Block>() > 64 {
            simd.prefetch(ahead.wrapping_add(64));
        }
        let [d, m] = F::four(simd, row, at * 4);
        for lane in 0..4 {
            scales[lane] = d[lane] * x_scales[lane];
            offsets[lane] += m[lane] * x_sums[lane];
        }
    }
    // Two sums, so that one addition need not wait for the other.
    let mut sums = [simd.lanes(0.0); 2];
    let (block_pairs, last_block) = row.blocks.as_chunks::<2>();
    let (run_pairs, last_run) = x.runs.as_chunks::<2>();
    let scale_pairs = scales.as_chunks::<2>().0;
    for ((blocks, runs), scales) in block_pairs.iter().zip(run_pairs).zip(scale_pairs) {
        for i in 0..2 {
            sums[i] = run_product::<S, F>(simd, &blocks[i], &runs[i], scales[i], sums[i]);
        }
    }
    if let ([block], [run]) = (last_block, last_run) {
        sums[0] = run_product::<S, F>(simd, block, run, scales[x.runs.len() - 1], sums[0]);
    }
    simd.total(sums[0], sums[1]) + ((offsets[0] + offsets[1]) + (offsets[2] + offsets[3]))
}

#[inline(always)]
fn run_product<S: Simd, F: Format>(
    simd: S,
    block: &F::Block,
    run: &<S as Int8>::Run,
    scale: f32,
    sum: <S as Int8>::Lanes,
) -> <S as Int8>::Lanes {
    let numbers = F::numbers(simd, block);
    let product = if F::SIGNED { simd.dot::<true>(numbers, run) } else { simd.dot::<false>(numbers, run) };
    simd.plus_scaled(sum, product, simd.lanes(scale))
}
