//! A panel for many tokens: numbers are bytes and scales f32, unpacked once and read by all of them.
//!
//! ```text
//! run:  [numbers of four columns] * 8 | [d] * SCALES | [m], if there are offsets
//! ```

use std::marker::PhantomData;

use super::{Format, GROUPS, Int8, Line, PANEL_ROWS, Panel, STEPS};

/// What format `F` becomes.
#[derive(Clone, Copy)]
pub struct Unpacked<F>(PhantomData<F>);

/// The most lines of a run: two scales, or one and an offset.
pub const MOST_LINES: usize = GROUPS + 2;

impl<F: Format> Format for Unpacked<F> {
    const RUNS: usize = 1;
    const BLOCK: usize = GROUPS + F::SCALES + F::OFFSETS as usize;
    const LARGEST: u32 = F::LARGEST;
    const SIGNED: bool = F::SIGNED;
    const CENTRE: i32 = F::CENTRE;
    const OFFSETS: bool = F::OFFSETS;
    const SCALES: usize = F::SCALES;

    #[inline(always)]
    fn scales<S: Int8>(simd: S, panel: Panel<'_>, [run, scale]: [usize; 2], part: usize) -> [S::Lanes; 2] {
        let block = &panel.blocks[run * Self::BLOCK..][..Self::BLOCK];
        let lanes = |line: usize| simd.get_lanes(&bytemuck::cast_slice(&block[line])[part * S::ROWS..]);
        [lanes(GROUPS + scale), if F::OFFSETS { lanes(GROUPS + F::SCALES) } else { simd.lanes(0.0) }]
    }

    #[inline(always)]
    fn numbers<S: Int8>(simd: S, block: &[Line], _: usize, [half, step]: [usize; 2], part: usize) -> S::Words {
        simd.words(&block[half * STEPS + step], part)
    }

    /// It is in the cache.
    #[inline(always)]
    fn prefetched(_: usize, _: usize) -> Option<usize> {
        None
    }
}

impl<F: Format> Unpacked<F> {
    /// `panel`, a panel of `F`, in the first lines of `scratch`.
    #[inline(always)]
    pub fn unpack<'a, S: Int8>(simd: S, panel: Panel<'_>, runs: usize, scratch: &'a mut [Line]) -> Panel<'a> {
        const { assert!(Self::BLOCK <= MOST_LINES) };
        let lines = &mut scratch[..runs * Self::BLOCK];
        for (run, lines) in lines.chunks_exact_mut(Self::BLOCK).enumerate() {
            let block = &panel.blocks[run / F::RUNS * F::BLOCK..][..F::BLOCK];
            for part in 0..PANEL_ROWS / S::ROWS {
                for step in 0..STEPS {
                    for half in 0..2 {
                        let numbers = F::numbers(simd, block, run % F::RUNS, [half, step], part);
                        simd.store_words(numbers, &mut lines[half * STEPS + step], part);
                    }
                }
                for scale in 0..F::SCALES {
                    let [d, m] = F::scales(simd, panel, [run, scale], part);
                    let put = |lanes, line: &mut Line| {
                        simd.put_lanes(lanes, &mut bytemuck::cast_slice_mut(line)[part * S::ROWS..]);
                    };
                    put(d, &mut lines[GROUPS + scale]);
                    if F::OFFSETS {
                        put(m, &mut lines[GROUPS + F::SCALES]);
                    }
                }
            }
        }
        Panel { scales: &[], blocks: lines }
    }
}
