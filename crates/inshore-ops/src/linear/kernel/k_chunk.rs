//! Chunks of the K-quants: an eighth of a block of 256 values each.

use cubecl::prelude::*;

use super::chunk::{Chunk, Place, QUADS, Quad, behind_scales, row_scale};
use super::half::half;

/// Byte `index` of the words from `start` on.
#[cube]
fn byte_at(words: &[u32], start: usize, index: usize) -> u32 {
    (words[start + index / 4] >> (u32::cast_from(index % 4) * 8u32)) & 0xffu32
}

/// Scale and minimum of sub-block `j` of Q4_K and Q5_K.
/// ```text
/// block: [d, dmin] | three words:
/// byte j (j < 4): s j in bits 5..0, bits 5..4 of s (j + 4) in bits 7..6
/// byte j + 4:     m j in bits 5..0, bits 5..4 of m (j + 4) in bits 7..6
/// byte j + 8:     bits 3..0 of s (j + 4), then of m (j + 4)
/// ```
#[cube]
fn sub_scales(words: &[u32], start: usize, j: usize, out: &mut Chunk) {
    let shift = u32::cast_from(j % 4) * 8u32;
    let s = (words[start + 1] >> shift) & 0xffu32;
    let m = (words[start + 2] >> shift) & 0xffu32;
    let both = (words[start + 3] >> shift) & 0xffu32;
    let first = j < 4;
    let scale = select(first, s & 63u32, (both & 15u32) | ((s >> 6u32) << 4u32));
    let minimum = select(first, m & 63u32, (both >> 4u32) | ((m >> 6u32) << 4u32));
    let d = words[start];
    out.set_affine(half(d & 0xffffu32) * f32::cast_from(scale), -(half(d >> 16u32) * f32::cast_from(minimum)));
}

/// `d s_j * q - dmin m_j`, for sub-block j of 32.
/// ```text
/// block: [d, dmin] | 3 words s, m | 32 words: low nibbles of words 8p… are sub-block 2p, high nibbles 2p + 1
/// ```
#[cube]
pub(crate) fn q4_k_chunk(words: &[u32], start: usize, j: usize, out: &mut Chunk) {
    sub_scales(words, start, j, out);
    let shift = u32::cast_from(j % 2) * 4u32;
    let first = start + 4 + (j / 2) * 8;
    #[unroll]
    for i in 0..QUADS {
        out.quads[i] = out.nibbles(words[first + i] >> shift, 0u32);
    }
}

/// As [`q4_k_chunk`] with a fifth bit.
/// ```text
/// block: [d, dmin] | 3 words s, m | 8 words: bit j of byte i is bit 4 of value i of sub-block j | 32 words as Q4_K
/// ```
#[cube]
pub(crate) fn q5_k_chunk(words: &[u32], start: usize, j: usize, out: &mut Chunk) {
    sub_scales(words, start, j, out);
    let shift = u32::cast_from(j % 2) * 4u32;
    let first = start + 12 + (j / 2) * 8;
    #[unroll]
    for i in 0..QUADS {
        let low = (words[first + i] >> shift) & 0x0f0f_0f0fu32;
        let fifth = (words[start + comptime!(i + 4)] >> u32::cast_from(j)) & 0x0101_0101u32;
        out.quads[i] = out.bytes(low | (fifth << 4u32));
    }
}

/// `(d s) * (q - 32)`, with a signed byte s per 16 values.
/// ```text
/// row: [d 0, d 1] … | block: 32 words lower bits | 16 words upper bits | 4 words s
/// chunk j = 4h + k (half h, quarter k): word i is the nibbles (low for k < 2) of word 16h + 8 (k mod 2) + i of the
/// lower bits, with bits 2k + 1, 2k of each byte of word 8h + i of the upper bits; its scales are bytes 2j, 2j + 1
/// ```
#[cube]
pub(crate) fn q6_k_chunk(words: &[u32], place: &Place, out: &mut Chunk) {
    let block = place.chunk / 8;
    let j = place.chunk % 8;
    out.set_affine(row_scale(words, place.row, block), 0.0f32);
    let start = behind_scales(place) + block * 52;
    let k = j % 4;
    let lower = start + (j / 4) * 16 + (k % 2) * 8;
    let upper = start + 32 + (j / 4) * 8;
    let shift = u32::cast_from(k / 2) * 4u32;
    let upper_shift = u32::cast_from(k) * 2u32;
    #[unroll]
    for h in 0..2usize {
        let scale = byte_at(words, start + 48, j * 2 + h) ^ 128u32;
        let scale = Quad::new(f32::cast_from(scale) - 128.0f32);
        #[unroll]
        for i in 0..4usize {
            let at = comptime!(4 * h + i);
            let low = (words[lower + at] >> shift) & 0x0f0f_0f0fu32;
            let high = (words[upper + at] >> upper_shift) & 0x0303_0303u32;
            out.quads[at] = scale * (out.bytes(low | (high << 4u32)) - Quad::new(32.0f32));
        }
    }
}
