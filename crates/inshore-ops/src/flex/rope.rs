//! Rotary position embedding on the CPU.

/// Rotates adjacent pairs (arXiv 2104.09864): `(a, b) → (a cos − b sin, a sin + b cos)`.
///
/// # Shapes
/// `x: [tokens, heads * head_dim]` in place; `table: [tokens, head_dim]` holds `cos, sin` of each pair.
pub fn rotate(x: &mut [f32], width: usize, table: &[f32], head_dim: usize) {
    for (row, angles) in x.chunks_exact_mut(width).zip(table.chunks_exact(head_dim)) {
        for head in row.chunks_exact_mut(head_dim) {
            for (pair, angle) in head.as_chunks_mut::<2>().0.iter_mut().zip(angles.as_chunks::<2>().0) {
                let ([a, b], [cos, sin]) = (*pair, *angle);
                *pair = [a * cos - b * sin, a * sin + b * cos];
            }
        }
    }
}
