//! RMSNorm on the CPU.

use super::parallel::{for_each, shares};

/// RMSNorm (arXiv 1910.07467) of every row: `x / sqrt(mean(x²) + eps) * weight`. Squares are summed in f64.
///
/// # Shapes
/// `x: [tokens, hidden]`, `weight: [hidden]` → `[tokens, hidden]`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let hidden = weight.len();
    let mut out = vec![0.0; x.len()];
    let share = shares(x.len() / hidden) * hidden;
    let mut tasks: Vec<_> = x.chunks(share).zip(out.chunks_mut(share)).collect();
    for_each(
        &mut tasks,
        || (),
        |(x, out), ()| {
            for (row, out) in x.chunks_exact(hidden).zip(out.chunks_exact_mut(hidden)) {
                let scale = (sum_of_squares(row) / hidden as f64 + f64::from(eps)).sqrt().recip() as f32;
                for ((out, x), weight) in out.iter_mut().zip(row).zip(weight) {
                    *out = x * scale * weight;
                }
            }
        },
    );
    out
}

/// In eight independent sums, as one would wait for every addition.
fn sum_of_squares(row: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let (chunks, rest) = row.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += square(x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| square(x)).sum::<f64>()
}
