//! Products by integer dot products of bytes: `out += x Wᵀ`, activations rounded.
//!
//! A run of 32 activations is rounded to `scale * q`, `q` in -16256..=16256. A packed number `n` of a format stands for
//! `d * n + m`, `d` and `m` being the same for the run, so that a row's share is
//!
//! ```text
//! Σ_runs  (d * scale) * Σ n q  +  m * (scale * Σ q)
//! ```
//!
//! with `Σ n q` an exact integer. One token: [`gemv`]. Several: [`gemm`].

mod activations;
mod formats;
mod gemm;
mod gemv;

use inshore_gguf::GgmlType;

pub use self::activations::Activations;
#[cfg(test)]
pub use self::activations::round;
use self::formats::{Format, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use super::matmul::Matrix;
use super::parallel::Columns;
use super::simd;
use crate::PackedLayout;

/// Whether products with matrices of this layout take rounded activations.
pub fn serves(layout: &PackedLayout) -> bool {
    use GgmlType::*;
    !layout.exact && matches!(layout.kind, Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0)
}

/// The columns of `out += x Wᵀ` that `part` names; on this thread. The layout is one that [`serves`] says yes to.
pub fn add_columns(x: &Activations, matrix: Matrix<'_>, part: Columns<'_>) {
    match matrix.layout().kind {
        GgmlType::Q4_0 => with_format::<Q4_0>(x, matrix, part),
        GgmlType::Q4_1 => with_format::<Q4_1>(x, matrix, part),
        GgmlType::Q5_0 => with_format::<Q5_0>(x, matrix, part),
        GgmlType::Q5_1 => with_format::<Q5_1>(x, matrix, part),
        GgmlType::Q8_0 => with_format::<Q8_0>(x, matrix, part),
        kind => unreachable!("no integer product is there for {kind}"),
    }
}

fn with_format<F: Format>(x: &Activations, matrix: Matrix<'_>, part: Columns<'_>) {
    let Columns { first, rows: mut out } = part;
    let Some(count) = out.first().map(|row| row.len()) else { return };
    assert_eq!(x.runs() * simd::int8::RUN, matrix.layout().cols, "activations and matrix differ in width");
    let rows = formats::Rows::<F>::new(matrix.rows(first..first + count), matrix.layout());
    match &mut out[..] {
        [out] => simd::run(gemv::OneToken { rows, x, out }),
        _ => simd::run(gemm::ManyTokens { rows, x, out }),
    }
}
