//! Keys and values of a layer as attention reads them: head by head, from the first position on, and the keys of sixteen
//! positions side by side, so that their scores are lanes of a register.
//!
//! ```text
//! keys:   [kv_heads][capacity / 16][head_dim][16 positions]
//! values: [kv_heads][capacity][head_dim]
//! ```

use bytemuck::Pod;

use super::simd::{LANES, Simd, f16_to_f32};
use crate::KvFormat;
use crate::kv_format::to_half;

/// Positions whose keys lie side by side: a cache has room for a multiple of it.
pub const PANEL_POSITIONS: usize = LANES;

/// A number as a cache keeps it.
pub trait Kept: Pod + Send + Sync {
    /// Whether lanes are loaded as they are.
    const IS_WIDE: bool;

    /// The number next to `value`.
    fn of(value: f32) -> Self;
    /// The number.
    fn value(self) -> f32;
    /// Sixteen of them as lanes.
    fn load<S: Simd>(simd: S, run: &[Self; LANES]) -> S::Floats;
    /// What the numbers of [`get_lanes`](Self::get_lanes) must be multiplied by, a power of four.
    fn unit<S: Simd>() -> f32;
    /// The first ones of `kept` as a register, short of a factor.
    fn get_lanes<S: Simd>(simd: S, kept: &[Self]) -> S::Lanes;
}

impl Kept for f32 {
    const IS_WIDE: bool = true;

    #[inline(always)]
    fn of(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn value(self) -> f32 {
        self
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, run: &[Self; LANES]) -> S::Floats {
        simd.load(run)
    }

    #[inline(always)]
    fn unit<S: Simd>() -> f32 {
        1.0
    }

    #[inline(always)]
    fn get_lanes<S: Simd>(simd: S, kept: &[Self]) -> S::Lanes {
        simd.get_lanes(kept)
    }
}

/// The bits of a binary16.
impl Kept for u16 {
    const IS_WIDE: bool = false;

    #[inline(always)]
    fn of(value: f32) -> Self {
        to_half(value)
    }

    #[inline(always)]
    fn value(self) -> f32 {
        f16_to_f32(self)
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, run: &[Self; LANES]) -> S::Floats {
        simd.load_f16(run)
    }

    #[inline(always)]
    fn unit<S: Simd>() -> f32 {
        S::HALVES_UNIT
    }

    #[inline(always)]
    fn get_lanes<S: Simd>(simd: S, kept: &[Self]) -> S::Lanes {
        simd.get_halves(kept)
    }
}

/// Sizes of a cache.
#[derive(Clone, Copy)]
pub struct CacheShape {
    capacity: usize,
    kv_heads: usize,
    head_dim: usize,
    format: KvFormat,
}

impl CacheShape {
    /// Of words `[2, capacity, kv_heads, words of a head]`, the capacity being a multiple of sixteen.
    pub fn of(dims: &[usize], format: KvFormat) -> Self {
        let &[2, capacity, kv_heads, words] = dims else { panic!("a cache has not the dimensions {dims:?}") };
        assert!(capacity.is_multiple_of(LANES), "a cache for {capacity} tokens has no whole panels of keys");
        Self { capacity, kv_heads, head_dim: words * size_of::<u32>() / format.bytes(), format }
    }

    const fn head_words(&self) -> usize {
        self.format.words(self.capacity * self.head_dim)
    }

    /// Words of a head's keys: `[capacity / 16, head_dim]` lines of sixteen positions.
    pub fn keys<'c>(&self, cache: &'c [u32], kv_head: usize) -> &'c [u32] {
        &cache[kv_head * self.head_words()..][..self.head_words()]
    }

    /// Words of a head's values: `[capacity, head_dim]`.
    pub fn values<'c>(&self, cache: &'c [u32], kv_head: usize) -> &'c [u32] {
        &cache[(self.kv_heads + kv_head) * self.head_words()..][..self.head_words()]
    }

    /// Puts `keys` and `values: [tokens, kv_heads, head_dim]` at `position` and behind.
    pub fn append(&self, cache: &mut [u32], position: usize, keys: &[f32], values: &[f32]) {
        match self.format {
            KvFormat::F32 => self.put::<f32>(bytemuck::cast_slice_mut(cache), position, keys, values),
            KvFormat::F16 => self.put::<u16>(bytemuck::cast_slice_mut(cache), position, keys, values),
        }
    }

    fn put<T: Kept>(&self, cache: &mut [T], position: usize, keys: &[f32], values: &[f32]) {
        let Self { capacity, kv_heads, head_dim, .. } = *self;
        let (all_keys, all_values) = cache.split_at_mut(kv_heads * capacity * head_dim);
        let width = kv_heads * head_dim;
        for (token, (keys, values)) in keys.chunks_exact(width).zip(values.chunks_exact(width)).enumerate() {
            let at = position + token;
            for head in 0..kv_heads {
                let own = head * head_dim..(head + 1) * head_dim;
                let line = &mut all_values[(head * capacity + at) * head_dim..][..head_dim];
                line.iter_mut().zip(&values[own.clone()]).for_each(|(kept, &value)| *kept = T::of(value));
                let panel = &mut all_keys[(head * capacity + at / LANES * LANES) * head_dim..][..head_dim * LANES];
                for (line, &key) in panel.as_chunks_mut::<LANES>().0.iter_mut().zip(&keys[own]) {
                    line[at % LANES] = T::of(key);
                }
            }
        }
    }
}
