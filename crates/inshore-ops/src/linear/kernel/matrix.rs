//! A packed matrix on the device, read in chunks of 32 values.

use cubecl::prelude::*;
use inshore_gguf::GgmlType;

/// Four neighbouring values.
pub(crate) type Quad = Vector<f32, Const<4>>;

/// Values that are dequantised at once: a whole block, or an eighth of a K-quant's.
pub(crate) const CHUNK: usize = 32;

/// The words of a [`PackedLayout`](crate::PackedLayout) and its measures.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Matrix {
    pub words: Box<[u32]>,
    pub rows: usize,
    pub cols: usize,
    pub row_words: usize,
    pub row_blocks: usize,
    #[cube(comptime)]
    pub kind: GgmlType,
}

#[cube]
impl Matrix {
    /// Values `32 * chunk..32 * (chunk + 1)` of `row`, as eight quads.
    pub fn chunk(&self, row: usize, chunk: usize, out: &mut Array<Quad>) {
        let row = row * self.row_words;
        let words = &self.words;
        let blocks = self.row_blocks;
        match comptime!(self.kind) {
            GgmlType::F32 => f32_chunk(words, row + chunk * 32, out),
            GgmlType::F16 => f16_chunk(words, row + chunk * 16, out),
            GgmlType::Bf16 => bf16_chunk(words, row + chunk * 16, out),
            GgmlType::Q8_0 => q8_0_chunk(words, row, blocks, chunk, out),
            GgmlType::Q4_0 => q4_0_chunk(words, row, blocks, chunk, out),
            GgmlType::Q4_1 => q4_1_chunk(words, row + chunk * 5, out),
            GgmlType::Q5_0 => q5_0_chunk(words, row, blocks, chunk, out),
            GgmlType::Q5_1 => q5_1_chunk(words, row + chunk * 6, out),
            GgmlType::Q4K => q4_k_chunk(words, row + (chunk / 8) * 36, chunk % 8, out),
            GgmlType::Q5K => q5_k_chunk(words, row + (chunk / 8) * 44, chunk % 8, out),
            GgmlType::Q6K => q6_k_chunk(words, row, blocks, chunk, out),
        }
    }

    /// The value at `row`, `col` of a matrix that is not quantised.
    pub fn value(&self, row: usize, col: usize) -> f32 {
        let row = row * self.row_words;
        match comptime!(self.kind) {
            GgmlType::F16 => half(u32_half(self.words[row + col / 2], col % 2)),
            GgmlType::Bf16 => f32::reinterpret(u32_half(self.words[row + col / 2], col % 2) << 16u32),
            _ => f32::reinterpret(self.words[row + col]),
        }
    }
}

/// The lower or upper 16 bits of a word.
#[cube]
fn u32_half(word: u32, upper: usize) -> u32 {
    (word >> (u32::cast_from(upper) * 16u32)) & 0xffffu32
}

/// The value of a binary16, exactly, without the optional f16 type of WebGPU. Subnormals go through an integer
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

/// The four bytes of a word.
#[cube]
fn bytes(word: u32) -> Quad {
    let mut quad = Quad::empty();
    #[unroll]
    for i in 0..4usize {
        quad.insert(i, f32::cast_from((word >> comptime!(i as u32 * 8)) & 0xffu32));
    }
    quad
}

/// Scale of `block` where the scales stand at the start of the row.
#[cube]
fn row_scale(words: &[u32], row: usize, block: usize) -> f32 {
    half(u32_half(words[row + block / 2], block % 2))
}

/// First word behind the scales at the start of a row.
#[cube]
fn behind_scales(row: usize, blocks: usize) -> usize {
    row + blocks.div_ceil(2)
}

/// ```text
/// word i: value i
/// ```
#[cube]
fn f32_chunk(words: &[u32], start: usize, out: &mut Array<Quad>) {
    #[unroll]
    for i in 0..8usize {
        let mut quad = Quad::empty();
        #[unroll]
        for j in 0..4usize {
            quad.insert(j, f32::reinterpret(words[start + comptime!(4 * i + j)]));
        }
        out[i] = quad;
    }
}

/// ```text
/// word i: value 2i in the lower half, 2i + 1 in the upper
/// ```
#[cube]
fn f16_chunk(words: &[u32], start: usize, out: &mut Array<Quad>) {
    #[unroll]
    for i in 0..8usize {
        let mut quad = Quad::empty();
        #[unroll]
        for j in 0..2usize {
            let word = words[start + comptime!(2 * i + j)];
            quad.insert(comptime!(2 * j), half(word & 0xffffu32));
            quad.insert(comptime!(2 * j + 1), half(word >> 16u32));
        }
        out[i] = quad;
    }
}

