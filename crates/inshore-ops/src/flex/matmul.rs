//! Products with packed matrices, `out += x Wᵀ`: by integer dot products ([`int8`]) where the matrix lies in panels, else
//! with f32 activations, which is what the rest of this file is about.
//!
//! One token: every weight is unpacked in registers and used at once. Several: a block of rows is unpacked once into a
//! buffer that stays in the L2 cache, and multiplied with all tokens in register tiles.

use std::ops::Range;

use super::int8::{self, Activations};
use super::parallel::{Columns, columns, for_each, threads};
use super::simd::{self, Kernel, LANES, Simd};
use super::unpack::{Sink, unpack_row};
use crate::PackedLayout;
use crate::packed::PANEL_ROWS;

/// Multiply-accumulates that are worth a task of their own (a few microseconds).
const TASK_VALUES: usize = 32 * 1024;
/// Unpacked weights that a task holds: 128 KiB, to share the L2 cache with the activations.
const BUFFER_VALUES: usize = 32 * 1024;
/// Activations that are multiplied with a buffer before the next ones come: 512 KiB.
const STRIP_VALUES: usize = 128 * 1024;

/// A packed matrix in memory.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    words: &'a [u32],
    layout: PackedLayout,
}

impl<'a> Matrix<'a> {
    /// `words` are those of `layout`.
    pub fn new(words: &'a [u32], layout: PackedLayout) -> Self {
        assert_eq!(words.len(), layout.words(), "packed words belong to a matrix of another shape or format");
        Self { words, layout }
    }

    /// Shape and format.
    pub const fn layout(&self) -> PackedLayout {
        self.layout
    }

    /// The words of some rows of a matrix that is not in panels.
    fn rows(&self, rows: Range<usize>) -> &'a [u32] {
        let words = self.layout.row_words();
        &self.words[rows.start * words..rows.end * words]
    }

    /// The words of the panels of some rows, the first of which begins a panel.
    pub fn panels(&self, rows: Range<usize>) -> &'a [u32] {
        assert!(rows.start.is_multiple_of(PANEL_ROWS), "row {} is inside of a panel", rows.start);
        let words = self.layout.row_words();
        &self.words[rows.start * words..rows.end.next_multiple_of(PANEL_ROWS) * words]
    }

    /// Rows for one task: enough to be worth it, few enough for all threads and for the buffer.
    pub fn task_rows(&self, tokens: usize) -> usize {
        let PackedLayout { rows, cols, panels, .. } = self.layout;
        if panels {
            // As many for each thread, or one would wait for the other.
            const MOST_EACH: usize = 8;
            let worth = if tokens > 1 { PANEL_ROWS } else { 4 * TASK_VALUES.div_ceil(cols) };
            let each = (rows / (worth * threads())).clamp(1, MOST_EACH);
            return rows.div_ceil(threads() * each).max(worth).next_multiple_of(PANEL_ROWS);
        }
        let shared = rows.div_ceil(threads() * 4);
        let rows = match tokens {
            0 | 1 => shared.max(TASK_VALUES.div_ceil(cols)),
            _ => shared.max(TASK_VALUES.div_ceil(cols * tokens)).min((BUFFER_VALUES / cols).max(4)),
        };
        // A multiple of every tile height.
        rows.next_multiple_of(12)
    }

    /// What a thread needs beside inputs and outputs for a task of `rows`: room to unpack them.
    pub const fn scratch_values(&self, rows: usize, tokens: usize) -> usize {
        let PackedLayout { cols, panels, .. } = self.layout;
        match tokens {
            _ if panels => int8::scratch_values(cols, tokens),
            0 | 1 => 0,
            _ => rows * cols,
        }
    }
}

/// Activations: `[tokens, cols]`, row-major.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    cols: usize,
}

impl<'a> Rows<'a> {
    /// `values` are whole rows of `cols`.
    pub fn new(values: &'a [f32], cols: usize) -> Self {
        assert!(values.len().is_multiple_of(cols), "activations are not a whole number of rows of {cols}");
        Self { values, cols }
    }

    /// Number of rows.
    pub const fn count(&self) -> usize {
        self.values.len() / self.cols
    }

    /// Values of a row.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// All of them.
    pub const fn values(&self) -> &'a [f32] {
        self.values
    }

    #[inline(always)]
    fn rows<const N: usize>(&self, first: usize) -> [&'a [f32]; N] {
        let mut rows = [&[][..]; N];
        for (row, values) in rows.iter_mut().zip(self.values[first * self.cols..].chunks_exact(self.cols)) {
            *row = values;
        }
        rows
    }
}

