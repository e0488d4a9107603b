//! Work on several threads: rayon's pool natively, in WebAssembly the [`Team`] that the page brought, if any.
//!
//! No result depends on the number of threads: every output element is computed by one task, in one order. And a task
//! allocates nothing, nor does it free: a page's threads share the memory of a module whose allocator knows of one thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(target_family = "wasm")]
mod team;

#[cfg(target_family = "wasm")]
pub use self::team::{Team, use_team};

/// Threads that the CPU kernels use.
pub fn threads() -> usize {
    #[cfg(not(target_family = "wasm"))]
    return rayon::current_num_threads();
    #[cfg(target_family = "wasm")]
    team::threads()
}

/// Calls `task` for every item, in any order and on any thread, each of which has a scratch of its own.
pub fn for_each<T: Send, S: Send>(items: &mut [T], scratch: impl Fn() -> S, task: impl Fn(&mut T, &mut S) + Sync) {
    let task = |item: &mut T, scratch: &mut S| {
        #[cfg(test)]
        let _watch = super::tests::allocation::watch();
        task(item, scratch);
    };
    let threads = threads();
    if threads == 1 || items.len() <= 1 {
        let mut scratch = scratch();
        return items.iter_mut().for_each(|item| task(item, &mut scratch));
    }
    let items: Vec<_> = items.iter_mut().map(Mutex::new).collect();
    let scratches: Vec<_> = (0..threads).map(|_| Mutex::new(scratch())).collect();
    run(items.len(), &|index, thread| task(&mut locked(&items[index]), &mut locked(&scratches[thread])));
}

/// Never waits: an item has one task, and a scratch one thread.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `task(index, thread)` for every index below `count`, `thread` being below [`threads`].
fn run(count: usize, task: &(dyn Fn(usize, usize) + Sync)) {
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        let indices = (0..count).into_par_iter().with_max_len(1);
        indices.for_each(|index| task(index, rayon::current_thread_index().unwrap_or(0)));
    }
    #[cfg(target_family = "wasm")]
    team::run(count, task);
}

/// Tokens of one task, where each token is little work: all of them, unless every thread gets a dozen.
pub fn shares(tokens: usize) -> usize {
    const FEW: usize = 12;
    if tokens < FEW * threads() { tokens.max(1) } else { tokens.div_ceil(threads() * 2) }
}

/// Neighbouring columns of a row-major matrix: one task's share of an output.
pub struct Columns<'a> {
    /// Index of the first column.
    pub first: usize,
    /// The columns' part of every row.
    pub rows: Vec<&'a mut [f32]>,
}

/// Cuts `out: [rows, width]` into columns, `block` (or fewer, at the end) wide.
pub fn columns(out: &mut [f32], width: usize, block: usize) -> Vec<Columns<'_>> {
    let rows = out.len() / width;
    let firsts = (0..width).step_by(block);
    let mut parts: Vec<_> = firsts.map(|first| Columns { first, rows: Vec::with_capacity(rows) }).collect();
    for row in out.chunks_exact_mut(width) {
        for (part, slice) in parts.iter_mut().zip(row.chunks_mut(block)) {
            part.rows.push(slice);
        }
    }
    parts
}
