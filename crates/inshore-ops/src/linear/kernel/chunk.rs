//! 32 neighbouring values of a packed row, as eight quads `q` with `scale * q + offset` the values. So a product with one
//! token multiplies with scale and offset once per chunk.

use cubecl::prelude::*;
use inshore_gguf::GgmlType;

use super::half::half;
use super::k_chunk::{q4_k_chunk, q5_k_chunk, q6_k_chunk};

/// Four neighbouring values.
pub(crate) type Quad = Vector<f32, Const<4>>;

/// Values that are unpacked at once: a whole block, or an eighth of a K-quant's.
pub(crate) const CHUNK: usize = 32;
/// Quads in a chunk.
pub(crate) const QUADS: usize = CHUNK / 4;

/// An unpacked chunk.
#[derive(CubeType)]
pub(crate) struct Chunk {
    pub quads: Array<Quad>,
    /// Scale and offset.
    pub affine: Array<f32>,
}

/// Where a chunk lies: the first word of its row, the blocks of the row, the number of the chunk in it.
#[derive(CubeType)]
pub(crate) struct Place {
    pub row: usize,
    pub blocks: usize,
    pub chunk: usize,
}

#[cube]
impl Chunk {
    /// Registers for a chunk.
    pub fn new() -> Chunk {
        Chunk { quads: Array::new(QUADS), affine: Array::new(2usize) }
    }

    /// Unpacks the chunk at `place`.
    pub fn read(&mut self, words: &[u32], place: &Place, #[comptime] kind: GgmlType) {
        let first = place.row;
        let chunk = place.chunk;
        match comptime!(kind) {
            GgmlType::F32 => f32_chunk(words, first + chunk * 32, self),
            GgmlType::F16 => f16_chunk(words, first + chunk * 16, self),
            GgmlType::Bf16 => bf16_chunk(words, first + chunk * 16, self),
            GgmlType::Q8_0 => q8_0_chunk(words, place, self),
            GgmlType::Q4_0 => q4_0_chunk(words, place, self),
            GgmlType::Q4_1 => q4_1_chunk(words, first + chunk * 5, self),
            GgmlType::Q5_0 => q5_0_chunk(words, place, self),
            GgmlType::Q5_1 => q5_1_chunk(words, first + chunk * 6, self),
            GgmlType::Q4K => q4_k_chunk(words, first + (chunk / 8) * 36, chunk % 8, self),
            GgmlType::Q5K => q5_k_chunk(words, first + (chunk / 8) * 44, chunk % 8, self),
            GgmlType::Q6K => q6_k_chunk(words, place, self),
        }
    }

    /// Values `4 * i..4 * i + 4` of the chunk.
    pub fn values(&self, i: usize) -> Quad {
        self.quads[i] * Quad::new(self.affine[0usize]) + Quad::new(self.affine[1usize])
    }

    pub fn set_affine(&mut self, scale: f32, offset: f32) {
        self.affine[0usize] = scale;
        self.affine[1usize] = offset;
    }

    /// The four bytes of a word.
    pub fn bytes(&self, word: u32) -> Quad {
        fields(word, 0u32, 0xffu32)
    }

    /// The low nibbles of the bytes of `word >> shift`.
    pub fn nibbles(&self, word: u32, #[comptime] shift: u32) -> Quad {
        fields(word, shift, 0xfu32)
    }
}

/// The bits `mask` of the bytes of `word >> shift`. Shifts are constants: some devices shift by variables one by one. CPUs,
/// and so devices emulated on them, convert signed integers in one instruction and unsigned ones in several.
#[cube]
fn fields(word: u32, #[comptime] shift: u32, #[comptime] mask: u32) -> Quad {
    let mut quad = Quad::empty();
    #[unroll]
    for i in 0..4usize {
        let field = (word >> comptime!(8 * i as u32 + shift)) & mask;
        quad.insert(i, f32::cast_from(i32::cast_from(field)));
    }
    quad
}

/// Whether the offset of a format's chunks is ever other than 0.
pub(crate) const fn has_offset(kind: GgmlType) -> bool {
    !matches!(kind, GgmlType::F32 | GgmlType::F16 | GgmlType::Bf16 | GgmlType::Q8_0 | GgmlType::Q6K)
}

/// The value at `col` of a row that is not quantised and starts with word `row`.
#[cube]
pub(crate) fn plain_value(words: &[u32], row: usize, col: usize, #[comptime] kind: GgmlType) -> f32 {
    match comptime!(kind) {
        GgmlType::F16 => half(u32_half(words[row + col / 2], col % 2)),
        GgmlType::Bf16 => f32::reinterpret(u32_half(words[row + col / 2], col % 2) << 16u32),
        _ => f32::reinterpret(words[row + col]),
    }
}

/// The lower or upper 16 bits of a word.
#[cube]
fn u32_half(word: u32, upper: usize) -> u32 {
    (word >> (u32::cast_from(upper) * 16u32)) & 0xffffu32
}

/// Scale of `block` where the scales stand at the start of the row.
#[cube]
pub(crate) fn row_scale(words: &[u32], row: usize, block: usize) -> f32 {
    half(u32_half(words[row + block / 2], block % 2))
}

/// First word behind the scales at the start of a row.
#[cube]
pub(crate) fn behind_scales(place: &Place) -> usize {
    place.row + place.blocks.div_ceil(2)
}

