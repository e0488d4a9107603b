//! Several tokens: rows are unpacked once into a panel, in which a register holds four columns of as many rows as it has
//! lanes. A panel is multiplied with all tokens in tiles, whose sums stay in registers for a run.

use bytemuck::Zeroable;

use super::super::simd::int8::{GROUPS, Int8, RUN};
use super::super::simd::{Kernel, Simd};
use super::activations::{Activations, Token};
use super::formats::{Format, Rows};

pub struct ManyTokens<'a, F: Format> {
    pub rows: Rows<'a, F>,
    pub x: &'a Activations,
    pub out: Vec<&'a mut [f32]>,
}

impl<F: Format> Kernel for ManyTokens<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // As many sums as registers can hold beside the operands.
        match S::REGISTERS {
            32 => self.panels::<S, 2, 6>(simd),
            _ => self.panels::<S, 2, 4>(simd),
        }
    }
}

/// [`Int8::ROWS`] rows, unpacked.
struct Panel<S: Int8> {
    /// `[runs]` of eight groups of four columns.
    groups: Vec<[S::Group; GROUPS]>,
    /// `d` of each run and row.
    scales: Vec<S::Row>,
    /// `m` likewise.
    offsets: Vec<S::Row>,
}

impl<S: Simd> Panel<S> {
    fn new(runs: usize) -> Self {
        let zeros = || vec![S::Row::zeroed(); runs];
        Self { groups: vec![<[S::Group; GROUPS]>::zeroed(); runs], scales: zeros(), offsets: zeros() }
    }

    /// Unpacks rows `first..` of `rows`; rows past the last one stay what they were, and their products are not used.
    #[inline(always)]
    fn unpack<F: Format>(&mut self, simd: S, rows: &Rows<'_, F>, first: usize) {
        let bias = if F::SIGNED { S::BIAS } else { 0 };
        let flip = u32::from_le_bytes([bias; 4]);
        for lane in 0..S::ROWS.min(rows.count().saturating_sub(first)) {
            let row = rows.row(first + lane);
            for (run, block) in row.blocks.iter().enumerate() {
                let bytes = simd.store_numbers(F::numbers(simd, block));
                let words = bytes.as_chunks::<4>().0;
                for (group, word) in self.groups[run].iter_mut().zip(words) {
                    // A number and its bias, modulo 256, are a change of the sign bit.
                    bytemuck::cast_slice_mut::<_, u32>(std::slice::from_mut(group))[lane] =
                        u32::from_le_bytes(*word) ^ flip;
                }
            }
            for first_run in (0..row.blocks.len()).step_by(4) {
                let [d, m] = F::four(simd, row, first_run);
                for at in 0..4.min(row.blocks.len() - first_run) {
                    self.scales[first_run + at].as_mut()[lane] = d[at];
                    self.offsets[first_run + at].as_mut()[lane] = m[at] - f32::from(bias) * d[at];
                }
            }
        }
    }
}

impl<F: Format> ManyTokens<'_, F> {
    /// All products: panels of `P` registers of rows by `T` tokens at a time, by single tokens at the end.
    #[inline(always)]
    fn panels<S: Simd, const P: usize, const T: usize>(mut self, simd: S) {
        let tokens = self.out.len();
        let mut panels: [Panel<S>; P] = std::array::from_fn(|_| Panel::new(self.x.runs()));
        for first in (0..self.rows.count()).step_by(P * S::ROWS) {
            for (p, panel) in panels.iter_mut().enumerate() {
                panel.unpack(simd, &self.rows, first + p * S::ROWS);
            }
            let mut token = 0;
            while token + T <= tokens {
                self.tile::<S, P, T>(simd, &panels, first, token);
                token += T;
            }
            for token in token..tokens {
                self.tile::<S, P, 1>(simd, &panels, first, token);
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        panels: &[Panel<S>; P],
        first: usize,
        token: usize,
    ) {
        let x: [Token<'_, S>; T] = std::array::from_fn(|at| self.x.token(token + at));
        let products = if F::SIGNED {
            products::<S, true, P, T>(simd, panels, x)
        } else {
            products::<S, false, P, T>(simd, panels, x)
        };
        for (out, products) in self.out[token..token + T].iter_mut().zip(&products) {
            for (out, products) in out[first..].chunks_mut(S::ROWS).zip(products) {
                for (out, product) in out.iter_mut().zip(products.as_ref()) {
                    *out += product;
                }
            }
        }
    }
}

/// Products of `T` tokens with every row of the panels.
#[inline(always)]
fn products<S: Simd, const SIGNED: bool, const P: usize, const T: usize>(
    simd: S,
    panels: &[Panel<S>; P],
    x: [Token<'_, S>; T],
) -> [[<S as Int8>::Row; P]; T] {
    let has_offsets = !SIGNED || S::BIAS != 0;
    let runs = x[0].runs.len();
    let mut out = [[simd.lanes(0.0); P]; T];
    for run in 0..runs {
        let mut sums = [[simd.no_sums(); P]; T];
        for plane in 0..S::PLANES {
            if plane > 0 {
                for sum in sums.as_flattened_mut() {
                    *sum = simd.raise(*sum);
                }
            }
            for group in 0..GROUPS {
                for p in 0..P {
                    let quad = simd.quad::<SIGNED>(&panels[p].groups[run][group]);
                    for t in 0..T {
                        sums[t][p] = simd.group_dot::<SIGNED>(sums[t][p], quad, &x[t].runs[run], plane, group);
                    }
                }
            }
        }
        for p in 0..P {
            let (d, m) = (simd.load_row(&panels[p].scales[run]), simd.load_row(&panels[p].offsets[run]));
            for t in 0..T {
                let scale = simd.times(d, simd.lanes(x[t].scales[run]));
                out[t][p] = simd.plus_scaled(out[t][p], sums[t][p], scale);
                if has_offsets {
                    out[t][p] = simd.plus_product(out[t][p], m, simd.lanes(x[t].sums[run]));
                }
            }
        }
    }
    let mut rows = [[<S as Int8>::Row::zeroed(); P]; T];
    for t in 0..T {
        for p in 0..P {
            rows[t][p] = simd.store_row(out[t][p]);
        }
    }
    rows
}

const _: () = assert!(RUN == GROUPS * 4);
