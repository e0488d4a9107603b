//! Round-to-nearest quantisers for all tensor types, simple rather than best.

use half::{bf16, f16};

use crate::GgmlType;

/// Packs `values` into whole blocks of `kind`, ready for a tensor.
///
/// # Panics
/// If `values` is not a whole number of blocks.
pub fn quantize(kind: GgmlType, values: &[f32]) -> Vec<u8> {
    assert!(values.len().is_multiple_of(kind.block_len()), "{kind} takes whole blocks");
    let mut out = Vec::with_capacity(values.len() / kind.block_len() * kind.block_bytes());
    for block in values.chunks_exact(kind.block_len()) {
        match kind {
            GgmlType::F32 => out.extend(block[0].to_le_bytes()),
            GgmlType::F16 => out.extend(f16::from_f32(block[0]).to_le_bytes()),
            GgmlType::Bf16 => out.extend(bf16::from_f32(block[0]).to_le_bytes()),
            GgmlType::Q8_0 => q8_0(block, &mut out),
            GgmlType::Q4_0 => symmetric(block, 4, &mut out),
            GgmlType::Q5_0 => symmetric(block, 5, &mut out),
            GgmlType::Q4_1 => affine(block, 4, &mut out),
            GgmlType::Q5_1 => affine(block, 5, &mut out),
            GgmlType::Q4K => k_affine(block, 4, &mut out),
            GgmlType::Q5K => k_affine(block, 5, &mut out),
            GgmlType::Q6K => q6_k(block, &mut out),
        }
    }
    out
}

/// `x` in units of `scale`, rounded and held in `low..=high`; 0 where the scale is 0.
fn steps(x: f32, scale: f32, low: i32, high: i32) -> i32 {
    if scale == 0.0 { 0.clamp(low, high) } else { ((x / scale).round() as i32).clamp(low, high) }
}

fn max_abs(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |max, value| value.abs().max(max))
}

/// Appends the f16 nearest to `x` and returns it widened: quants must fit the scale as it is stored.
fn put_half(x: f32, out: &mut Vec<u8>) -> f32 {
    let half = f16::from_f32(x);
    out.extend(half.to_le_bytes());
    half.to_f32()
}

fn q8_0(block: &[f32], out: &mut Vec<u8>) {
    let d = put_half(max_abs(block) / 127.0, out);
    out.extend(block.iter().map(|&x| steps(x, d, -127, 127) as i8 as u8));
}

/// Q4_0 and Q5_0.
fn symmetric(block: &[f32], bits: u32, out: &mut Vec<u8>) {
    let zero = 1 << (bits - 1);
    let d = put_half(max_abs(block) / (zero - 1) as f32, out);
    let quants: Vec<u8> = block.iter().map(|&x| (steps(x, d, -zero, zero - 1) + zero) as u8).collect();
    put_quants(&quants, bits, out);
}

/// Q4_1 and Q5_1.
fn affine(block: &[f32], bits: u32, out: &mut Vec<u8>) {
    let top = (1 << bits) - 1;
    let (min, max) = range(block);
    let d = put_half((max - min) / top as f32, out);
    let m = put_half(min, out);
    let quants: Vec<u8> = block.iter().map(|&x| steps(x - m, d, 0, top) as u8).collect();
    put_quants(&quants, bits, out);
}

fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &x| (min.min(x), max.max(x)))
}

/// Fifth bits (if `bits` is 5) and nibbles of 32 quants.
fn put_quants(quants: &[u8], bits: u32, out: &mut Vec<u8>) {
    if bits == 5 {
        let fifth = quants.iter().enumerate().fold(0, |fifth, (i, &q)| fifth | u32::from(q >> 4) << i);
        out.extend(fifth.to_le_bytes());
    }
    let (low, high) = quants.split_at(16);
    out.extend(low.iter().zip(high).map(|(&low, &high)| (low & 15) | ((high & 15) << 4)));
}

/// Q4_K and Q5_K.
fn k_affine(block: &[f32], bits: u32, out: &mut Vec<u8>) {
    let top = (1 << bits) - 1;
    let subs = block.as_chunks::<32>().0;
    // The format subtracts a minimum that is not negative, so a sub-block above zero has minimum 0.
    let floors = subs.iter().map(|sub| -range(sub).0.min(0.0)).collect::<Vec<_>>();
    let scales = subs.iter().zip(&floors).map(|(sub, floor)| (range(sub).1 + floor).max(0.0) / top as f32);
    let scales = scales.collect::<Vec<_>>();
    let d = put_half(max_abs(&scales) / 63.0, out);
    let dmin = put_half(max_abs(&floors) / 63.0, out);
    let scales: Vec<u8> = scales.iter().map(|&scale| steps(scale, d, 0, 63) as u8).collect();
    let floors: Vec<u8> = floors.iter().map(|&floor| steps(floor, dmin, 0, 63) as u8).collect();
    put_k_scales(&scales, &floors, out);
    let mut quants = [[0; 32]; 8];
    for (j, (quants, sub)) in quants.iter_mut().zip(subs).enumerate() {
        let (scale, floor) = (d * f32::from(scales[j]), dmin * f32::from(floors[j]));
        for (q, &x) in quants.iter_mut().zip(sub) {
            *q = steps(x + floor, scale, 0, top) as u8;
        }
    }
    if bits == 5 {
        out.extend((0..32).map(|i| (0..8).fold(0, |fifth, j| fifth | ((quants[j][i] >> 4) << j))));
    }
    for [low, high] in quants.as_chunks::<2>().0 {
        out.extend(low.iter().zip(high).map(|(&low, &high)| (low & 15) | ((high & 15) << 4)));
    }
}

/// The twelve bytes that [`crate::block::k_scale_min`] reads.
fn put_k_scales(scales: &[u8], mins: &[u8], out: &mut Vec<u8>) {
    out.extend((0..4).map(|j| scales[j] | ((scales[j + 4] >> 4) << 6)));
    out.extend((0..4).map(|j| mins[j] | ((mins[j + 4] >> 4) << 6)));
    out.extend((4..8).map(|j| (scales[j] & 15) | ((mins[j] & 15) << 4)));
}

fn q6_k(block: &[f32], out: &mut Vec<u8>) {
    let subs = block.as_chunks::<16>().0;
    let scales: Vec<f32> = subs.iter().map(|sub| max_abs(sub) / 31.0).collect();
    let mut d_bytes = Vec::new();
    let d = put_half(max_abs(&scales) / 127.0, &mut d_bytes);
    let scales: Vec<i8> = scales.iter().map(|&scale| steps(scale, d, 0, 127) as i8).collect();
    let mut quants = [0; 256];
    for (i, (q, &x)) in quants.iter_mut().zip(block).enumerate() {
        *q = (steps(x, d * f32::from(scales[i / 16]), -32, 31) + 32) as u8;
    }
    let halves = quants.as_chunks::<128>().0;
    for half in halves {
        out.extend((0..64).map(|i| (half[i] & 15) | ((half[i + 64] & 15) << 4)));
    }
    for half in halves {
        out.extend((0..32).map(|i| (0..4).fold(0, |upper, k| upper | ((half[i + 32 * k] >> 4) << (2 * k)))));
    }
    out.extend(scales.iter().map(|&scale| scale as u8));
    out.extend(d_bytes);
}
