//! The integer dot products as loops: the reference for the others, and the path of CPUs without a kernel here.

use super::super::f16_to_f32;
use super::super::portable::Portable;
use super::{Int8, RUN};

const ROWS: usize = 8;

/// `SIGNED` says what the byte of a number means.
#[inline(always)]
fn number<const SIGNED: bool>(byte: u8) -> i32 {
    if SIGNED { i32::from(byte as i8) } else { i32::from(byte) }
}

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; ROWS] {
    let mut out = [0.0; ROWS];
    for (lane, out) in out.iter_mut().enumerate() {
        *out = f(lane);
    }
    out
}

impl Int8 for Portable {
    const ROWS: usize = ROWS;
    const PLANES: usize = 1;

    type Run = [i16; RUN];
    type Numbers = [u8; RUN];
    type Group = [u32; ROWS];
    type Quad = [u32; ROWS];
    type Sums = [i32; ROWS];
    type Lanes = [f32; ROWS];
    type Row = [f32; ROWS];

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        *values
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; 16]) -> Self::Numbers {
        let mut out = [0; RUN];
        for (at, byte) in bytes.iter().enumerate() {
            out[at] = byte & 15;
            out[at + 16] = byte >> 4;
        }
        out
    }

    #[inline(always)]
    fn bytes(self, bytes: &[u8; RUN]) -> Self::Numbers {
        *bytes
    }

    #[inline(always)]
    fn with_fifth(self, mut numbers: Self::Numbers, bits: u32) -> Self::Numbers {
        for (at, number) in numbers.iter_mut().enumerate() {
            *number |= ((bits >> at) as u8 & 1) << 4;
        }
        numbers
    }

    #[inline(always)]
    fn store_numbers(self, numbers: Self::Numbers) -> [u8; RUN] {
        numbers
    }

    #[inline(always)]
    fn dot<const SIGNED: bool>(self, numbers: Self::Numbers, run: &Self::Run) -> Self::Sums {
        let mut sums = [0; ROWS];
        for at in 0..RUN {
            sums[at % ROWS] += number::<SIGNED>(numbers[at]) * i32::from(run[at]);
        }
        sums
    }

    #[inline(always)]
    fn quad<const SIGNED: bool>(self, group: &Self::Group) -> Self::Quad {
        *group
    }

    #[inline(always)]
    fn group_dot<const SIGNED: bool>(
        self,
        mut sums: Self::Sums,
        quad: Self::Quad,
        run: &Self::Run,
        _: usize,
        group: usize,
    ) -> Self::Sums {
        for (sum, word) in sums.iter_mut().zip(quad) {
            for (at, byte) in word.to_le_bytes().into_iter().enumerate() {
                *sum += number::<SIGNED>(byte) * i32::from(run[group * 4 + at]);
            }
        }
        sums
    }

    #[inline(always)]
    fn raise(self, sums: Self::Sums) -> Self::Sums {
        sums.map(|sum| sum << 7)
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        [0; ROWS]
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        [value; ROWS]
    }

    #[inline(always)]
    fn load_row(self, row: &Self::Row) -> Self::Lanes {
        *row
    }

    #[inline(always)]
    fn store_row(self, lanes: Self::Lanes) -> Self::Row {
        lanes
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
    fn plus_scaled(self, acc: Self::Lanes, sums: Self::Sums, scale: Self::Lanes) -> Self::Lanes {
        each(|lane| acc[lane] + sums[lane] as f32 * scale[lane])
    }

    #[inline(always)]
    fn total(self, a: Self::Lanes, b: Self::Lanes) -> f32 {
        each(|lane| a[lane] + b[lane]).iter().sum()
    }

    #[inline(always)]
    fn four_halves(self, bits: [u16; 4]) -> [f32; 4] {
        bits.map(f16_to_f32)
    }

    #[inline(always)]
    fn half_pairs(self, words: [u32; 4]) -> [[f32; 4]; 2] {
        [words.map(|word| f16_to_f32(word as u16)), words.map(|word| f16_to_f32((word >> 16) as u16))]
    }
}
