//! The integer dot products as loops: the reference for the others, and the path of CPUs without a kernel here.

use super::super::f16_to_f32;
use super::super::portable::Portable;
use super::{Int8, Line, RUN, first_of, first_of_mut, part_of, part_of_mut};

const ROWS: usize = 4;

#[inline(always)]
fn each<T: Copy + Default>(f: impl Fn(usize) -> T) -> [T; ROWS] {
    let mut out = [T::default(); ROWS];
    for (lane, out) in out.iter_mut().enumerate() {
        *out = f(lane);
    }
    out
}

impl Int8 for Portable {
    const ROWS: usize = ROWS;
    const PLANES: usize = 1;

    type Run = [i16; RUN];
    type Words = [u32; ROWS];
    type Quad = [u32; ROWS];
    type Sums = [i32; ROWS];
    type Partial = Self::Sums;
    type Lanes = [f32; ROWS];

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        *values
    }

    #[inline(always)]
    fn words(self, line: &Line, part: usize) -> Self::Words {
        *part_of(line, part)
    }

    #[inline(always)]
    fn store_words(self, words: Self::Words, line: &mut Line, part: usize) {
        *part_of_mut(line, part) = words;
    }

    #[inline(always)]
    fn and(self, words: Self::Words, mask: u32) -> Self::Words {
        each(|lane| words[lane] & mask)
    }

    #[inline(always)]
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words {
        each(|lane| a[lane] | b[lane])
    }

    #[inline(always)]
    fn shr(self, words: Self::Words, by: u32) -> Self::Words {
        each(|lane| words[lane] >> by)
    }

    #[inline(always)]
    fn shl(self, words: Self::Words, by: u32) -> Self::Words {
        each(|lane| words[lane] << by)
    }

    #[inline(always)]
    fn multiply(self, words: Self::Words, factor: u32) -> Self::Words {
        each(|lane| words[lane].wrapping_mul(factor))
    }

    #[inline(always)]
    fn integers(self, words: Self::Words) -> Self::Lanes {
        each(|lane| words[lane] as i32 as f32)
    }

    #[inline(always)]
    fn low_halves(self, words: Self::Words) -> Self::Lanes {
        each(|lane| f16_to_f32(words[lane] as u16))
    }

    #[inline(always)]
    fn quad(self, _: bool, numbers: Self::Words) -> Self::Quad {
        numbers
    }

    #[inline(always)]
    fn group_dot(
        self,
        signed: bool,
        sums: Self::Partial,
        quad: Self::Quad,
        run: &Self::Run,
        [_, group]: [usize; 2],
    ) -> Self::Partial {
        let number = |byte: u8| if signed { i32::from(byte as i8) } else { i32::from(byte) };
        each(|lane| {
            let [a, b, c, d] = quad[lane].to_le_bytes();
            let product = |byte, at: usize| number(byte) * i32::from(run[group * 4 + at]);
            sums[lane] + product(a, 0) + product(b, 1) + product(c, 2) + product(d, 3)
        })
    }

    #[inline(always)]
    fn plus(self, _: bool, sums: Self::Sums, partial: Self::Partial) -> Self::Sums {
        each(|lane| sums[lane] + partial[lane])
    }

    #[inline(always)]
    fn raised_plus(self, high: Self::Sums, low: Self::Sums) -> Self::Sums {
        each(|lane| (high[lane] << 7) + low[lane])
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        [0; ROWS]
    }

    #[inline(always)]
    fn no_partial(self) -> Self::Partial {
        self.no_sums()
    }

    #[inline(always)]
    fn less(self, sums: Self::Sums, by: i32) -> Self::Sums {
        each(|lane| sums[lane] - by)
    }

    #[inline(always)]
    fn floats(self, sums: Self::Sums) -> Self::Lanes {
        each(|lane| sums[lane] as f32)
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        [value; ROWS]
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|lane| acc[lane] + a[lane] * b[lane])
    }

    #[inline(always)]
    fn get_lanes(self, values: &[f32]) -> Self::Lanes {
        *first_of(values)
    }

    #[inline(always)]
    fn put_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        *first_of_mut(out) = lanes;
    }
}
