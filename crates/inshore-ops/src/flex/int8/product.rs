//! Panels times tokens, in tiles whose sums stay in registers. Every weight is read once per tile, goes from memory to a
//! dot product, and is never written.

use std::marker::PhantomData;

use super::super::simd::int8::{GROUPS, Int8, Line, STEPS};
use super::super::simd::{Kernel, Simd};
use super::activations::{Activations, Token};
use super::formats::{Format, Panel, Panels, Unpacked};
use crate::packed::{PANEL_ROWS, WeightStreams};

/// Tokens for which it pays to unpack a panel first.
pub const MANY: usize = 8;

/// `out += x Wᵀ` for neighbouring panels.
pub struct Product<'a, 'b, F: Format> {
    pub panels: Panels<'a>,
    pub x: &'a Activations,
    /// The rows' part of each token's output; the last panel may have fewer rows.
    pub out: &'a mut [&'b mut [f32]],
    /// Where panels are unpacked for many tokens; of fewer than [`MANY`] nothing.
    pub scratch: &'a mut [Line],
    pub format: PhantomData<F>,
}

impl<F: Format> Kernel for Product<'_, '_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // All rows of a panel at once for one token, and as many sums as registers can hold beside the operands for more.
        match (self.out.len(), S::ROWS) {
            (1, 16) => self.one_token::<S, 1, 1>(simd),
            (1, 8) => self.one_token::<S, 2, 1>(simd),
            (1, _) => self.one_token::<S, 4, 4>(simd),
            (_, 16) => self.tokens::<S, 1, 1, 8>(simd),
            (_, 8) => self.tokens::<S, 2, 2, 2>(simd),
            _ => self.tokens::<S, 4, 1, 4>(simd),
        }
    }
}

impl<F: Format> Product<'_, '_, F> {
    /// One token, `N` panels from all over the matrix side by side, or one after the other; `ALL` registers of rows each.
    #[inline(always)]
    fn one_token<S: Simd, const ALL: usize, const N: usize>(self, simd: S) {
        let Self { panels, x, out, .. } = self;
        let apart = if panels.streams() == WeightStreams::Four { panels.count() / N } else { 0 };
        for first in 0..apart {
            let places = std::array::from_fn(|n| first + n * apart);
            tile::<S, F, N, ALL, 1>(simd, x, out, places.map(|at| (at, panels.panel(at))), [0, 0, 1]);
        }
        for last in apart * N..panels.count() {
            tile::<S, F, 1, ALL, 1>(simd, x, out, [(last, panels.panel(last))], [0, 0, 1]);
        }
    }

    /// Several tokens, `T` at a time, by `P` of the `ALL` registers that hold a panel's rows.
    #[inline(always)]
    fn tokens<S: Simd, const ALL: usize, const P: usize, const T: usize>(self, simd: S) {
        let Self { panels, x, out, scratch, .. } = self;
        let count = out.len();
        for place in 0..panels.count() {
            let panel = panels.panel(place);
            if count < T {
                for token in 0..count {
                    tile::<S, F, 1, ALL, 1>(simd, x, out, [(place, panel)], [0, token, token + 1]);
                }
            } else if F::SIGNED || count < MANY {
                all_tiles::<S, F, ALL, P, T>(simd, x, out, (place, panel));
            } else {
                let unpacked = Unpacked::<F>::unpack(simd, panel, x.runs(), scratch);
                all_tiles::<S, Unpacked<F>, ALL, P, T>(simd, x, out, (place, unpacked));
            }
        }
    }
}