/// The activations of an operation, in all forms that its matrices take.
pub struct Input<'a> {
    exact: Rows<'a>,
    rounded: Option<Activations>,
}

impl<'a> Input<'a> {
    /// `values: [tokens, cols]`, for products with matrices of these layouts; for those in panels rounded.
    pub fn new<const N: usize>(values: &'a [f32], layouts: [PackedLayout; N]) -> Self {
        let exact = Rows::new(values, layouts[0].cols);
        Self { exact, rounded: layouts.iter().any(|layout| layout.panels).then(|| Activations::of(exact)) }
    }

    /// Number of tokens.
    pub const fn tokens(&self) -> usize {
        self.exact.count()
    }
}

/// `out += x Wᵀ` on all threads. `x: [tokens, cols]`, `out: [tokens, rows]`.
pub fn add_product(x: &[f32], matrix: Matrix<'_>, out: &mut [f32]) {
    let x = Input::new(x, [matrix.layout]);
    let block = matrix.task_rows(x.tokens());
    let mut parts = columns(out, matrix.layout.rows, block);
    let scratch = || vec![0.0; matrix.scratch_values(block, x.tokens())];
    for_each(&mut parts, scratch, |part, scratch| add_columns(&x, matrix, part, scratch));
}

/// The columns of `out += x Wᵀ` that `part` names; on this thread, with its `scratch`.
pub fn add_columns(x: &Input<'_>, matrix: Matrix<'_>, part: &mut Columns<'_>, scratch: &mut [f32]) {
    match &x.rounded {
        Some(rounded) if matrix.layout.panels => int8::add_columns(rounded, matrix, part, scratch),
        _ => add_exact_columns(x.exact, matrix, part, scratch),
    }
}

fn add_exact_columns(x: Rows<'_>, matrix: Matrix<'_>, part: &mut Columns<'_>, scratch: &mut [f32]) {
    let Columns { first, rows: out } = part;
    let Some(count) = out.first().map(|row| row.len()) else { return };
    let rows = *first..*first + count;
    assert_eq!(x.cols, matrix.layout.cols, "activations and matrix differ in width");
    let (layout, words) = (matrix.layout, matrix.rows(rows));
    match &mut out[..] {
        [out] => simd::run(OneToken { layout, words, x: x.values, out }),
        out => simd::run(ManyTokens { layout, words, x, out, unpacked: &mut scratch[..count * layout.cols] }),
    }
}

/// Rows of a matrix as f32, for the embedding: row `rows[i]` to row `i` of `out`.
pub fn unpack_rows(matrix: Matrix<'_>, rows: &[usize], out: &mut [f32]) {
    struct Unpack<'a>(Matrix<'a>, &'a [usize], &'a mut [f32]);
    impl Kernel for Unpack<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self(matrix, rows, out) = self;
            for (&row, out) in rows.iter().zip(out.chunks_exact_mut(matrix.layout.cols)) {
                unpack_row(simd, &matrix.layout, &matrix.layout.row(matrix.words, row), &mut Store::new(out));
            }
        }
    }
    simd::run(Unpack(matrix, rows, out));
}

/// Dot product of an unpacked row with activations.
struct Dot<'a, S: Simd> {
    runs: &'a [[f32; LANES]],
    rest: &'a [f32],
    // Two, so that one addition need not wait for the other.
    sums: [S::Floats; 2],
    rest_sum: f32,
}

impl<S: Simd> Sink<S> for Dot<'_, S> {
    #[inline(always)]
    fn put<const PARITY: usize>(&mut self, simd: S, run: usize, values: S::Floats) {
        self.sums[PARITY] = simd.mul_add(values, simd.load(&self.runs[run]), self.sums[PARITY]);
    }

    #[inline(always)]
    fn put_rest(&mut self, rest: &[f32]) {
        self.rest_sum = rest_dot(rest, self.rest);
    }
}

/// Dot product of what is left behind the last whole run.
#[inline(always)]
fn rest_dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Writes an unpacked row to memory.
struct Store<'a> {
    runs: &'a mut [[f32; LANES]],
    rest: &'a mut [f32],
}

impl<'a> Store<'a> {
    #[inline(always)]
    fn new(out: &'a mut [f32]) -> Self {
        let (runs, rest) = out.as_chunks_mut();
        Self { runs, rest }
    }
}

impl<S: Simd> Sink<S> for Store<'_> {
    #[inline(always)]
    fn put<const PARITY: usize>(&mut self, simd: S, run: usize, values: S::Floats) {
        simd.store(values, &mut self.runs[run]);
    }

    #[inline(always)]
    fn put_rest(&mut self, rest: &[f32]) {
        self.rest.copy_from_slice(rest);
    }
}

