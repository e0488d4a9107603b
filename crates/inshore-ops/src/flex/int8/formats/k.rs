//! The K formats: blocks of 256 columns, eight runs, whose scales (and minima) are integers times a scale of the block. Lines
//! of a block, and what is in them of run `r`:
//!
//! ```text
//! Q4_K:  1 of d | dmin, 3 of six-bit scales and minima, 32 of nibbles: half r % 2 of 8 (r / 2)..
//! Q5_K:  4 as Q4_K, 8 of fifth bits: bit r of each byte, 32 as Q4_K
//! Q6_K:  d in front of the blocks; with r = 4 h + k:
//!        32 of nibbles: half k / 2 of 16 h + 8 (k % 2).., 16 of upper pairs: pair k of 8 h.., 4 of scales: bytes 2 r, 2 r + 1
//! ```

use super::{Format, GROUPS, Int8, Line, Panel, STEPS};

#[derive(Clone, Copy)]
pub struct Q4K;
#[derive(Clone, Copy)]
pub struct Q5K;
#[derive(Clone, Copy)]
pub struct Q6K;

/// Runs of a block.
const RUNS: usize = 8;

impl Format for Q4K {
    const RUNS: usize = RUNS;
    const BLOCK: usize = 36;
    const LARGEST: u32 = 15;
    const OFFSETS: bool = true;

    #[inline(always)]
    fn scales<S: Int8>(simd: S, panel: Panel<'_>, [run, _]: [usize; 2], part: usize) -> [S::Lanes; 2] {
        scale_and_minimum(simd, &panel.blocks[run / RUNS * Self::BLOCK..], run % RUNS, part)
    }

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &[Line], run: usize, [group, step]: [usize; 2], part: usize) -> S::Words {
        let line = &block[4 + run / 2 * GROUPS + group * STEPS + step];
        nibbles(simd, simd.words(line, part), run % 2)
    }

    #[inline(always)]
    fn prefetched(run: usize, group: usize) -> Option<usize> {
        share_of_block::<Self>(run, group)
    }
}

impl Format for Q5K {
    const RUNS: usize = RUNS;
    const BLOCK: usize = 44;
    const LARGEST: u32 = 31;
    const OFFSETS: bool = true;

    #[inline(always)]
    fn scales<S: Int8>(simd: S, panel: Panel<'_>, [run, _]: [usize; 2], part: usize) -> [S::Lanes; 2] {
        scale_and_minimum(simd, &panel.blocks[run / RUNS * Self::BLOCK..], run % RUNS, part)
    }

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &[Line], run: usize, [group, step]: [usize; 2], part: usize) -> S::Words {
        let line = &block[12 + run / 2 * GROUPS + group * STEPS + step];
        let nibbles = nibbles(simd, simd.words(line, part), run % 2);
        let bits = simd.words(&block[4 + group * STEPS + step], part);
        let fifth = simd.and(simd.shr(bits, run as u32), 0x0101_0101);
        simd.or(nibbles, simd.shl(fifth, 4))
    }

    #[inline(always)]
    fn prefetched(run: usize, group: usize) -> Option<usize> {
        share_of_block::<Self>(run, group)
    }
}

impl Format for Q6K {
    const RUNS: usize = RUNS;
    const BLOCK: usize = 52;
    const LARGEST: u32 = 63;
    const CENTRE: i32 = 32;
    const SCALES: usize = 2;

    #[inline(always)]
    fn scales<S: Int8>(simd: S, panel: Panel<'_>, [run, scale]: [usize; 2], part: usize) -> [S::Lanes; 2] {
        let d = panel.scale_in_front(simd, run / RUNS, part);
        let line = &panel.blocks[run / RUNS * Self::BLOCK + 48 + run % RUNS / 2];
        // In the highest byte a signed one keeps its sign, and is 2^24 times as large.
        let byte = run % 2 * 2 + scale;
        let raised = simd.and(simd.shl(simd.words(line, part), 8 * (3 - byte) as u32), 0xFF00_0000);
        let own = simd.times(simd.integers(raised), simd.lanes(1.0 / 16_777_216.0));
        [simd.times(d, own), simd.lanes(0.0)]
    }

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &[Line], run: usize, [group, step]: [usize; 2], part: usize) -> S::Words {
        let (half, quarter) = (run / 4, run % 4);
        let line = &block[half * 16 + quarter % 2 * GROUPS + group * STEPS + step];
        let nibbles = nibbles(simd, simd.words(line, part), quarter / 2);
        let pairs = simd.words(&block[32 + half * GROUPS + group * STEPS + step], part);
        let pairs = simd.and(simd.shr(pairs, quarter as u32 * 2), 0x0303_0303);
        simd.or(nibbles, simd.shl(pairs, 4))
    }

    #[inline(always)]
    fn prefetched(run: usize, group: usize) -> Option<usize> {
        share_of_block::<Self>(run, group)
    }
}

/// The low or the high nibble of each byte.
#[inline(always)]
fn nibbles<S: Int8>(simd: S, words: S::Words, high: usize) -> S::Words {
    simd.and(simd.shr(words, 4 * high as u32), 0x0F0F_0F0F)
}

/// `d s` and `-dmin m` of run `run` of the Q4_K or Q5_K block that begins with `lines`. Both are exact: 17 bits.
///
/// ```text
/// byte j (j < 4) of the three lines behind d | dmin:
/// s j in bits 5..0, bits 5..4 of s (j + 4) in bits 7..6 | the same of m | bits 3..0 of s (j + 4), then of m (j + 4)
/// ```
#[inline(always)]
fn scale_and_minimum<S: Int8>(simd: S, lines: &[Line], run: usize, part: usize) -> [S::Lanes; 2] {
    let shift = 8 * (run % 4) as u32;
    let (first, second) = (simd.words(&lines[1], part), simd.words(&lines[2], part));
    let [scale, minimum] = if run < 4 {
        [simd.and(simd.shr(first, shift), 63), simd.and(simd.shr(second, shift), 63)]
    } else {
        let low = simd.shr(simd.words(&lines[3], part), shift);
        let [first, second] = [simd.shr(first, shift + 2), simd.shr(second, shift + 2)];
        [
            simd.or(simd.and(low, 15), simd.and(first, 0x30)),
            simd.or(simd.and(simd.shr(low, 4), 15), simd.and(second, 0x30)),
        ]
    };
    let both = simd.words(&lines[0], part);
    let minimum = simd.times(simd.integers(minimum), simd.lanes(-1.0));
    [simd.times(simd.low_halves(both), simd.integers(scale)), simd.times(simd.high_halves(both), minimum)]
}

/// An eighth of a block's lines for each run, rounded up.
#[inline(always)]
fn share_of_block<F: Format>(run: usize, group: usize) -> Option<usize> {
    (group * RUNS < F::BLOCK).then(|| run * F::BLOCK / RUNS + group)
}
