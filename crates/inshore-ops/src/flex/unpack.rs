//! From packed blocks to lanes of f32, one function per format; what happens to the lanes is the [`Sink`]'s business, so
//! that a matrix-vector product never writes a dequantised value to memory.
//!
//! The blocks are ggml's (`ggml-common.h`), laid out as [`PackedLayout`] says; [`inshore_gguf::block`] draws their bits.

mod k;

use half::{bf16, f16};
use inshore_gguf::GgmlType;

use super::simd::{LANES, Simd, f16_to_f32};
use crate::PackedLayout;

#[cfg(target_endian = "big")]
compile_error!("packed words hold little-endian bytes");

/// Takes the values of a row as they are unpacked, sixteen at a time.
pub trait Sink<S: Simd> {
    /// Values `run * 16..run * 16 + 16` of the row. `PARITY` is `run % 2`, known at compile time.
    fn put<const PARITY: usize>(&mut self, simd: S, run: usize, values: S::Floats);
    /// The last values of a row that is not a whole number of runs: fewer than sixteen.
    fn put_rest(&mut self, rest: &[f32]);
}

/// Unpacks `row`, one row of a matrix of this layout.
#[inline(always)]
pub fn unpack_row<S: Simd>(simd: S, layout: &PackedLayout, row: &[u32], sink: &mut impl Sink<S>) {
    let (scales, blocks) = row.split_at(layout.scale_words());
    let scales: &[u16] = bytemuck::cast_slice(scales);
    let bytes: &[u8] = bytemuck::cast_slice(blocks);
    match layout.kind {
        GgmlType::F32 => floats::<S, f32>(simd, &bytemuck::cast_slice(blocks)[..layout.cols], sink),
        GgmlType::F16 => floats::<S, f16>(simd, &bytemuck::cast_slice(blocks)[..layout.cols], sink),
        GgmlType::Bf16 => floats::<S, bf16>(simd, &bytemuck::cast_slice(blocks)[..layout.cols], sink),
        GgmlType::Q8_0 => q8_0(simd, scales, bytes, sink),
        GgmlType::Q4_0 => q4_0(simd, scales, bytes, sink),
        GgmlType::Q4_1 => q4_1(simd, bytes, sink),
        GgmlType::Q5_0 => q5_0(simd, scales, bytes, sink),
        GgmlType::Q5_1 => q5_1(simd, bytes, sink),
        GgmlType::Q4K => k::q4_k(simd, bytes, sink),
        GgmlType::Q5K => k::q5_k(simd, bytes, sink),
        GgmlType::Q6K => k::q6_k(simd, scales, bytes, sink),
    }
}

/// A float format: its bits in memory, and how to widen them.
trait Float {
    type Bits: Copy;
    fn lanes<S: Simd>(simd: S, bits: &[Self::Bits; LANES]) -> S::Floats;
    fn one(bits: Self::Bits) -> f32;
}

impl Float for f32 {
    type Bits = f32;

    #[inline(always)]
    fn lanes<S: Simd>(simd: S, bits: &[f32; LANES]) -> S::Floats {
        simd.load(bits)
    }

    #[inline(always)]
    fn one(bits: f32) -> f32 {
        bits
    }
}

impl Float for f16 {
    type Bits = u16;

    #[inline(always)]
    fn lanes<S: Simd>(simd: S, bits: &[u16; LANES]) -> S::Floats {
        simd.load_f16(bits)
    }

    #[inline(always)]
    fn one(bits: u16) -> f32 {
        f16_to_f32(bits)
    }
}

impl Float for bf16 {
    type Bits = u16;

    #[inline(always)]
    fn lanes<S: Simd>(simd: S, bits: &[u16; LANES]) -> S::Floats {
        simd.load_bf16(bits)
    }

    #[inline(always)]
    fn one(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }
}

#[inline(always)]
fn floats<S: Simd, F: Float>(simd: S, values: &[F::Bits], sink: &mut impl Sink<S>) {
    let (runs, rest) = values.as_chunks::<LANES>();
    let (pairs, last) = runs.as_chunks::<2>();
    for (at, [even, odd]) in pairs.iter().enumerate() {
        sink.put::<0>(simd, at * 2, F::lanes(simd, even));
        sink.put::<1>(simd, at * 2 + 1, F::lanes(simd, odd));
    }
    if let [last] = last {
        sink.put::<0>(simd, pairs.len() * 2, F::lanes(simd, last));
    }
    if !rest.is_empty() {
        let mut widened = [0.0; LANES];
        for (out, &value) in widened.iter_mut().zip(rest) {
            *out = F::one(value);
        }
        sink.put_rest(&widened[..rest.len()]);
    }
}