/// As [`f16_chunk`]; a value is the upper half of a binary32.
#[cube]
fn bf16_chunk(words: &[u32], start: usize, out: &mut Array<Quad>) {
    #[unroll]
    for i in 0..8usize {
        let mut quad = Quad::empty();
        #[unroll]
        for j in 0..2usize {
            let word = words[start + comptime!(2 * i + j)];
            quad.insert(comptime!(2 * j), f32::reinterpret(word << 16u32));
            quad.insert(comptime!(2 * j + 1), f32::reinterpret(word & 0xffff_0000u32));
        }
        out[i] = quad;
    }
}

/// `d * q`, q a signed byte. Flipping the sign bit makes it an unsigned byte that is 128 too large.
/// ```text
/// row: [d 0, d 1] [d 2, d 3] … | block: 8 words, byte k is q k
/// ```
#[cube]
fn q8_0_chunk(words: &[u32], row: usize, blocks: usize, block: usize, out: &mut Array<Quad>) {
    let d = Quad::new(row_scale(words, row, block));
    let start = behind_scales(row, blocks) + block * 8;
    #[unroll]
    for i in 0..8usize {
        out[i] = d * (bytes(words[start + i] ^ 0x8080_8080u32) - Quad::new(128.0f32));
    }
}

/// `d * (q - 8)`.
/// ```text
/// row: [d 0, d 1] [d 2, d 3] … | block: 4 words, byte k: low nibble q k, high nibble q (k + 16)
/// ```
#[cube]
fn q4_0_chunk(words: &[u32], row: usize, blocks: usize, block: usize, out: &mut Array<Quad>) {
    let d = Quad::new(row_scale(words, row, block));
    let start = behind_scales(row, blocks) + block * 4;
    #[unroll]
    for i in 0..4usize {
        let word = words[start + i];
        out[i] = d * (bytes(word & 0x0f0f_0f0fu32) - Quad::new(8.0f32));
        out[comptime!(i + 4)] = d * (bytes((word >> 4u32) & 0x0f0f_0f0fu32) - Quad::new(8.0f32));
    }
}

/// `d * q + m`.
/// ```text
/// block: [d, m] | 4 words, byte k: low nibble q k, high nibble q (k + 16)
/// ```
#[cube]
fn q4_1_chunk(words: &[u32], start: usize, out: &mut Array<Quad>) {
    let d = Quad::new(half(words[start] & 0xffffu32));
    let m = Quad::new(half(words[start] >> 16u32));
    #[unroll]
    for i in 0..4usize {
        let word = words[start + comptime!(i + 1)];
        out[i] = d * bytes(word & 0x0f0f_0f0fu32) + m;
        out[comptime!(i + 4)] = d * bytes((word >> 4u32) & 0x0f0f_0f0fu32) + m;
    }
}

/// The four fifth bits from bit `first` on, each moved to bit 4 of its own byte.
#[cube]
fn fifth_bits(bits: u32, #[comptime] first: u32) -> u32 {
    let four = (bits >> first) & 15u32;
    (four << 4u32 | four << 11u32 | four << 18u32 | four << 25u32) & 0x1010_1010u32
}

/// `d * (q - 16)`.
/// ```text
/// row: [d 0, d 1] [d 2, d 3] … | block: bit k of word 0: bit 4 of q k | 4 words as Q4_0
/// ```
#[cube]
fn q5_0_chunk(words: &[u32], row: usize, blocks: usize, block: usize, out: &mut Array<Quad>) {
    let d = Quad::new(row_scale(words, row, block));
    let start = behind_scales(row, blocks) + block * 5;
    let upper = words[start];
    #[unroll]
    for i in 0..4usize {
        let word = words[start + comptime!(i + 1)];
        let low = (word & 0x0f0f_0f0fu32) | fifth_bits(upper, comptime!(4 * i as u32));
        let high = ((word >> 4u32) & 0x0f0f_0f0fu32) | fifth_bits(upper, comptime!(4 * i as u32 + 16));
        out[i] = d * (bytes(low) - Quad::new(16.0f32));
        out[comptime!(i + 4)] = d * (bytes(high) - Quad::new(16.0f32));
    }
}

/// `d * q + m`.
/// ```text
/// block: [d, m] | bit k: bit 4 of q k | 4 words as Q4_1
/// ```
#[cube]
fn q5_1_chunk(words: &[u32], start: usize, out: &mut Array<Quad>) {
    let d = Quad::new(half(words[start] & 0xffffu32));
    let m = Quad::new(half(words[start] >> 16u32));
    let upper = words[start + 1];
    #[unroll]
    for i in 0..4usize {
        let word = words[start + comptime!(i + 2)];
        let low = (word & 0x0f0f_0f0fu32) | fifth_bits(upper, comptime!(4 * i as u32));
        let high = ((word >> 4u32) & 0x0f0f_0f0fu32) | fifth_bits(upper, comptime!(4 * i as u32 + 16));
        out[i] = d * bytes(low) + m;
        out[comptime!(i + 4)] = d * bytes(high) + m;
    }
}

