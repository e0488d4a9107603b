//! Device code of the products with packed matrices.

mod epilogue;
pub(crate) mod gemm;
pub(crate) mod gemv;
mod matrix;
mod norm;
pub(crate) mod plain;

pub(crate) use epilogue::{Combine, EpilogueLaunch};
pub(crate) use matrix::{CHUNK, Matrix, MatrixLaunch, Quad};
pub(crate) use norm::{NORM_UNITS, rms_norm};
