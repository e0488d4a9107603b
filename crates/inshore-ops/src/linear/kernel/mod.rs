//! Device code of the products with packed matrices.

mod chunk;
mod epilogue;
mod gemm;
mod gemv;
pub(crate) mod half;
mod input;
mod k_chunk;
mod norm;
pub(crate) mod plain;
pub(crate) mod product;
mod weights;

pub(crate) use chunk::{CHUNK, Chunk, QUADS, Quad};
pub(crate) use epilogue::{HeadsLaunch, ResidualLaunch};
pub(crate) use input::InputLaunch;
pub(crate) use norm::{NORM_UNITS, rms_norm};
pub(crate) use weights::{Cut, Format, Weights, WeightsLaunch};