/// Byte `index` of the words from `start` on.
#[cube]
fn byte_at(words: &[u32], start: usize, index: usize) -> u32 {
    (words[start + index / 4] >> (u32::cast_from(index % 4) * 8u32)) & 0xffu32
}

/// Scale and minimum of sub-block `j` of Q4_K and Q5_K, as the lanes 0 and 1 of a quad.
/// ```text
/// byte j (j < 4): s j in bits 5..0, bits 5..4 of s (j + 4) in bits 7..6
/// byte j + 4:     m j in bits 5..0, bits 5..4 of m (j + 4) in bits 7..6
/// byte j + 8:     bits 3..0 of s (j + 4), then of m (j + 4)
/// ```
#[cube]
fn sub_scales(words: &[u32], start: usize, j: usize) -> Quad {
    let s = byte_at(words, start + 1, j % 4);
    let m = byte_at(words, start + 1, j % 4 + 4);
    let both = byte_at(words, start + 1, j % 4 + 8);
    let first = j < 4;
    let scale = select(first, s & 63u32, (both & 15u32) | ((s >> 6u32) << 4u32));
    let minimum = select(first, m & 63u32, (both >> 4u32) | ((m >> 6u32) << 4u32));
    let mut quad = Quad::empty();
    quad.insert(0usize, half(words[start] & 0xffffu32) * f32::cast_from(scale));
    quad.insert(1usize, half(words[start] >> 16u32) * f32::cast_from(minimum));
    quad
}

/// `d s_j * q - dmin m_j`, for sub-block j of 32.
/// ```text
/// block: [d, dmin] | 3 words s, m | 32 words: low nibbles of words 8p… are sub-block 2p, high nibbles 2p + 1
/// ```
#[cube]
fn q4_k_chunk(words: &[u32], start: usize, j: usize, out: &mut Array<Quad>) {
    let scales = sub_scales(words, start, j);
    let d = Quad::new(scales.extract(0usize));
    let m = Quad::new(scales.extract(1usize));
    let shift = u32::cast_from(j % 2) * 4u32;
    let first = start + 4 + (j / 2) * 8;
    #[unroll]
    for i in 0..8usize {
        out[i] = d * bytes((words[first + i] >> shift) & 0x0f0f_0f0fu32) - m;
    }
}

/// As [`q4_k_chunk`] with a fifth bit.
/// ```text
/// block: [d, dmin] | 3 words s, m | 8 words: bit j of byte i is bit 4 of value i of sub-block j | 32 words as Q4_K
/// ```
#[cube]
fn q5_k_chunk(words: &[u32], start: usize, j: usize, out: &mut Array<Quad>) {
    let scales = sub_scales(words, start, j);
    let d = Quad::new(scales.extract(0usize));
    let m = Quad::new(scales.extract(1usize));
    let shift = u32::cast_from(j % 2) * 4u32;
    let first = start + 12 + (j / 2) * 8;
    #[unroll]
    for i in 0..8usize {
        let low = (words[first + i] >> shift) & 0x0f0f_0f0fu32;
        let fifth = (words[start + comptime!(i + 4)] >> u32::cast_from(j)) & 0x0101_0101u32;
        out[i] = d * bytes(low | (fifth << 4u32)) - m;
    }
}

/// `(d s) * (q - 32)`, with a signed byte s per 16 values.
/// ```text
/// row: [d 0, d 1] … | block: 32 words lower bits | 16 words upper bits | 4 words s
/// chunk j = 4h + k (half h, quarter k): word i is the nibbles (low for k < 2) of word 16h + 8 (k mod 2) + i of the
/// lower bits, with bits 2k + 1, 2k of each byte of word 8h + i of the upper bits; its scales are bytes 2j, 2j + 1
/// ```
#[cube]
fn q6_k_chunk(words: &[u32], row: usize, blocks: usize, chunk: usize, out: &mut Array<Quad>) {
    let block = chunk / 8;
    let j = chunk % 8;
    let d = row_scale(words, row, block);
    let start = behind_scales(row, blocks) + block * 52;
    let k = j % 4;
    let lower = start + (j / 4) * 16 + (k % 2) * 8;
    let upper = start + 32 + (j / 4) * 8;
    let shift = u32::cast_from(k / 2) * 4u32;
    let upper_shift = u32::cast_from(k) * 2u32;
    #[unroll]
    for i in 0..8usize {
        let scale = byte_at(words, start + 48, j * 2 + comptime!(i / 4)) ^ 128u32;
        let scale = Quad::new(d * (f32::cast_from(scale) - 128.0f32));
        let low = (words[lower + i] >> shift) & 0x0f0f_0f0fu32;
        let high = (words[upper + i] >> upper_shift) & 0x0303_0303u32;
        out[i] = scale * (bytes(low | (high << 4u32)) - Quad::new(32.0f32));
    }
}
