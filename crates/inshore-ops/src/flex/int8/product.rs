//! Panels times tokens, in tiles whose sums stay in registers. Every weight is read once per tile, goes from memory to a
//! dot product, and is never written.

use std::marker::PhantomData;
use std::ops::Range;

use super::super::simd::int8::{GROUPS, Int8, Line};
use super::super::simd::{Kernel, Simd};
use super::activations::{Activations, Token};
use super::formats::{Format, Panel, Panels};
use crate::packed::PANEL_ROWS;

/// How far ahead of the use weights are asked for: what memory delivers while it takes to answer. CPUs' own prefetchers
/// stop at every 4 KiB page.
const AHEAD_LINES: usize = 64;

/// `out += x Wᵀ` for neighbouring panels.
pub struct Product<'a, F: Format> {
    pub panels: Panels<'a>,
    pub x: &'a Activations,
    /// The rows' part of each token's output; the last panel may have fewer rows.
    pub out: Vec<&'a mut [f32]>,
    pub format: PhantomData<F>,
}

impl<F: Format> Kernel for Product<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // All rows of a panel at once for one token, and as many sums as registers can hold beside the operands for more.
        match (S::ROWS, S::PLANES) {
            (16, _) => self.tiles::<S, 1, 1, 8>(simd),
            (8, _) => self.tiles::<S, 2, 2, 2>(simd),
            (_, 1) => self.tiles::<S, 4, 4, 2>(simd),
            _ => self.tiles::<S, 4, 2, 2>(simd),
        }
    }
}

impl<F: Format> Product<'_, F> {
    /// `ALL` registers hold a panel's rows; tiles have `P` of them by `T` tokens, single tokens have all.
    #[inline(always)]
    fn tiles<S: Simd, const ALL: usize, const P: usize, const T: usize>(mut self, simd: S) {
        let tokens = self.out.len();
        for (at, panel) in self.panels.iter().enumerate() {
            if tokens < T {
                for token in 0..tokens {
                    self.tile::<S, ALL, 1>(simd, panel, [at, 0], token..token + 1);
                }
                continue;
            }
            for token in (0..tokens).step_by(T) {
                for part in (0..ALL).step_by(P) {
                    self.tile::<S, P, T>(simd, panel, [at, part], token..tokens.min(token + T));
                }
            }
        }
    }

    /// Adds the products of `tokens`, at most `T` of them; of fewer, some before are computed again.
    #[inline(always)]
    fn tile<S: Simd, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        panel: Panel<'_>,
        [at, first_part]: [usize; 2],
        tokens: Range<usize>,
    ) {
        let first = tokens.end - T;
        let x: [Token<'_, S>; T] = std::array::from_fn(|t| self.x.token(first + t));
        let products = products::<S, F, P, T>(simd, panel, first_part, x);
        for (out, products) in self.out[tokens.clone()].iter_mut().zip(&products[tokens.start - first..]) {
            let first_row = at * PANEL_ROWS + first_part * S::ROWS;
            for (out, product) in out.iter_mut().skip(first_row).zip(&products[..P * S::ROWS]) {
                *out += product;
            }
        }
    }
}

/// Products of `T` tokens with `P` registers of rows of a panel, from register `first_part` on.
#[expect(clippy::needless_range_loop, reason = "iterators hide from the compiler that sums are registers")]
#[inline(always)]
fn products<S: Int8, F: Format, const P: usize, const T: usize>(
    simd: S,
    panel: Panel<'_>,
    first_part: usize,
    x: [Token<'_, S>; T],
) -> [[f32; PANEL_ROWS]; T] {
    let centre = F::CENTRE + if F::SIGNED { f32::from(S::BIAS) } else { 0.0 };
    let runs = x[0].runs.len();
    let blocks = &panel.blocks[..runs * F::BLOCK];
    let mut out = [[simd.lanes(0.0); P]; T];
    for (run, block) in blocks.chunks_exact(F::BLOCK).enumerate() {
        let mut sums = [[[simd.no_sums(); P]; T]; 2];
        for line in 0..F::LINES {
            if T == 1 {
                simd.prefetch(block.as_ptr().wrapping_add(line + AHEAD_LINES).cast());
            }
            for half in 0..GROUPS / F::LINES {
                let group = line + half * F::LINES;
                for p in 0..P {
                    let quad = simd.quad(F::SIGNED, F::numbers(simd, block, line, group, first_part + p));
                    for t in 0..T {
                        for plane in 0..S::PLANES {
                            let sum = &mut sums[plane][t][p];
                            *sum = simd.group_dot(F::SIGNED, *sum, quad, &x[t].runs[run], [plane, group]);
                        }
                    }
                }
            }
        }
        for p in 0..P {
            let [d, m] = F::scales(simd, panel, run, first_part + p);
            for t in 0..T {
                let [high, low] = [sums[0][t][p], sums[1][t][p]];
                let sum = if S::PLANES == 2 { simd.raised_plus(high, low) } else { high };
                let (scale, x_sum) = (x[t].scales[run], x[t].sums[run]);
                let mut value = simd.times(simd.floats(sum), simd.lanes(scale));
                if centre != 0.0 {
                    value = simd.plus_product(value, simd.lanes(-centre), simd.lanes(x_sum));
                }
                out[t][p] = simd.plus_product(out[t][p], d, value);
                if F::OFFSETS {
                    out[t][p] = simd.plus_product(out[t][p], m, simd.lanes(x_sum));
                }
            }
        }
    }
    let mut rows = [[0.0; PANEL_ROWS]; T];
    for t in 0..T {
        for p in 0..P {
            simd.store_lanes(out[t][p], &mut rows[t], p);
        }
    }
    rows
}

const _: () = assert!(size_of::<Line>() == 4 * PANEL_ROWS);
