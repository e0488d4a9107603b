//! Where the numbers, scales and offsets of each block format lie in a packed row.

use std::marker::PhantomData;

use bytemuck::Pod;

use super::super::simd::int8::{Int8, RUN};
use crate::PackedLayout;

/// Scales and offsets of four neighbouring runs.
pub type Four = [[f32; 4]; 2];

/// A format whose blocks are runs of 32 columns: value = `d * number + m`.
pub trait Format: Copy + Send + Sync {
    /// A block in a packed row.
    type Block: Pod;
    /// Whether numbers are signed bytes; else they are below 128.
    const SIGNED: bool;

    /// The numbers of a block.
    fn numbers<S: Int8>(simd: S, block: &Self::Block) -> S::Numbers;
    /// `d` and `m` of blocks `first..first + 4`; beyond the last block, those of any block.
    fn four<S: Int8>(simd: S, row: Row<'_, Self>, first: usize) -> Four;
}

/// One packed row.
pub struct Row<'a, F: Format> {
    /// The f16 scales in front of the blocks, where the format has them there.
    pub scales: &'a [u16],
    /// One block per run.
    pub blocks: &'a [F::Block],
}

impl<F: Format> Clone for Row<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Format> Copy for Row<'_, F> {}

/// Packed rows.
#[derive(Clone, Copy)]
pub struct Rows<'a, F: Format> {
    words: &'a [u32],
    layout: PackedLayout,
    format: PhantomData<F>,
}

impl<'a, F: Format> Rows<'a, F> {
    /// `words` are whole rows of a matrix of `layout`, whose format is `F`.
    pub const fn new(words: &'a [u32], layout: PackedLayout) -> Self {
        Self { words, layout, format: PhantomData }
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.words.len() / self.layout.row_words()
    }

    #[inline(always)]
    pub fn row(&self, at: usize) -> Row<'a, F> {
        let words = self.layout.row_words();
        let (scales, blocks) = self.words[at * words..][..words].split_at(self.layout.scale_words());
        Row { scales: bytemuck::cast_slice(scales), blocks: bytemuck::cast_slice(blocks) }
    }
}

/// Four of `all` from `first` on; past the end the last one again.
#[inline(always)]
fn four_of<T: Copy>(all: &[T], first: usize) -> [T; 4] {
    match all[first..].first_chunk() {
        Some(four) => *four,
        None => std::array::from_fn(|at| all[(first + at).min(all.len() - 1)]),
    }
}

/// The leading words of four blocks from `first` on, which hold `d` and `m` as halves.
#[inline(always)]
fn heads<const N: usize>(blocks: &[[u8; N]], first: usize) -> [u32; 4] {
    let head = |block: &[u8; N]| u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    match blocks[first..].first_chunk::<4>() {
        Some([a, b, c, d]) => [head(a), head(b), head(c), head(d)],
        None => std::array::from_fn(|at| head(&blocks[(first + at).min(blocks.len() - 1)])),
    }
}

/// Scales in front of the row; the offset is `-centre * d`.
#[inline(always)]
fn centred<S: Int8, F: Format>(simd: S, row: Row<'_, F>, first: usize, centre: f32) -> Four {
    // The scales are padded to whole words; what is behind the last one does no harm.
    let d = simd.four_halves(four_of(row.scales, first));
    [d, d.map(|d| d * -centre)]
}

#[inline(always)]
fn sixteen<const N: usize>(block: &[u8; N], at: usize) -> &[u8; 16] {
    block[at..].first_chunk().expect("the block holds sixteen bytes from here on")
}

#[inline(always)]
fn fifth_bits<const N: usize>(block: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

#[derive(Clone, Copy)]
pub struct Q4_0;
#[derive(Clone, Copy)]
pub struct Q4_1;
#[derive(Clone, Copy)]
pub struct Q5_0;
#[derive(Clone, Copy)]
pub struct Q5_1;
#[derive(Clone, Copy)]
pub struct Q8_0;

impl Format for Q4_0 {
    type Block = [u8; 16];
    const SIGNED: bool = false;

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &Self::Block) -> S::Numbers {
        simd.nibbles(block)
    }

    #[inline(always)]
    fn four<S: Int8>(simd: S, row: Row<'_, Self>, first: usize) -> Four {
        centred(simd, row, first, 8.0)
    }
}

impl Format for Q4_1 {
    type Block = [u8; 20];
    const SIGNED: bool = false;

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &Self::Block) -> S::Numbers {
        simd.nibbles(sixteen(block, 4))
    }

    #[inline(always)]
    fn four<S: Int8>(simd: S, row: Row<'_, Self>, first: usize) -> Four {
        simd.half_pairs(heads(row.blocks, first))
    }
}

impl Format for Q5_0 {
    type Block = [u8; 20];
    const SIGNED: bool = false;

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &Self::Block) -> S::Numbers {
        simd.with_fifth(simd.nibbles(sixteen(block, 4)), fifth_bits(block, 0))
    }

    #[inline(always)]
    fn four<S: Int8>(simd: S, row: Row<'_, Self>, first: usize) -> Four {
        centred(simd, row, first, 16.0)
    }
}

impl Format for Q5_1 {
    type Block = [u8; 24];
    const SIGNED: bool = false;

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &Self::Block) -> S::Numbers {
        simd.with_fifth(simd.nibbles(sixteen(block, 8)), fifth_bits(block, 4))
    }

    #[inline(always)]
    fn four<S: Int8>(simd: S, row: Row<'_, Self>, first: usize) -> Four {
        simd.half_pairs(heads(row.blocks, first))
    }
}

impl Format for Q8_0 {
    type Block = [u8; RUN];
    const SIGNED: bool = true;

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &Self::Block) -> S::Numbers {
        Int8::bytes(simd, block)
    }

    #[inline(always)]
    fn four<S: Int8>(simd: S, row: Row<'_, Self>, first: usize) -> Four {
        [simd.four_halves(four_of(row.scales, first)), [0.0; 4]]
    }
}