/// The sixteen bytes of `block` from `at` on.
#[inline(always)]
fn sixteen<const N: usize>(block: &[u8; N], at: usize) -> &[u8; LANES] {
    block[at..].first_chunk().expect("the block holds sixteen bytes from here on")
}

#[inline(always)]
fn half_at<S: Simd, const N: usize>(simd: S, block: &[u8; N], at: usize) -> f32 {
    simd.f16(u16::from_le_bytes([block[at], block[at + 1]]))
}

#[inline(always)]
fn q8_0<S: Simd>(simd: S, scales: &[u16], bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, (block, &scale)) in bytes.as_chunks::<32>().0.iter().zip(scales).enumerate() {
        let scale = simd.splat(simd.f16(scale));
        let low = simd.signed(simd.load_bytes(sixteen(block, 0)));
        let high = simd.signed(simd.load_bytes(sixteen(block, 16)));
        sink.put::<0>(simd, at * 2, simd.mul(low, scale));
        sink.put::<1>(simd, at * 2 + 1, simd.mul(high, scale));
    }
}

#[inline(always)]
fn q4_0<S: Simd>(simd: S, scales: &[u16], bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, (block, &scale)) in bytes.as_chunks::<16>().0.iter().zip(scales).enumerate() {
        let scale = simd.splat(simd.f16(scale));
        let nibbles = simd.load_bytes(block);
        let low = simd.sub(simd.shift_right(nibbles, 0, 15), 8);
        let high = simd.sub(simd.shift_right(nibbles, 4, 15), 8);
        sink.put::<0>(simd, at * 2, simd.mul(simd.signed(low), scale));
        sink.put::<1>(simd, at * 2 + 1, simd.mul(simd.signed(high), scale));
    }
}

#[inline(always)]
fn q4_1<S: Simd>(simd: S, bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, block) in bytes.as_chunks::<20>().0.iter().enumerate() {
        let (scale, min) = (simd.splat(half_at(simd, block, 0)), simd.splat(half_at(simd, block, 2)));
        let nibbles = simd.load_bytes(sixteen(block, 4));
        let low = simd.unsigned(simd.shift_right(nibbles, 0, 15));
        let high = simd.unsigned(simd.shift_right(nibbles, 4, 15));
        sink.put::<0>(simd, at * 2, simd.mul_add(low, scale, min));
        sink.put::<1>(simd, at * 2 + 1, simd.mul_add(high, scale, min));
    }
}

/// The five-bit numbers of `nibbles` and the fifth bits beside them, as two runs.
#[inline(always)]
fn five_bits<S: Simd>(simd: S, fifth: &[u8], nibbles: &[u8; LANES]) -> (S::Bytes, S::Bytes) {
    let nibbles = simd.load_bytes(nibbles);
    let low_fifth = simd.spread_bits(u16::from_le_bytes([fifth[0], fifth[1]]));
    let high_fifth = simd.spread_bits(u16::from_le_bytes([fifth[2], fifth[3]]));
    let low = simd.or_shifted(simd.shift_right(nibbles, 0, 15), low_fifth, 4);
    let high = simd.or_shifted(simd.shift_right(nibbles, 4, 15), high_fifth, 4);
    (low, high)
}

#[inline(always)]
fn q5_0<S: Simd>(simd: S, scales: &[u16], bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, (block, &scale)) in bytes.as_chunks::<20>().0.iter().zip(scales).enumerate() {
        let scale = simd.splat(simd.f16(scale));
        let (low, high) = five_bits(simd, &block[..4], sixteen(block, 4));
        sink.put::<0>(simd, at * 2, simd.mul(simd.signed(simd.sub(low, 16)), scale));
        sink.put::<1>(simd, at * 2 + 1, simd.mul(simd.signed(simd.sub(high, 16)), scale));
    }
}

#[inline(always)]
fn q5_1<S: Simd>(simd: S, bytes: &[u8], sink: &mut impl Sink<S>) {
    for (at, block) in bytes.as_chunks::<24>().0.iter().enumerate() {
        let (scale, min) = (simd.splat(half_at(simd, block, 0)), simd.splat(half_at(simd, block, 2)));
        let (low, high) = five_bits(simd, &block[4..8], sixteen(block, 8));
        sink.put::<0>(simd, at * 2, simd.mul_add(simd.unsigned(low), scale, min));
        sink.put::<1>(simd, at * 2 + 1, simd.mul_add(simd.unsigned(high), scale, min));
    }
}
