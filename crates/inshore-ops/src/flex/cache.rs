//! Keys and values of a layer as attention reads them: head by head, in panels of sixteen positions, from the first on. A
//! panel is lines of sixteen lanes, and a lane the numbers that one multiplication takes ([`Kept::STEP`]): one f32, or
//! two rounded numbers, whose scales lie in front of the lines. Attention reads panels in the order of memory.
//!
//! ```text
//! keys:   [kv_heads][capacity / 16] of [runs][16 positions] scales, [columns / STEP][16 positions][STEP columns]
//! values: [kv_heads][capacity / 16] of [runs][16 positions] scales, [columns / 16][16 / STEP][16 columns][STEP positions]
//! ```
//!
//! The columns of a head are filled up to whole lines with zeros; a run of 32 of them shares a scale.

mod kept;

#[cfg(test)]
pub use self::kept::rounded_queries;
pub use self::kept::{Arithmetic, Kept, padded_runs};
use super::simd::LANES;
use super::simd::int8::RUN;
use crate::KvFormat;

/// Positions that lie side by side: a cache has room for a multiple of it.
pub const PANEL_POSITIONS: usize = LANES;

/// Columns that a head takes.
pub const fn columns(head_dim: usize) -> usize {
    head_dim.next_multiple_of(LANES)
}

/// Runs that a head has.
pub const fn runs(head_dim: usize) -> usize {
    head_dim.div_ceil(RUN)
}

/// Words of a panel's scales.
pub const fn scale_words<K: Kept>(head_dim: usize) -> usize {
    if K::HAS_SCALES { runs(head_dim) * LANES } else { 0 }
}

/// Words of a panel.
pub const fn panel_words<K: Kept>(head_dim: usize) -> usize {
    scale_words::<K>(head_dim) + columns(head_dim) * LANES * size_of::<K>() / size_of::<u32>()
}

/// Words that a key, or a value, of a head takes.
pub const fn head_words(format: KvFormat, head_dim: usize) -> usize {
    let panel_words = match format {
        KvFormat::F32 => panel_words::<f32>(head_dim),
        KvFormat::F16 => panel_words::<i16>(head_dim),
        KvFormat::Q8_0 => panel_words::<i8>(head_dim),
    };
    panel_words / LANES
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
    /// Of words `[2, capacity, kv_heads, head_words]`, the capacity being a multiple of sixteen.
    pub fn of(dims: &[usize], head_dim: usize, format: KvFormat) -> Self {
        let &[2, capacity, kv_heads, words] = dims else { panic!("a cache has not the dimensions {dims:?}") };
        assert!(capacity.is_multiple_of(LANES), "a cache for {capacity} tokens has no whole panels");
        assert_eq!(words, head_words(format, head_dim), "a head of {head_dim} columns as {}", format.name());
        Self { capacity, kv_heads, head_dim, format }
    }

    const fn head_words(&self) -> usize {
        head_words(self.format, self.head_dim) * self.capacity
    }

    /// Words of a head's keys.
    pub fn keys<'c>(&self, cache: &'c [u32], kv_head: usize) -> &'c [u32] {
        &cache[kv_head * self.head_words()..][..self.head_words()]
    }

    /// Words of a head's values.
    pub fn values<'c>(&self, cache: &'c [u32], kv_head: usize) -> &'c [u32] {
        &cache[(self.kv_heads + kv_head) * self.head_words()..][..self.head_words()]
    }

    /// Puts `keys` and `values: [tokens, kv_heads, head_dim]` at `position` and behind.
    pub fn append(&self, cache: &mut [u32], position: usize, keys: &[f32], values: &[f32]) {
        match self.format {
            KvFormat::F32 => self.put::<f32>(cache, position, keys, values),
            KvFormat::F16 => self.put::<i16>(cache, position, keys, values),
            KvFormat::Q8_0 => self.put::<i8>(cache, position, keys, values),
        }
    }

    fn put<K: Kept>(&self, cache: &mut [u32], position: usize, keys: &[f32], values: &[f32]) {
        let heads_words = cache.len() / 2;
        let panel_words = panel_words::<K>(self.head_dim);
        for (half, (cache, new)) in cache.chunks_exact_mut(heads_words).zip([keys, values]).enumerate() {
            for (at, new) in new.chunks_exact(self.head_dim).enumerate() {
                let (position, head) = (position + at / self.kv_heads, at % self.kv_heads);
                let panel = &mut cache[head * self.head_words() + position / LANES * panel_words..][..panel_words];
                let place = if half == 0 { key_place::<K> } else { value_place::<K> };
                put_head::<K>(panel, new, position % LANES, place);
            }
        }
    }

    /// Keys, then values, each `[capacity, kv_heads, head_dim]`.
    #[cfg(test)]
    pub fn kept(&self, cache: &[u32]) -> [Vec<f32>; 2] {
        match self.format {
            KvFormat::F32 => self.get::<f32>(cache),
            KvFormat::F16 => self.get::<i16>(cache),
            KvFormat::Q8_0 => self.get::<i8>(cache),
        }
    }

    #[cfg(test)]
    fn get<K: Kept>(&self, cache: &[u32]) -> [Vec<f32>; 2] {
        let panel_words = panel_words::<K>(self.head_dim);
        let number = |head_words: &[u32], position: usize, column: usize, place: fn(usize, usize) -> usize| {
            let panel = &head_words[position / LANES * panel_words..][..panel_words];
            let (scales, lines) = panel.split_at(scale_words::<K>(self.head_dim));
            let number = bytemuck::cast_slice::<u32, K>(lines)[place(column, position % LANES)].number();
            scales.get(column / RUN * LANES + position % LANES).map_or(number, |&scale| number * f32::from_bits(scale))
        };
        let mut out = [const { Vec::new() }; 2];
        for position in 0..self.capacity {
            for head in 0..self.kv_heads {
                for column in 0..self.head_dim {
                    out[0].push(number(self.keys(cache, head), position, column, key_place::<K>));
                    out[1].push(number(self.values(cache, head), position, column, value_place::<K>));
                }
            }
        }
        out
    }
}

/// Where a number of a key lies in the lines of its panel.
const fn key_place<K: Kept>(column: usize, position: usize) -> usize {
    (column / K::STEP * LANES + position) * K::STEP + column % K::STEP
}

/// Where a number of a value lies in the lines of its panel.
const fn value_place<K: Kept>(column: usize, position: usize) -> usize {
    let line = column / LANES * (LANES / K::STEP) + position / K::STEP;
    (line * LANES + column % LANES) * K::STEP + position % K::STEP
}

/// Puts a key or value into place `at` of its panel.
fn put_head<K: Kept>(panel: &mut [u32], values: &[f32], at: usize, place: impl Fn(usize, usize) -> usize) {
    let (scales, lines) = panel.split_at_mut(scale_words::<K>(values.len()));
    let lines: &mut [K] = bytemuck::cast_slice_mut(lines);
    for (run, whole) in padded_runs(values).enumerate() {
        let (numbers, scale) = K::keep(&whole);
        if let Some(kept) = scales.get_mut(run * LANES + at) {
            *kept = scale.to_bits();
        }
        for (column, number) in (run * RUN..values.len()).zip(numbers) {
            lines[place(column, at)] = number;
        }
    }
}