struct OneToken<'a> {
    layout: PackedLayout,
    words: &'a [u32],
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for OneToken<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { layout, words, x, out } = self;
        let (runs, rest) = x.as_chunks();
        for (row, out) in words.chunks_exact(layout.row_words()).zip(out) {
            let mut dot = Dot { runs, rest, sums: [simd.splat(0.0); 2], rest_sum: 0.0 };
            unpack_row(simd, &layout, row, &mut dot);
            *out += simd.sum(simd.add(dot.sums[0], dot.sums[1])) + dot.rest_sum;
        }
    }
}

struct ManyTokens<'a, 'b> {
    layout: PackedLayout,
    words: &'a [u32],
    x: Rows<'a>,
    out: &'a mut [&'b mut [f32]],
    unpacked: &'a mut [f32],
}

impl Kernel for ManyTokens<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { layout, words, x, out, unpacked } = self;
        let cols = layout.cols;
        for (row, values) in words.chunks_exact(layout.row_words()).zip(unpacked.chunks_exact_mut(cols)) {
            unpack_row(simd, &layout, row, &mut Store::new(values));
        }
        let strip = (STRIP_VALUES / cols).next_multiple_of(4);
        let weights = Rows { values: unpacked, cols };
        for (at, out) in out.chunks_mut(strip).enumerate() {
            let x = Rows { values: &x.values[at * strip * cols..][..out.len() * cols], cols };
            // As many tiles' sums as registers can hold beside the operands.
            match S::REGISTERS {
                32 => tiles::<S, 4, 4>(simd, weights, x, out),
                8 => tiles::<S, 3, 2>(simd, weights, x, out),
                _ => tiles::<S, 1, 2>(simd, weights, x, out),
            }
        }
    }
}

/// All products of `weights` and `x`, `W` rows by `T` tokens at a time, and one by one at the edges: the same sums in the
/// same order.
#[inline(always)]
fn tiles<S: Simd, const W: usize, const T: usize>(simd: S, weights: Rows<'_>, x: Rows<'_>, out: &mut [&mut [f32]]) {
    let whole_rows = weights.count() / W * W;
    let whole_tokens = x.count() / T * T;
    for row in (0..whole_rows).step_by(W) {
        for token in (0..whole_tokens).step_by(T) {
            tile::<S, W, T>(simd, weights, x, [row, token], out);
        }
        for token in whole_tokens..x.count() {
            tile::<S, W, 1>(simd, weights, x, [row, token], out);
        }
    }
    for row in whole_rows..weights.count() {
        for token in 0..x.count() {
            tile::<S, 1, 1>(simd, weights, x, [row, token], out);
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const W: usize, const T: usize>(
    simd: S,
    weights: Rows<'_>,
    x: Rows<'_>,
    [row, token]: [usize; 2],
    out: &mut [&mut [f32]],
) {
    let products = dots(simd, weights.rows::<W>(row), x.rows::<T>(token));
    for (t, out) in out[token..token + T].iter_mut().enumerate() {
        for (w, out) in out[row..row + W].iter_mut().enumerate() {
            *out += products[w][t];
        }
    }
}

/// Dot products of every row of `a` with every row of `b`, all of the same length.
#[inline(always)]
fn dots<S: Simd, const A: usize, const B: usize>(simd: S, a: [&[f32]; A], b: [&[f32]; B]) -> [[f32; B]; A] {
    let len = a[0].len() / LANES;
    let (a_runs, b_runs) = (runs_of(a, len), runs_of(b, len));
    let mut sums = [[simd.splat(0.0); B]; A];
    for run in 0..len {
        let mut right = [simd.splat(0.0); B];
        for j in 0..B {
            right[j] = simd.load(&b_runs[j][run]);
        }
        for i in 0..A {
            let left = simd.load(&a_runs[i][run]);
            for j in 0..B {
                sums[i][j] = simd.mul_add(left, right[j], sums[i][j]);
            }
        }
    }
    let mut out = [[0.0; B]; A];
    for i in 0..A {
        for j in 0..B {
            out[i][j] = simd.sum(sums[i][j]) + rest_dot(&a[i][len * LANES..], &b[j][len * LANES..]);
        }
    }
    out
}

#[inline(always)]
fn runs_of<const N: usize>(rows: [&[f32]; N], len: usize) -> [&[[f32; LANES]]; N] {
    let mut runs = [&[][..]; N];
    for i in 0..N {
        runs[i] = &rows[i].as_chunks().0[..len];
    }
    runs
}
