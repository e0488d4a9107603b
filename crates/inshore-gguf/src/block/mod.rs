//! Block layouts and their plain dequantisers, the reference for every faster kernel.
//!
//! One function per tensor type turns the bytes of one block into its values, in the same order of f32 operations as
//! ggml's, so that results are equal to the bit. The drawings show bytes from left to right as they lie in the file;
//! numbers of more than one byte are little endian.

mod finite;
mod float;
mod k;
mod q4;
mod q5;
mod q6k;
mod q8;

pub use finite::first_not_finite;
pub use float::{bf16, f16, f32};
pub use k::{K_SCALES_BYTES, k_scale_min, q4_k, q5_k};
pub use q4::{q4_0, q4_1};
pub use q5::{q5_0, q5_1};
pub use q6k::q6_k;
pub use q8::q8_0;

use crate::{GgmlType, GgufError};

/// Unpacks whole blocks of `kind` into f32.
///
/// # Shapes
/// `bytes`: n blocks of [`GgmlType::block_bytes`]; `out`: n blocks of [`GgmlType::block_len`] values.
///
/// # Errors
/// [`GgufError::BlockSize`] if the two lengths are not those of the same number of blocks; nothing is written then.
pub fn dequantize(kind: GgmlType, bytes: &[u8], out: &mut [f32]) -> Result<(), GgufError> {
    if kind.row_bytes(out.len()) != Some(bytes.len()) {
        return Err(GgufError::BlockSize { kind, bytes: bytes.len(), values: out.len() });
    }
    match kind {
        GgmlType::F32 => each(bytes, out, f32),
        GgmlType::F16 => each(bytes, out, f16),
        GgmlType::Bf16 => each(bytes, out, bf16),
        GgmlType::Q8_0 => each(bytes, out, q8_0),
        GgmlType::Q4_0 => each(bytes, out, q4_0),
        GgmlType::Q4_1 => each(bytes, out, q4_1),
        GgmlType::Q5_0 => each(bytes, out, q5_0),
        GgmlType::Q5_1 => each(bytes, out, q5_1),
        GgmlType::Q4K => each(bytes, out, q4_k),
        GgmlType::Q5K => each(bytes, out, q5_k),
        GgmlType::Q6K => each(bytes, out, q6_k),
    }
    Ok(())
}

fn each<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let (outs, _) = out.as_chunks_mut::<LEN>();
    for (bytes, out) in blocks.iter().zip(outs) {
        block(bytes, out);
    }
}

/// The f16 at `at`, widened.
fn half_at(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}
