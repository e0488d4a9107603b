//! AVX2: `pmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16 bits, which cannot overflow here.

use std::arch::x86_64::*;

use super::super::avx2::Avx2;
use super::{GROUPS, Int8, RUN};

impl Avx2 {
    /// `unsigned * signed`, four neighbours added.
    #[inline(always)]
    fn products(self, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: the token proves the features.
        unsafe { _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned, signed), _mm256_set1_epi16(1)) }
    }

    /// Signed numbers become their magnitude, the sign goes to the activations; both stay in their range, also for -128.
    #[inline(always)]
    pub(super) fn magnitudes<const SIGNED: bool>(self, numbers: __m256i, x: __m256i) -> (__m256i, __m256i) {
        // SAFETY: the token proves the features.
        unsafe { if SIGNED { (_mm256_abs_epi8(numbers), _mm256_sign_epi8(x, numbers)) } else { (numbers, x) } }
    }
}

/// The high plane, then the low plane: `value = 128 * high + low`, `low` in -64..=63.
#[inline(always)]
pub(super) fn planes(values: &[i16; RUN]) -> [i8; 2 * RUN] {
    let mut out = [0; 2 * RUN];
    for (at, value) in values.iter().enumerate() {
        // Wrapping: what became of a value that is not finite may be any number.
        let high = value.wrapping_add(64) >> 7;
        out[at] = high as i8;
        out[RUN + at] = value.wrapping_sub(high << 7) as i8;
    }
    out
}

/// A plane of a run.
#[inline(always)]
pub(super) fn plane(run: &[i8; 2 * RUN], at: usize) -> &[i8; RUN] {
    run[at * RUN..].first_chunk().expect("a run has two planes")
}

/// Bytes in a register.
#[inline(always)]
pub(super) fn load(_: Avx2, run: &[i8; RUN]) -> __m256i {
    // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
    unsafe { _mm256_loadu_si256(run.as_ptr().cast()) }
}

/// Columns `4 * group..` of a plane as a word.
#[inline(always)]
pub(super) fn word(run: &[i8; 2 * RUN], plane: usize, group: usize) -> i32 {
    let bytes: &[u8; 2 * RUN] = bytemuck::cast_ref(run);
    i32::from_le_bytes(*bytes[(plane * GROUPS + group) * 4..].first_chunk().expect("a plane has eight groups"))
}

impl Int8 for Avx2 {
    const ROWS: usize = 8;
    const PLANES: usize = 2;

    type Run = [i8; 2 * RUN];
    type Numbers = __m256i;
    type Group = [u32; 8];
    type Quad = __m256i;
    type Sums = __m256i;
    type Lanes = __m256;
    type Row = [f32; 8];

    #[inline(always)]
    fn arrange(values: &[i16; RUN]) -> Self::Run {
        planes(values)
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; 16]) -> Self::Numbers {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
            _mm256_and_si256(both, _mm256_set1_epi8(15))
        }
    }

    #[inline(always)]
    fn bytes(self, bytes: &[u8; RUN]) -> Self::Numbers {
        load(self, bytemuck::cast_ref(bytes))
    }

    #[inline(always)]
    fn with_fifth(self, numbers: Self::Numbers, bits: u32) -> Self::Numbers {
        // SAFETY: the token proves the features.
        unsafe {
            // Byte `i` of a lane looks at byte `i / 8` of the bits.
            let own_byte = _mm256_shuffle_epi8(
                _mm256_set1_epi32(bits as i32),
                _mm256_set_epi64x(0x0303_0303_0303_0303, 0x0202_0202_0202_0202, 0x0101_0101_0101_0101, 0),
            );
            let own_bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let is_set = _mm256_cmpeq_epi8(_mm256_and_si256(own_byte, own_bit), own_bit);
            _mm256_or_si256(numbers, _mm256_and_si256(is_set, _mm256_set1_epi8(16)))
        }
    }

    #[inline(always)]
    fn store_numbers(self, numbers: Self::Numbers) -> [u8; RUN] {
        let mut out = [0; RUN];
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), numbers) };
        out
    }

    #[inline(always)]
    fn dot<const SIGNED: bool>(self, numbers: Self::Numbers, run: &Self::Run) -> Self::Sums {
        let (high_numbers, high) = self.magnitudes::<SIGNED>(numbers, load(self, plane(run, 0)));
        let (low_numbers, low) = self.magnitudes::<SIGNED>(numbers, load(self, plane(run, 1)));
        let high = self.raise(self.products(high_numbers, high));
        // SAFETY: the token proves the features.
        unsafe { _mm256_add_epi32(high, self.products(low_numbers, low)) }
    }

    #[inline(always)]
    fn quad<const SIGNED: bool>(self, group: &Self::Group) -> Self::Quad {
        load(self, bytemuck::cast_ref(group))
    }

    #[inline(always)]
    fn group_dot<const SIGNED: bool>(
        self,
        sums: Self::Sums,
        quad: Self::Quad,
        run: &Self::Run,
        plane: usize,
        group: usize,
    ) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe {
            let (numbers, x) = self.magnitudes::<SIGNED>(quad, _mm256_set1_epi32(word(run, plane, group)));
            _mm256_add_epi32(sums, self.products(numbers, x))
        }
    }

    #[inline(always)]
    fn raise(self, sums: Self::Sums) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm256_slli_epi32::<7>(sums) }
    }

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: the token proves the features.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn lanes(self, value: f32) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load_row(self, row: &Self::Row) -> Self::Lanes {
        // SAFETY: the token proves the features; the load is as long as the array, and needs no alignment.
        unsafe { _mm256_loadu_ps(row.as_ptr()) }
    }

    #[inline(always)]
    fn store_row(self, lanes: Self::Lanes) -> Self::Row {
        let mut row = [0.0; 8];
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe { _mm256_storeu_ps(row.as_mut_ptr(), lanes) };
        row
    }

    #[inline(always)]
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_fmadd_ps(a, b, acc) }
    }

    #[inline(always)]
    fn plus_scaled(self, acc: Self::Lanes, sums: Self::Sums, scale: Self::Lanes) -> Self::Lanes {
        // SAFETY: the token proves the features.
        unsafe { _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), scale, acc) }
    }

    #[inline(always)]
    fn total(self, a: Self::Lanes, b: Self::Lanes) -> f32 {
        super::super::Simd::sum(self, [a, b])
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        // SAFETY: a prefetch reads nothing that anyone sees, and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }

    #[inline(always)]
    fn four_halves(self, bits: [u16; 4]) -> [f32; 4] {
        let mut out = [0.0; 4];
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe {
            let bits = _mm_cvtsi64_si128(bytemuck::cast(bits));
            _mm_storeu_ps(out.as_mut_ptr(), _mm_cvtph_ps(bits));
        }
        out
    }

    #[inline(always)]
    fn half_pairs(self, words: [u32; 4]) -> [[f32; 4]; 2] {
        let mut out = [[0.0; 4]; 2];
        // SAFETY: the token proves the features; the store is as long as the array, and needs no alignment.
        unsafe {
            let words = _mm_loadu_si128(words.as_ptr().cast());
            let low_first = _mm_set_epi8(15, 14, 11, 10, 7, 6, 3, 2, 13, 12, 9, 8, 5, 4, 1, 0);
            let widened = _mm256_cvtph_ps(_mm_shuffle_epi8(words, low_first));
            _mm256_storeu_ps(out.as_mut_ptr().cast(), widened);
        }
        out
    }
}
