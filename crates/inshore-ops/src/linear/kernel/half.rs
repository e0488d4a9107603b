//! Binary16 in integer arithmetic, without the optional f16 type of WebGPU.

use cubecl::prelude::*;

/// The value of a binary16, exactly. Subnormals go through an integer
/// conversion because a device may flush f32 subnormals.
#[cube]
pub(crate) fn half(bits: u32) -> f32 {
    let magnitude = bits & 0x7fffu32;
    let normal = (magnitude << 13u32) + 0x3800_0000u32;
    let special = (magnitude << 13u32) | 0x7f80_0000u32;
    let subnormal = u32::reinterpret(f32::cast_from(magnitude) * 5.960_464_5e-8f32);
    let finite = select(magnitude < 0x400u32, subnormal, normal);
    let value = select(magnitude >= 0x7c00u32, special, finite);
    f32::reinterpret(value | ((bits & 0x8000u32) << 16u32))
}

/// The bits of the binary16 next to the f32 with `bits`, the even one of two, and the largest finite one instead of infinity:
/// as [`to_half`](crate::kv_format::to_half), but that no device's rounding or flushing of subnormals matters.
#[cube]
pub(crate) fn to_half(bits: u32) -> u32 {
    let magnitude = bits & 0x7fff_ffffu32;
    let exponent = magnitude >> 23u32;
    let is_normal = exponent >= 113u32;
    // Below the normal numbers the fraction moves behind the exponent; further than 25 bits nothing is left of it.
    let fraction = (magnitude & 0x007f_ffffu32) | 0x0080_0000u32;
    let cut = select(is_normal, 13u32, min(126u32 - min(exponent, 113u32), 25u32));
    let whole = select(is_normal, magnitude - min(magnitude, 0x3800_0000u32), fraction);
    // Carries where what is cut off is more than a half, or a half behind an odd number.
    let carry = (1u32 << (cut - 1u32)) - 1u32 + ((whole >> cut) & 1u32);
    let finite = min((whole + carry) >> cut, 0x7bffu32);
    select(magnitude > 0x7f80_0000u32, 0x7e00u32, finite) | ((bits >> 16u32) & 0x8000u32)
}

#[cfg(test)]
mod tests {
    use ::half::f16;
    use burn::backend::{BackendTensor, DispatchTensorKind};

    use super::*;
    use crate::backends::{gpu, words};
    use crate::cube::{cube_grid, empty_words};
    use crate::kv_format::tests::{edges, nearest};

    #[cube(launch)]
    fn halves(values: &[u32], out: &mut [u32]) {
        if ABSOLUTE_POS < values.len() {
            out[ABSOLUTE_POS] = to_half(values[ABSOLUTE_POS]);
        }
    }

    #[test]
    fn a_gpu_rounds_as_a_cpu() {
        let values = edges();
        let bits: Vec<_> = values.iter().map(|value| value.to_bits()).collect();
        let DispatchTensorKind::Cube(BackendTensor::Int(input)) = words(&bits, &gpu().device).into_dispatch().kind
        else {
            panic!("words on a GPU");
        };
        let out = empty_words(&input, bits.len());
        let client = input.client.clone();
        let count = cube_grid(bits.len().div_ceil(64));
        halves::launch(&client, count, CubeDim::new_1d(64), input.into_buffer_arg(), out.clone().into_buffer_arg());
        let got = client.read_one(out.handle).expect("a result");
        for (value, &got) in values.iter().zip(bytemuck::cast_slice::<u8, u32>(&got)) {
            if value.is_nan() {
                assert!(f16::from_bits(got as u16).is_nan());
            } else {
                assert_eq!(got, u32::from(nearest(*value)), "{value:e}, {:#010x}", value.to_bits());
            }
        }
    }
}
