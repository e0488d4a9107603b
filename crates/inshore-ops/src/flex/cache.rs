//! Keys and values of a layer as attention reads them: head by head, from the first position on, and the keys of sixteen
//! positions side by side, so that their scores are lanes of a register.
//!
//! ```text
//! keys:   [kv_heads][capacity / 16][head_dim][16 positions]
//! values: [kv_heads][capacity][head_dim]
//! ```

use super::simd::LANES;

/// Positions whose keys lie side by side: a cache has room for a multiple of it.
pub const PANEL_POSITIONS: usize = LANES;

/// Sizes of a cache.
#[derive(Clone, Copy)]
pub struct CacheShape {
    capacity: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl CacheShape {
    /// Of a tensor of `[2, capacity, kv_heads, head_dim]`, the capacity being a multiple of sixteen.
    pub fn of(dims: &[usize]) -> Self {
        let &[2, capacity, kv_heads, head_dim] = dims else { panic!("a cache has not the dimensions {dims:?}") };
        assert!(capacity.is_multiple_of(LANES), "a cache for {capacity} tokens has no whole panels of keys");
        Self { capacity, kv_heads, head_dim }
    }

    const fn head_len(&self) -> usize {
        self.capacity * self.head_dim
    }

    /// Keys of a head: `[capacity / 16, head_dim]` lines of sixteen positions.
    pub fn keys<'c>(&self, cache: &'c [f32], kv_head: usize) -> &'c [[f32; LANES]] {
        cache[kv_head * self.head_len()..][..self.head_len()].as_chunks().0
    }

    /// Values of a head: `[capacity, head_dim]`.
    pub fn values<'c>(&self, cache: &'c [f32], kv_head: usize) -> &'c [f32] {
        &cache[(self.kv_heads + kv_head) * self.head_len()..][..self.head_len()]
    }

    /// Puts `keys` and `values: [tokens, kv_heads, head_dim]` at `position` and behind.
    pub fn append(&self, cache: &mut [f32], position: usize, keys: &[f32], values: &[f32]) {
        let Self { capacity, kv_heads, head_dim } = *self;
        let (all_keys, all_values) = cache.split_at_mut(kv_heads * self.head_len());
        let width = kv_heads * head_dim;
        for (token, (keys, values)) in keys.chunks_exact(width).zip(values.chunks_exact(width)).enumerate() {
            let at = position + token;
            for head in 0..kv_heads {
                let own = head * head_dim..(head + 1) * head_dim;
                all_values[(head * capacity + at) * head_dim..][..head_dim].copy_from_slice(&values[own.clone()]);
                let panel = &mut all_keys[(head * capacity + at / LANES * LANES) * head_dim..][..head_dim * LANES];
                for (line, key) in panel.as_chunks_mut::<LANES>().0.iter_mut().zip(&keys[own]) {
                    line[at % LANES] = *key;
                }
            }
        }
    }
}
