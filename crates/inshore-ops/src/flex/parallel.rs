//! Work on several threads: rayon's pool natively, one thread in WebAssembly.
//!
//! No result depends on the number of threads: every output element is computed by one task, in one order.

/// Threads that the CPU kernels use.
pub fn threads() -> usize {
    #[cfg(not(target_family = "wasm"))]
    return rayon::current_num_threads();
    #[cfg(target_family = "wasm")]
    1
}

/// Calls `task` for every item, in any order and on any thread.
pub fn for_each<T: Send>(items: Vec<T>, task: impl Fn(T) + Send + Sync) {
    #[cfg(not(target_family = "wasm"))]
    if items.len() > 1 && threads() > 1 {
        use rayon::prelude::*;
        return items.into_par_iter().with_max_len(1).for_each(task);
    }
    items.into_iter().for_each(task);
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
