use super::super::portable::Portable;
use super::{Pairs, first_of};

impl Pairs for Portable {
    type Pairs = [[i16; 2]; 4];
    type Dots = [i32; 4];

    #[inline(always)]
    fn get_pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs {
        *first_of(pairs)
    }

    #[inline(always)]
    fn get_byte_pairs(self, pairs: &[[i8; 2]]) -> Self::Pairs {
        let pairs: &[_; 4] = first_of(pairs);
        pairs.map(|pair: [i8; 2]| pair.map(i16::from))
    }

    #[inline(always)]
    fn splat_pair(self, pair: &[i16; 2]) -> Self::Pairs {
        [*pair; 4]
    }

    #[inline(always)]
    fn no_dots(self) -> Self::Dots {
        [0; 4]
    }

    #[inline(always)]
    fn plus_dots(self, mut dots: Self::Dots, a: Self::Pairs, b: Self::Pairs) -> Self::Dots {
        for lane in 0..4 {
            let product = |at: usize| i32::from(a[lane][at]) * i32::from(b[lane][at]);
            dots[lane] += product(0) + product(1);
        }
        dots
    }

    #[inline(always)]
    fn dots(self, dots: Self::Dots) -> Self::Lanes {
        dots.map(|sum| sum as f32)
    }

    #[inline(always)]
    fn larger(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        std::array::from_fn(|lane| f32::from_bits(a[lane].to_bits().max(b[lane].to_bits())))
    }

    #[inline(always)]
    fn at_least(self, lanes: Self::Lanes, least: f32) -> Self::Lanes {
        lanes.map(|lane| if lane < least { least } else { lane })
    }

    #[inline(always)]
    fn exponent(self, lanes: Self::Lanes) -> Self::Lanes {
        lanes.map(|lane| f32::from_bits(lane.to_bits() << 23))
    }
}
