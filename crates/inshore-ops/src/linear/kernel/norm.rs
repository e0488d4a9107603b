//! RMSNorm (arXiv 1910.07467): `x * w / sqrt(mean(x²) + eps)`.

use cubecl::prelude::*;

/// Units of a cube.
pub(crate) const NORM_UNITS: usize = 64;

/// Normalises row `first + cube` of `x` into row `cube` of `out`; `width` counts vectors.
#[cube(launch)]
pub(crate) fn rms_norm<N: Size>(
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    out: &mut [Vector<f32, N>],
    first: usize,
    width: usize,
    eps: f32,
) {
    let unit = UNIT_POS as usize;
    let from = (first + CUBE_POS) * width;
    let to = CUBE_POS * width;

    let mut squares = Vector::<f32, N>::new(0.0f32);
    let mut i = unit;
    while i < width {
        let value = x[from + i];
        squares += value * value;
        i += NORM_UNITS;
    }

    let mut partial = Shared::<[f32]>::new_slice(NORM_UNITS);
    partial[unit] = squares.vector_sum();
    sync_cube();
    let mut sum = 0.0f32;
    for j in 0..NORM_UNITS {
        sum += partial[j];
    }

    let lanes = N::value().comptime();
    let count = f32::cast_from(width * lanes);
    let scale = Vector::<f32, N>::new(1.0f32 / (sum / count + eps).sqrt());
    let mut i = unit;
    while i < width {
        out[to + i] = x[from + i] * scale * weight[i];
        i += NORM_UNITS;
    }
}
