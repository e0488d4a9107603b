//! The last few measurements, and a map that cannot grow without end.

/// The last `limit` finite values.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    values: Vec<f64>,
    limit: usize,
}

impl Samples {
    pub(crate) fn new(limit: usize) -> Self {
        Self { values: Vec::new(), limit: limit.max(1) }
    }

    /// Forgets the oldest where there are too many. What is not finite or negative is not a measurement.
    pub(crate) fn push(&mut self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        if self.values.len() == self.limit {
            self.values.remove(0);
        }
        self.values.push(value);
    }

    pub(crate) fn clear(&mut self) {
        self.values.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The nearest-rank quantile, `share` in 0..1.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        // By insertion: there are few, and the library's sort is a twentieth of the wasm module.
        let mut sorted: Vec<f64> = Vec::with_capacity(self.values.len());
        for value in &self.values {
            sorted.insert(sorted.partition_point(|smaller| smaller < value), *value);
        }
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
    }

    pub(crate) fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }
}

/// The last outcomes as bits of one word, the newest lowest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcomes {
    bits: u64,
    count: u32,
}

impl Outcomes {
    pub(crate) fn push(&mut self, bad: bool, window: u32) {
        let mask = u64::MAX >> (64 - window.clamp(1, 64));
        self.bits = (self.bits << 1 | u64::from(bad)) & mask;
        self.count = (self.count + 1).min(window);
    }

    pub(crate) fn bad(&self) -> u32 {
        self.bits.count_ones()
    }

    pub(crate) fn is_full(&self, window: u32) -> bool {
        self.count >= window
    }
}

/// A small map with names from outside; the least recently used entry goes first.
#[derive(Debug, Clone)]
pub(crate) struct Recent<V> {
    entries: Vec<(String, V)>,
    limit: usize,
}

impl<V> Recent<V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.entries.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The entry, made where there is none, and now the most recent one.
    pub(crate) fn entry(&mut self, name: &str, make: impl FnOnce() -> V) -> &mut V {
        let entry = match self.entries.iter().position(|(key, _)| key == name) {
            Some(at) => self.entries.remove(at),
            None => (name.to_owned(), make()),
        };
        if self.entries.len() >= self.limit {
            self.entries.remove(0);
        }
        self.entries.push(entry);
        let last = self.entries.len() - 1;
        &mut self.entries[last].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let mut samples = Samples::new(4);
        assert_eq!(samples.median(), None);
        for value in [9.0, 1.0, f64::NAN, 4.0, -1.0, 3.0, 2.0] {
            samples.push(value);
        }
        // 9 was the oldest of five.
        assert_eq!((samples.len(), samples.median(), samples.quantile(0.75)), (4, Some(2.0), Some(3.0)));
        assert_eq!((samples.quantile(0.0), samples.quantile(1.0)), (Some(1.0), Some(4.0)));
    }

    #[test]
    fn outcomes_forget_what_left_the_window() {
        let mut outcomes = Outcomes::default();
        for bad in [true, true, false] {
            outcomes.push(bad, 3);
        }
        assert!(outcomes.is_full(3) && outcomes.bad() == 2);
        outcomes.push(false, 3);
        assert_eq!(outcomes.bad(), 1);
        for _ in 0..100 {
            outcomes.push(true, 64);
        }
        assert_eq!(outcomes.bad(), 64);
    }

    #[test]
    fn the_least_recently_used_name_goes_first() {
        let mut recent = Recent::new(2);
        *recent.entry("a", || 0) = 1;
        recent.entry("b", || 2);
        recent.entry("a", || 9);
        recent.entry("c", || 3);
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (Some(&1), None, Some(&3)));
    }
}
