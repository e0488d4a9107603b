use inshore_ops::{KvFormat, device::OpenDevice};

use crate::cache::KvCache;
use crate::config::Config;

/// Keys and values of the last conversations, allocated once, in the order of their last use.
#[derive(Debug)]
pub struct KvCachePool(Vec<KvCache>);

impl KvCachePool {
    /// Room for `count` conversations (at least one) of `capacity` tokens each.
    pub fn new(count: usize, config: &Config, capacity: usize, format: KvFormat, device: &OpenDevice) -> Self {
        Self((0..count.max(1)).map(|_| KvCache::new(config, capacity, format, &device.device)).collect())
    }

    /// The conversation in use.
    pub fn current(&mut self) -> &mut KvCache {
        self.0.last_mut().expect("there is at least one")
    }

    /// Goes on with the conversation that has the longest beginning in common with `ids`, if that is half of it or more: less
    /// is a system prompt, and the conversation behind it would be lost. Else another one begins where the longest unused was.
    /// Gives how many tokens the two have in common; the rest is forgotten.
    pub fn acquire(&mut self, ids: &[u32]) -> usize {
        let shared = |cache: &KvCache| cache.common_prefix_len(ids);
        let nearest = (0..self.0.len()).max_by_key(|&at| shared(&self.0[at])).unwrap_or_default();
        let goes_on = 2 * shared(&self.0[nearest]) >= self.0[nearest].tokens();
        self.0[if goes_on { nearest } else { 0 }..].rotate_left(1);
        let cache = self.current();
        let held = cache.common_prefix_len(ids);
        cache.truncate(held);
        held
    }

    /// Drops all conversations, and allocates again the memory that a panic lost.
    pub fn restore(&mut self) {
        self.0.iter_mut().for_each(KvCache::restore);
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.0.iter_mut().for_each(KvCache::clear);
    }

    /// Tokens that each has room for.
    pub fn capacity(&self) -> usize {
        self.0[0].capacity()
    }

    /// Tokens that were ever appended.
    pub fn appended(&self) -> u64 {
        self.0.iter().map(KvCache::appended).sum()
    }
}
