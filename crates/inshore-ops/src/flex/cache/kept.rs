//! The formats of keys and values, and how sums of products with them are formed.

use bytemuck::Pod;

use super::super::round::{ROUND, round};
use super::super::simd::int8::RUN;
use super::super::simd::{LANES, Simd};

/// The largest magnitude of a rounded key, value or query: 32 products of two of them fit 32 bits.
const LARGEST: f32 = 8191.0;

/// A number as a cache keeps it.
pub trait Kept: Pod + Send + Sync {
    /// How sums of products with it are formed.
    type Arithmetic: Arithmetic;
    /// The numbers of a lane, `[Self; STEP]`.
    type Lane: Pod;

    /// Numbers of a lane.
    const STEP: usize = Self::Arithmetic::STEP;
    /// Whether runs of numbers have scales.
    const HAS_SCALES: bool = Self::Arithmetic::HAS_SCALES;

    /// A run of keys or values as it is kept, and its scale.
    fn keep(run: &[f32; RUN]) -> ([Self; RUN], f32);
    /// The first lanes as a register.
    fn get<S: Simd>(simd: S, lanes: &[Self::Lane]) -> <Self::Arithmetic as Arithmetic>::Terms<S>;
    /// The number, without its scale.
    #[cfg(test)]
    fn number(self) -> f32;
}

/// Sums of products of [`STEP`](Self::STEP) terms at a time.
pub trait Arithmetic {
    /// Terms of a product.
    const STEP: usize;
    /// Whether terms are rounded, and runs of them have scales.
    const HAS_SCALES: bool;
    /// A number to multiply kept ones with.
    type Term: Pod;
    /// `[Term; STEP]`.
    type Factor: Pod;
    /// A register of terms.
    type Terms<S: Simd>: Copy;
    /// A register of sums.
    type Sums<S: Simd>: Copy;

    /// A run of a query as terms, and their scale.
    fn query(run: &[f32; RUN]) -> ([Self::Term; RUN], f32);
    /// Weights of sixteen values, each of which has to be multiplied by its scale, as terms, and their scale.
    fn weights<S: Simd>(simd: S, weights: &[f32; LANES], scales: &[f32; LANES]) -> ([Self::Term; LANES], f32);
    /// `factor` in every lane.
    fn splat<S: Simd>(simd: S, factor: &Self::Factor) -> Self::Terms<S>;
    /// No sums yet.
    fn nothing<S: Simd>(simd: S) -> Self::Sums<S>;
    /// `sums + a · b`.
    fn plus<S: Simd>(simd: S, sums: Self::Sums<S>, a: Self::Terms<S>, b: Self::Terms<S>) -> Self::Sums<S>;
    /// The sums as f32.
    fn floats<S: Simd>(simd: S, sums: Self::Sums<S>) -> S::Lanes;
}

/// f32 as they are.
pub struct Floats;

impl Arithmetic for Floats {
    const STEP: usize = 1;
    const HAS_SCALES: bool = false;

    type Term = f32;
    type Factor = f32;
    type Terms<S: Simd> = S::Lanes;
    type Sums<S: Simd> = S::Lanes;

    #[inline(always)]
    fn query(run: &[f32; RUN]) -> ([f32; RUN], f32) {
        (*run, 1.0)
    }

    #[inline(always)]
    fn weights<S: Simd>(_: S, weights: &[f32; LANES], _: &[f32; LANES]) -> ([f32; LANES], f32) {
        (*weights, 1.0)
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, factor: &f32) -> S::Lanes {
        simd.lanes(*factor)
    }

    #[inline(always)]
    fn nothing<S: Simd>(simd: S) -> S::Lanes {
        simd.lanes(0.0)
    }

    #[inline(always)]
    fn plus<S: Simd>(simd: S, sums: S::Lanes, a: S::Lanes, b: S::Lanes) -> S::Lanes {
        simd.plus_product(sums, a, b)
    }

    #[inline(always)]
    fn floats<S: Simd>(_: S, sums: S::Lanes) -> S::Lanes {
        sums
    }
}

/// Integers of 16 bits by pairs, with exact sums.
pub struct Integers;

impl Arithmetic for Integers {
    const STEP: usize = 2;
    const HAS_SCALES: bool = true;

    type Term = i16;
    type Factor = [i16; 2];
    type Terms<S: Simd> = S::Pairs;
    type Sums<S: Simd> = S::Dots;

    #[inline(always)]
    fn query(run: &[f32; RUN]) -> ([i16; RUN], f32) {
        round(run, LARGEST)
    }

