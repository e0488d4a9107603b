//! Products by integer dot products of bytes: `out += x Wᵀ`, activations rounded.
//!
//! A run of 32 activations is rounded to `scale * q`, `q` in -16256..=16256. A packed number `n` of a format stands for
//! `d * n + m`, `d` and `m` being the same for the run (in Q6_K, `d` for each half of it), so that a row's share is
//!
//! ```text
//! Σ_runs  (d * scale) * Σ n q  +  m * (scale * Σ q)
//! ```
//!
//! with `Σ n q` an exact integer. The matrix lies in panels of sixteen rows, one row a lane: no sum goes across lanes.

mod activations;
mod formats;
mod product;

use std::marker::PhantomData;

use inshore_gguf::GgmlType;

pub use self::activations::Activations;
#[cfg(test)]
pub use self::activations::LARGEST;
use self::formats::{Format, MOST_LINES, Panels, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
use self::product::{MANY, Product};
use super::matmul::Matrix;
use super::parallel::Columns;
use super::simd;
use crate::packed::PANEL_ROWS;

/// Values of scratch that a product of `cols` columns and `tokens` tokens takes: room for an unpacked panel, where there
/// are many.
pub const fn scratch_values(cols: usize, tokens: usize) -> usize {
    if tokens < MANY { 0 } else { cols / simd::int8::RUN * MOST_LINES * PANEL_ROWS }
}

/// The columns of `out += x Wᵀ` that `part` names; on this thread, with its `scratch`. The matrix is
/// in panels, and `part` begins with one.
pub fn add_columns(x: &Activations, matrix: Matrix<'_>, part: &mut Columns<'_>, scratch: &mut [f32]) {
    match matrix.layout().kind {
        GgmlType::Q4_0 => with_format::<Q4_0>(x, matrix, part, scratch),
        GgmlType::Q4_1 => with_format::<Q4_1>(x, matrix, part, scratch),
        GgmlType::Q5_0 => with_format::<Q5_0>(x, matrix, part, scratch),
        GgmlType::Q5_1 => with_format::<Q5_1>(x, matrix, part, scratch),
        GgmlType::Q8_0 => with_format::<Q8_0>(x, matrix, part, scratch),
        GgmlType::Q4K => with_format::<Q4K>(x, matrix, part, scratch),
        GgmlType::Q5K => with_format::<Q5K>(x, matrix, part, scratch),
        GgmlType::Q6K => with_format::<Q6K>(x, matrix, part, scratch),
        kind => unreachable!("no integer product is there for {kind}"),
    }
}

fn with_format<F: Format>(x: &Activations, matrix: Matrix<'_>, part: &mut Columns<'_>, scratch: &mut [f32]) {
    let Columns { first, rows: out } = part;
    let Some(count) = out.first().map(|row| row.len()) else { return };
    let rows = *first..*first + count;
    assert_eq!(x.runs() * simd::int8::RUN, matrix.layout().cols, "activations and matrix differ in width");
    let panels = Panels::new(matrix.panels(rows), matrix.layout());
    let scratch = bytemuck::cast_slice_mut(scratch).as_chunks_mut().0;
    simd::run_products(Product { panels, x, out, scratch, format: PhantomData::<F> });
}
