//! Products with packed matrices in plain Rust, summed in f64.

use crate::PackedLayout;
use crate::embed::reference::unpacked;

/// RMSNorm (arXiv 1910.07467) of each row: `x / sqrt(mean(x²) + eps) * weight`.
///
/// # Shapes
/// `x: [tokens, hidden]`, `weight: [hidden]` → `[tokens, hidden]`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let normed = |row: &[f32]| {
        let mean = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / row.len() as f64;
        let root = (mean + f64::from(eps)).sqrt();
        row.iter().zip(weight).map(|(&x, &w)| (f64::from(x) / root * f64::from(w)) as f32).collect::<Vec<_>>()
    };
    x.chunks_exact(weight.len()).flat_map(normed).collect()
}

/// `x Wᵀ`: `x: [tokens, cols]`, a packed matrix of `[rows, cols]` → `[tokens, rows]`.
pub fn linear(x: &[f32], words: &[u32], layout: PackedLayout) -> Vec<f32> {
    let weights = unpacked(words, layout);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() as f32;
    x.chunks_exact(layout.cols).flat_map(|x| weights.chunks_exact(layout.cols).map(move |w| dot(x, w))).collect()
}

/// `residual + x Wᵀ`: `residual: [tokens, rows]`.
pub fn linear_add(x: &[f32], words: &[u32], residual: &[f32], layout: PackedLayout) -> Vec<f32> {
    linear(x, words, layout).iter().zip(residual).map(|(product, residual)| residual + product).collect()
}

/// `SiLU(n Wgᵀ) * (n Wuᵀ)`, `n = RMSNorm(x)`: `[tokens, cols]` → `[tokens, rows]`. `gate` and `up` are packed matrices.
pub fn gated_mlp(
    x: &[f32],
    norm: &[f32],
    gate: (&[u32], PackedLayout),
    up: (&[u32], PackedLayout),
    norm_eps: f32,
) -> Vec<f32> {
    let n = rms_norm(x, norm, norm_eps);
    let silu = |x: f32| f64::from(x) / (1.0 + (-f64::from(x)).exp());
    let gated = |(gate, up): (f32, f32)| (silu(gate) * f64::from(up)) as f32;
    linear(&n, gate.0, gate.1).into_iter().zip(linear(&n, up.0, up.1)).map(gated).collect()
}

/// `RMSNorm(x) Wᵀ`: `[tokens, cols]` → `[tokens, rows]`.
pub fn logits(x: &[f32], norm: &[f32], words: &[u32], layout: PackedLayout, norm_eps: f32) -> Vec<f32> {
    linear(&rms_norm(x, norm, norm_eps), words, layout)
}
