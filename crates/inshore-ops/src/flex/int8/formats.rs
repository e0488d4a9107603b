//! Where numbers, scales and offsets of each block format lie in a panel: sixteen rows whose words are interleaved.

mod k;
mod unpacked;

use super::super::simd::int8::{GROUPS, Int8, Line, STEPS};
use crate::PackedLayout;
use crate::packed::{PANEL_ROWS, WeightStreams};

pub use self::k::{Q4K, Q5K, Q6K};
pub use self::unpacked::{MOST_LINES, Unpacked};

/// A block format: in a run of 32 columns, value = `d * (number - centre) + m`.
pub trait Format: Copy + Send + Sync {
    /// Runs of a block.
    const RUNS: usize;
    /// Lines of a block.
    const BLOCK: usize;
    /// The largest magnitude of a number.
    const LARGEST: u32;
    /// Whether numbers are signed bytes; else they are below 128.
    const SIGNED: bool = false;
    /// The number that stands for 0, where that is the same for all blocks.
    const CENTRE: i32 = 0;
    /// Whether there are offsets `m`; else they are 0.
    const OFFSETS: bool = false;
    /// Scales `d` of a run: one, or two, of sixteen columns each. Offsets are those of a run.
    const SCALES: usize = 1;

    /// `d` and `m` of a run of a panel, `d` being the scale of this index: `place` is `[run, scale]`.
    fn scales<S: Int8>(simd: S, panel: Panel<'_>, place: [usize; 2], part: usize) -> [S::Lanes; 2];
    /// The numbers of a group of run `run` of a block, a byte each: columns `16 * half + 4 * step..`, `place` being
    /// `[half, step]`.
    fn numbers<S: Int8>(simd: S, block: &[Line], run: usize, place: [usize; 2], part: usize) -> S::Words;
    /// The line whose successor far behind a CPU is asked for when it comes to a group of run `run` of a block: over
    /// all groups every line with numbers once.
    fn prefetched(run: usize, group: usize) -> Option<usize>;
}

/// Sixteen rows.
#[derive(Clone, Copy)]
pub struct Panel<'a> {
    /// The f16 scales of neighbouring blocks in pairs, where the format has them in front of the blocks.
    pub scales: &'a [Line],
    /// The blocks, one after the other.
    pub blocks: &'a [Line],
}

impl Panel<'_> {
    /// The scale of a block of a format that has scales in front of the blocks; two of them share a word.
    #[inline(always)]
    fn scale_in_front<S: Int8>(&self, simd: S, block: usize, part: usize) -> S::Lanes {
        let pair = simd.words(&self.scales[block / 2], part);
        if block.is_multiple_of(2) { simd.low_halves(pair) } else { simd.high_halves(pair) }
    }
}

/// Neighbouring panels of a matrix.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    lines: &'a [Line],
    layout: PackedLayout,
}

impl<'a> Panels<'a> {
    /// `words` are whole panels of a matrix of `layout`.
    pub fn new(words: &'a [u32], layout: PackedLayout) -> Self {
        Self { lines: words.as_chunks::<PANEL_ROWS>().0, layout }
    }

    /// How they are read for one token.
    pub const fn streams(&self) -> WeightStreams {
        self.layout.streams
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.lines.len() / self.layout.row_words()
    }

    /// Panel `at`.
    #[inline(always)]
    pub fn panel(&self, at: usize) -> Panel<'a> {
        let lines = self.layout.row_words();
        let (scales, blocks) = self.lines[at * lines..][..lines].split_at(self.layout.scale_words());
        Panel { scales, blocks }
    }
}

/// A format whose blocks are runs of 32 columns.
pub trait OneRun: Copy + Send + Sync {
    /// Lines of a block. Those with numbers are its last ones.
    const BLOCK: usize;
    /// Lines with numbers: four of nibbles, or eight of signed bytes.
    const LINES: usize;
    /// Whether numbers are signed bytes.
    const SIGNED: bool = Self::LINES == GROUPS;
    /// See [`Format::CENTRE`].
    const CENTRE: i32 = 0;
    /// Whether `d` and an offset `m` are the first line of a block; else `d` is in front of the blocks, and `m` is 0.
    const OFFSETS: bool = false;
    /// The line of a block that holds the fifth bits of its 32 numbers.
    const FIFTH_BITS: Option<usize> = None;
}

impl<F: OneRun> Format for F {
    const RUNS: usize = 1;
    const BLOCK: usize = F::BLOCK;
    const LARGEST: u32 = if F::SIGNED {
        128
    } else if F::FIFTH_BITS.is_some() {
        31
    } else {
        15
    };
    const SIGNED: bool = F::SIGNED;
    const CENTRE: i32 = F::CENTRE;
    const OFFSETS: bool = F::OFFSETS;

    #[inline(always)]
    fn scales<S: Int8>(simd: S, panel: Panel<'_>, [run, _]: [usize; 2], part: usize) -> [S::Lanes; 2] {
        if F::OFFSETS {
            let both = simd.words(&panel.blocks[run * F::BLOCK], part);
            return [simd.low_halves(both), simd.high_halves(both)];
        }
        [panel.scale_in_front(simd, run, part), simd.lanes(0.0)]
    }

    /// In formats of nibbles both groups of a step are in one word: columns 0 to 15 of a block are low nibbles, 16 to 31
    /// the high ones.
    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &[Line], _: usize, [group, step]: [usize; 2], part: usize) -> S::Words {
        let first = F::BLOCK - F::LINES;
        if F::LINES == GROUPS {
            return simd.words(&block[first + group * STEPS + step], part);
        }
        let words = simd.words(&block[first + step], part);
        let nibbles = simd.and(if group == 0 { words } else { simd.shr(words, 4) }, 0x0F0F_0F0F);
        let Some(bits) = F::FIFTH_BITS else { return nibbles };
        let four = simd.and(simd.shr(simd.words(&block[bits], part), 4 * (group * STEPS + step) as u32), 15);
        // Bit `i` goes to bit `8 i`: copies that do not overlap, and of each copy one bit.
        let spread = simd.and(simd.multiply(four, 0x0020_4081), 0x0101_0101);
        simd.or(nibbles, simd.shl(spread, 4))
    }

    #[inline(always)]
    fn prefetched(_: usize, group: usize) -> Option<usize> {
        (group < F::LINES).then(|| F::BLOCK - F::LINES + group)
    }
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

impl OneRun for Q4_0 {
    const BLOCK: usize = 4;
    const LINES: usize = 4;
    const CENTRE: i32 = 8;
}

impl OneRun for Q4_1 {
    const BLOCK: usize = 5;
    const LINES: usize = 4;
    const OFFSETS: bool = true;
}

impl OneRun for Q5_0 {
    const BLOCK: usize = 5;
    const LINES: usize = 4;
    const CENTRE: i32 = 16;
    const FIFTH_BITS: Option<usize> = Some(0);
}

impl OneRun for Q5_1 {
    const BLOCK: usize = 6;
    const LINES: usize = 4;
    const OFFSETS: bool = true;
    const FIFTH_BITS: Option<usize> = Some(1);
}

impl OneRun for Q8_0 {
    const BLOCK: usize = 8;
    const LINES: usize = 8;
}
