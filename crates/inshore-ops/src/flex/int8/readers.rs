//! How one token's product reads a matrix where memory cannot be asked ahead: from one place, or from four at once. Some CPUs'
//! prefetchers stop at every page and answer four readers faster, others follow one and lose four. No result depends on it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Places that are read side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Panels one after the other.
    One,
    /// Panels from all over the matrix.
    Four,
}

static FOUR: AtomicBool = AtomicBool::new(true);

/// What is in use: four, unless somebody measured.
#[inline(always)]
pub fn readers() -> Readers {
    if FOUR.load(Relaxed) { Readers::Four } else { Readers::One }
}

/// Products read by `readers` from now on.
#[cfg(any(test, target_family = "wasm"))]
pub fn use_readers(readers: Readers) {
    FOUR.store(readers == Readers::Four, Relaxed);
}
