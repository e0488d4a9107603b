//! NEON: bytes are split into even and odd columns of 16 bits, for `smlal`, which adds products of 16-bit numbers to 32-bit
//! lanes. The instructions that multiply bytes (`sdot`) have no stable name in Rust yet.

use std::arch::aarch64::*;

use super::super::neon::Neon;
use super::{Int8, Line, RUN, even_and_odd, first_of, first_of_mut, part_of, part_of_mut};

impl Int8 for Neon {
    const ROWS: usize = 4;
    const PLANES: usize = 1;

    type Run = [i16; RUN];
    type Words = uint32x4_t;
    /// Even and odd bytes as 16-bit numbers.
    type Quad = [int16x8_t; 2];
    type Sums = int32x4_t;
    /// Two lanes a row, which are added last: of rows 0 and 1, then of rows 2 and 3.
    type Partial = [int32x4_t; 2];
    type Lanes = float32x4_t;

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        even_and_odd(values)
    }

    #[inline(always)]
    fn words(self, line: &Line, part: usize) -> Self::Words {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe {
            let words: &[u32; 4] = part_of(line, part);
            vld1q_u32(words.as_ptr())
        }
    }

    #[inline(always)]
    fn store_words(self, words: Self::Words, line: &mut Line, part: usize) {
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe {
            let line: &mut [u32; 4] = part_of_mut(line, part);
            vst1q_u32(line.as_mut_ptr(), words);
        }
    }

    #[inline(always)]
    fn and(self, words: Self::Words, mask: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { vandq_u32(words, vdupq_n_u32(mask)) }
    }

    #[inline(always)]
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { vorrq_u32(a, b) }
    }

    #[inline(always)]
    fn shr(self, words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { vshlq_u32(words, vdupq_n_s32(-(by as i32))) }
    }

    #[inline(always)]
    fn shl(self, words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { vshlq_u32(words, vdupq_n_s32(by as i32)) }
    }

    #[inline(always)]
    fn multiply(self, words: Self::Words, factor: u32) -> Self::Words {
        // SAFETY: the token proves the features.
        unsafe { vmulq_u32(words, vdupq_n_u32(factor)) }
    }

    #[inline(always)]
    fn integers(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vcvtq_f32_s32(vreinterpretq_s32_u32(words)) }
    }

    #[inline(always)]
    fn low_halves(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { self.halves(vmovn_u32(words)) }
    }

    #[inline(always)]
    fn high_halves(self, words: Self::Words) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { self.halves(vshrn_n_u32::<16>(words)) }
    }

    #[inline(always)]
    fn quad(self, signed: bool, numbers: Self::Words) -> Self::Quad {
        // SAFETY: the token proves the features.
        unsafe {
            let bytes = vreinterpretq_s16_u32(numbers);
            if signed {
                [vshrq_n_s16::<8>(vshlq_n_s16::<8>(bytes)), vshrq_n_s16::<8>(bytes)]
            } else {
                let odd = vshrq_n_u16::<8>(vreinterpretq_u16_s16(bytes));
                [vandq_s16(bytes, vdupq_n_s16(0xFF)), vreinterpretq_s16_u16(odd)]
            }
        }
    }

    /// There is one plane.
    #[inline(always)]
    fn group_dot(
        self,
        _: bool,
        [mut low, mut high]: Self::Partial,
        quad: Self::Quad,
        run: &Self::Run,
        [_, group]: [usize; 2],
    ) -> Self::Partial {
        // SAFETY: the token proves the features.
        unsafe {
            let columns: &[i16; 4] = run[group * 4..].first_chunk().expect("a run has eight groups");
            for (numbers, pair) in quad.into_iter().zip(columns.as_chunks::<2>().0) {
                let x = vreinterpretq_s16_s32(vdupq_n_s32(bytemuck::cast(*pair)));
                low = vmlal_s16(low, vget_low_s16(numbers), vget_low_s16(x));
                high = vmlal_high_s16(high, numbers, x);
            }
            [low, high]
        }
    }

    #[inline(always)]
    fn plus(self, _: bool, sums: Self::Sums, [low, high]: Self::Partial) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { vaddq_s32(sums, vpaddq_s32(low, high)) }
    }

    #[inline(always)]
    fn raised_plus(self, high: Self::Sums, low: Self::Sums) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { vaddq_s32(vshlq_n_s32::<7>(high), low) }
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    fn no_partial(self) -> Self::Partial {
        [self.no_sums(); 2]
    }

    #[inline(always)]
    fn less(self, sums: Self::Sums, by: i32) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { vsubq_s32(sums, vdupq_n_s32(by)) }
    }

    #[inline(always)]
    fn floats(self, sums: Self::Sums) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vcvtq_f32_s32(sums) }
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { vfmaq_f32(acc, a, b) }
    }

    #[inline(always)]
    fn get_lanes(self, values: &[f32]) -> Self::Lanes {
        let values: &[f32; 4] = first_of(values);
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { vld1q_f32(values.as_ptr()) }
    }

    #[inline(always)]
    fn put_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        let out: &mut [f32; 4] = first_of_mut(out);
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { vst1q_f32(out.as_mut_ptr(), lanes) };
    }
}