    /// As [`round`], but in lanes: of a sixteenth of a block compilers make scalar code.
    #[inline(always)]
    fn weights<S: Simd>(simd: S, weights: &[f32; LANES], scales: &[f32; LANES]) -> ([i16; LANES], f32) {
        // Sixteen products with kept numbers fit 32 bits.
        const LARGEST_WEIGHT: f32 = 16_383.0;
        let mut scaled = [0.0; LANES];
        let mut maxima = simd.lanes(0.0);
        for first in (0..LANES).step_by(S::ROWS) {
            let product = simd.times(simd.get_lanes(&weights[first..]), simd.get_lanes(&scales[first..]));
            maxima = simd.larger(maxima, product);
            simd.put_lanes(product, &mut scaled[first..]);
        }
        let mut last = [0.0; LANES];
        simd.put_lanes(maxima, &mut last);
        let max = f32::from_bits(last[..S::ROWS].iter().fold(0, |max, lane| lane.to_bits().max(max)));
        // A quotient that overflows belongs to weights so small that 0 will do.
        let inverse = if max >= LARGEST_WEIGHT * f32::MIN_POSITIVE { LARGEST_WEIGHT / max } else { 0.0 };
        for scaled in scaled.chunks_exact_mut(S::ROWS) {
            let rounded = simd.plus_product(simd.lanes(ROUND), simd.get_lanes(scaled), simd.lanes(inverse));
            simd.put_lanes(rounded, scaled);
        }
        (scaled.map(|value| value.to_bits() as i16), max * (1.0 / LARGEST_WEIGHT))
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, factor: &[i16; 2]) -> S::Pairs {
        simd.splat_pair(factor)
    }

    #[inline(always)]
    fn nothing<S: Simd>(simd: S) -> S::Dots {
        simd.no_dots()
    }

    #[inline(always)]
    fn plus<S: Simd>(simd: S, sums: S::Dots, a: S::Pairs, b: S::Pairs) -> S::Dots {
        simd.plus_dots(sums, a, b)
    }

    #[inline(always)]
    fn floats<S: Simd>(simd: S, sums: S::Dots) -> S::Lanes {
        simd.dots(sums)
    }
}

impl Kept for f32 {
    type Arithmetic = Floats;
    type Lane = f32;

    fn keep(run: &[f32; RUN]) -> ([f32; RUN], f32) {
        (*run, 1.0)
    }

    #[inline(always)]
    fn get<S: Simd>(simd: S, lanes: &[f32]) -> S::Lanes {
        simd.get_lanes(lanes)
    }

    #[cfg(test)]
    fn number(self) -> f32 {
        self
    }
}

impl Kept for i16 {
    type Arithmetic = Integers;
    type Lane = [i16; 2];

    fn keep(run: &[f32; RUN]) -> ([i16; RUN], f32) {
        round(run, LARGEST)
    }

    #[inline(always)]
    fn get<S: Simd>(simd: S, lanes: &[[i16; 2]]) -> S::Pairs {
        simd.get_pairs(lanes)
    }

    #[cfg(test)]
    fn number(self) -> f32 {
        self.into()
    }
}

impl Kept for i8 {
    type Arithmetic = Integers;
    type Lane = [i8; 2];

    fn keep(run: &[f32; RUN]) -> ([i8; RUN], f32) {
        let (numbers, scale) = round(run, 127.0);
        (numbers.map(|number| number as i8), scale)
    }

    #[inline(always)]
    fn get<S: Simd>(simd: S, lanes: &[[i8; 2]]) -> S::Pairs {
        simd.get_byte_pairs(lanes)
    }

    #[cfg(test)]
    fn number(self) -> f32 {
        self.into()
    }
}

/// The runs of a head, the last one filled up with zeros.
#[inline(always)]
pub fn padded_runs(head: &[f32]) -> impl Iterator<Item = [f32; RUN]> {
    head.chunks(RUN).map(|values| {
        let mut run = [0.0; RUN];
        run[..values.len()].copy_from_slice(values);
        run
    })
}

/// Queries, `[.., head_dim]`, as attention over rounded keys takes them.
#[cfg(test)]
pub fn rounded_queries(q: &[f32], head_dim: usize) -> Vec<f32> {
    let rounded = |run: [f32; RUN]| {
        let (terms, scale) = Integers::query(&run);
        terms.into_iter().map(move |term| f32::from(term) * scale)
    };
    q.chunks(head_dim).flat_map(|head| padded_runs(head).flat_map(rounded).take(head_dim)).collect()
}