/// Adds the products of a panel and all tokens.
#[inline(always)]
fn all_tiles<S: Simd, F: Format, const ALL: usize, const P: usize, const T: usize>(
    simd: S,
    x: &Activations,
    out: &mut [&mut [f32]],
    panel: (usize, Panel<'_>),
) {
    for token in (0..out.len()).step_by(T) {
        for part in (0..ALL).step_by(P) {
            tile::<S, F, 1, P, T>(simd, x, out, [panel], [part, token, out.len().min(token + T)]);
        }
    }
}

/// Adds the products of panels, which come with their places, and tokens `start..end`, at most `T` of them; of fewer, some
/// before are computed again.
#[inline(always)]
fn tile<S: Simd, F: Format, const N: usize, const P: usize, const T: usize>(
    simd: S,
    x: &Activations,
    out: &mut [&mut [f32]],
    panels: [(usize, Panel<'_>); N],
    [first_part, start, end]: [usize; 3],
) {
    let first = end - T;
    let x: [Token<'_, S>; T] = std::array::from_fn(|t| x.token(first + t));
    let products = products::<S, F, N, P, T>(simd, panels.map(|(_, panel)| panel), first_part, x);
    for ((place, _), products) in panels.into_iter().zip(&products) {
        let first_row = place * PANEL_ROWS + first_part * S::ROWS;
        for (out, products) in out[start..end].iter_mut().zip(&products[start - first..]) {
            for (out, product) in out.iter_mut().skip(first_row).zip(&products[..P * S::ROWS]) {
                *out += product;
            }
        }
    }
}

/// Products of `T` tokens with `P` registers of rows, from register `first_part` on, of each panel.
#[inline(always)]
fn products<S: Int8, F: Format, const N: usize, const P: usize, const T: usize>(
    simd: S,
    panels: [Panel<'_>; N],
    first_part: usize,
    x: [Token<'_, S>; T],
) -> [[[f32; PANEL_ROWS]; T]; N] {
    let centre = F::CENTRE + if F::SIGNED { S::BIAS } else { 0 };
    let steps = simd.steps();
    let mut out = [[[simd.lanes(0.0); P]; T]; N];
    for run in 0..x[0].runs.len() {
        for n in 0..N {
            for scale in 0..F::SCALES {
                let sums = sums::<S, F, P, T>(simd, panels[n], [run, scale, first_part, steps], &x);
                for p in 0..P {
                    let [d, m] = F::scales(simd, panels[n], [run, scale], first_part + p);
                    for t in 0..T {
                        let summary = &x[t].summaries[run];
                        let [high, low] = sums[t][p];
                        let mut sum = if planes::<S, F>() == 2 { simd.raised_plus(high, low) } else { high };
                        if centre != 0 {
                            sum = simd.less(sum, centre.wrapping_mul(summary.total_of(F::SCALES, scale)));
                        }
                        let value = simd.times(simd.floats(sum), simd.lanes(summary.scale));
                        out[n][t][p] = simd.plus_product(out[n][t][p], d, value);
                        if F::OFFSETS {
                            out[n][t][p] = simd.plus_product(out[n][t][p], m, simd.lanes(summary.sum));
                        }
                    }
                }
            }
        }
    }
    let mut rows = [[[0.0; PANEL_ROWS]; T]; N];
    for n in 0..N {
        for t in 0..T {
            for p in 0..P {
                simd.put_lanes(out[n][t][p], &mut rows[n][t][p * S::ROWS..]);
            }
        }
    }
    rows
}

/// Planes to multiply, known at compile time.
#[inline(always)]
const fn planes<S: Int8, F: Format>() -> usize {
    if F::SIGNED { S::SIGNED_PLANES } else { S::PLANES }
}

/// [`sums_of_scale`], for one token compiled once for each fourth run of a block, so that shifts of its bits are constants.
#[inline(always)]
fn sums<S: Int8, F: Format, const P: usize, const T: usize>(
    simd: S,
    panel: Panel<'_>,
    place: [usize; 4],
    x: &[Token<'_, S>; T],
) -> [[[S::Sums; 2]; P]; T] {
    let [run, scale, first_part, steps] = place;
    match run % 4 {
        _ if F::RUNS == 1 || T > 1 => sums_of_scale::<S, F, P, T>(simd, panel, place, x),
        0 => sums_of_scale::<S, F, P, T>(simd, panel, [run & !3, scale, first_part, steps], x),
        1 => sums_of_scale::<S, F, P, T>(simd, panel, [run & !3 | 1, scale, first_part, steps], x),
        2 => sums_of_scale::<S, F, P, T>(simd, panel, [run & !3 | 2, scale, first_part, steps], x),
        _ => sums_of_scale::<S, F, P, T>(simd, panel, [run | 3, scale, first_part, steps], x),
    }
}

/// `Σ n q` of the columns of a run that share a scale, by planes.
#[expect(clippy::needless_range_loop, reason = "iterators hide from the compiler that sums are registers")]
#[inline(always)]
fn sums_of_scale<S: Int8, F: Format, const P: usize, const T: usize>(
    simd: S,
    panel: Panel<'_>,
    [run, scale, first_part, steps]: [usize; 4],
    x: &[Token<'_, S>; T],
) -> [[[S::Sums; 2]; P]; T] {
    const { assert!(2 * 127 * F::LARGEST <= i16::MAX as u32, "two products of bytes fit 16 bits") };
    let block = &panel.blocks[run / F::RUNS * F::BLOCK..][..F::BLOCK];
    let own = run % F::RUNS;
    let groups = if F::SCALES == 1 { 0..2 } else { scale..scale + 1 };
    let together = simd.partial_groups(F::LARGEST);
    let mut sums = [[[simd.no_sums(); 2]; P]; T];
    let mut partial = [[[simd.no_partial(); 2]; P]; T];
    // Then nothing below is out of bounds.
    assert!(steps <= STEPS);
    for step in 0..steps {
        for group in groups.clone() {
            if T == 1
                && let Some(line) = F::prefetched(own, group * STEPS + step)
            {
                simd.prefetch_behind(&block[line]);
            }
            for p in 0..P {
                let numbers = F::numbers(simd, block, own, [group, step], first_part + p);
                let quad = simd.quad(F::SIGNED, numbers);
                for t in 0..T {
                    for plane in 0..planes::<S, F>() {
                        let sum = &mut partial[t][p][plane];
                        let place = [plane, group * STEPS + step];
                        *sum = simd.group_dot(F::SIGNED, *sum, quad, &x[t].runs[run], place);
                    }
                }
            }
            let taken = groups.len() * step + group % groups.len() + 1;
            if together < GROUPS && taken.is_multiple_of(together) {
                widen::<S, F, P, T>(simd, &mut sums, &mut partial);
            }
        }
    }
    if together == GROUPS {
        widen::<S, F, P, T>(simd, &mut sums, &mut partial);
    }
    sums
}

/// Adds `partial` to `sums` and begins it anew.
#[inline(always)]
fn widen<S: Int8, F: Format, const P: usize, const T: usize>(
    simd: S,
    sums: &mut [[[S::Sums; 2]; P]; T],
    partial: &mut [[[S::Partial; 2]; P]; T],
) {
    for t in 0..T {
        for p in 0..P {
            for plane in 0..2 {
                sums[t][p][plane] = simd.plus(F::SIGNED, sums[t][p][plane], partial[t][p][plane]);
                partial[t][p][plane] = simd.no_partial();
            }
        }
    }
}