/// ```text
/// word i: value i
/// ```
#[cube]
fn f32_chunk(words: &[u32], start: usize, out: &mut Chunk) {
    out.set_affine(1.0f32, 0.0f32);
    #[unroll]
    for i in 0..QUADS {
        let mut quad = Quad::empty();
        #[unroll]
        for j in 0..4usize {
            quad.insert(j, f32::reinterpret(words[start + comptime!(4 * i + j)]));
        }
        out.quads[i] = quad;
    }
}

/// ```text
/// word i: value 2i in the lower half, 2i + 1 in the upper
/// ```
#[cube]
fn f16_chunk(words: &[u32], start: usize, out: &mut Chunk) {
    out.set_affine(1.0f32, 0.0f32);
    #[unroll]
    for i in 0..QUADS {
        let mut quad = Quad::empty();
        #[unroll]
        for j in 0..2usize {
            let word = words[start + comptime!(2 * i + j)];
            quad.insert(comptime!(2 * j), half(word & 0xffffu32));
            quad.insert(comptime!(2 * j + 1), half(word >> 16u32));
        }
        out.quads[i] = quad;
    }
}

/// As [`f16_chunk`]; a value is the upper half of a binary32.
#[cube]
fn bf16_chunk(words: &[u32], start: usize, out: &mut Chunk) {
    out.set_affine(1.0f32, 0.0f32);
    #[unroll]
    for i in 0..QUADS {
        let mut quad = Quad::empty();
        #[unroll]
        for j in 0..2usize {
            let word = words[start + comptime!(2 * i + j)];
            quad.insert(comptime!(2 * j), f32::reinterpret(word << 16u32));
            quad.insert(comptime!(2 * j + 1), f32::reinterpret(word & 0xffff_0000u32));
        }
        out.quads[i] = quad;
    }
}

/// `d * q`, q a signed byte. Flipping the sign bit makes it an unsigned byte that is 128 too large.
/// ```text
/// row: [d 0, d 1] [d 2, d 3] … | block: 8 words, byte k is q k
/// ```
#[cube]
fn q8_0_chunk(words: &[u32], place: &Place, out: &mut Chunk) {
    out.set_affine(row_scale(words, place.row, place.chunk), 0.0f32);
    let start = behind_scales(place) + place.chunk * 8;
    #[unroll]
    for i in 0..QUADS {
        out.quads[i] = out.bytes(words[start + i] ^ 0x8080_8080u32) - Quad::new(128.0f32);
    }
}

/// `d * (q - 8)`.
/// ```text
/// row: [d 0, d 1] [d 2, d 3] … | block: 4 words, byte k: low nibble q k, high nibble q (k + 16)
/// ```
#[cube]
fn q4_0_chunk(words: &[u32], place: &Place, out: &mut Chunk) {
    let d = row_scale(words, place.row, place.chunk);
    out.set_affine(d, d * -8.0f32);
    nibble_words(words, behind_scales(place) + place.chunk * 4, out);
}

/// `d * q + m`.
/// ```text
/// block: [d, m] | 4 words, byte k: low nibble q k, high nibble q (k + 16)
/// ```
#[cube]
fn q4_1_chunk(words: &[u32], start: usize, out: &mut Chunk) {
    let scales = words[start];
    out.set_affine(half(scales & 0xffffu32), half(scales >> 16u32));
    nibble_words(words, start + 1, out);
}

/// Low nibbles of four words, then the high ones.
#[cube]
fn nibble_words(words: &[u32], start: usize, out: &mut Chunk) {
    #[unroll]
    for i in 0..4usize {
        let word = words[start + i];
        out.quads[i] = out.nibbles(word, 0u32);
        out.quads[comptime!(i + 4)] = out.nibbles(word, 4u32);
    }
}

/// `d * (q - 16)`.
/// ```text
/// row: [d 0, d 1] [d 2, d 3] … | block: bit k of word 0: bit 4 of q k | 4 words as Q4_0
/// ```
#[cube]
fn q5_0_chunk(words: &[u32], place: &Place, out: &mut Chunk) {
    let d = row_scale(words, place.row, place.chunk);
    out.set_affine(d, d * -16.0f32);
    five_bit_words(words, behind_scales(place) + place.chunk * 5, out);
}

/// `d * q + m`.
/// ```text
/// block: [d, m] | bit k: bit 4 of q k | 4 words as Q4_1
/// ```
#[cube]
fn q5_1_chunk(words: &[u32], start: usize, out: &mut Chunk) {
    let scales = words[start];
    out.set_affine(half(scales & 0xffffu32), half(scales >> 16u32));
    five_bit_words(words, start + 1, out);
}

/// A word of fifth bits, then four words of nibbles.
#[cube]
fn five_bit_words(words: &[u32], start: usize, out: &mut Chunk) {
    let upper = words[start];
    #[unroll]
    for i in 0..4usize {
        let word = words[start + comptime!(i + 1)];
        let low = (word & 0x0f0f_0f0fu32) | fifth_bits(upper, comptime!(4 * i as u32));
        let high = ((word >> 4u32) & 0x0f0f_0f0fu32) | fifth_bits(upper, comptime!(4 * i as u32 + 16));
        out.quads[i] = out.bytes(low);
        out.quads[comptime!(i + 4)] = out.bytes(high);
    }
}

/// The four fifth bits from bit `first` on, each moved to bit 4 of its own byte.
#[cube]
fn fifth_bits(bits: u32, #[comptime] first: u32) -> u32 {
    let four = (bits >> first) & 15u32;
    (four << 4u32 | four << 11u32 | four << 18u32 | four << 25u32) & 0x1010_1010u32
}
