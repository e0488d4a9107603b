//! Rotary position embedding (arXiv 2104.09864), settled once at load: one table, one order of pairs.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::config::{Config, RopePairs};

/// The table of cosines and sines, `[capacity, head_dim]`: row `p` holds `cos(p θᵢ), sin(p θᵢ)` for pair `i`, with
/// `θᵢ = base^(−2i / rope_dim) / (linear_factor · freq_factors[i])`. Pairs past `rope_dim` are not rotated (`1, 0`).
///
/// `freq_factors` is the tensor `rope_freqs.weight`, in which GGUF carries Llama 3's scaling (arXiv 2407.21783): one
/// divisor a pair.
pub fn rope_table(config: &Config, capacity: usize, freq_factors: Option<&[f32]>, device: &Device) -> Tensor<2> {
    let angles_per_token: Vec<f64> = (0..config.head_dim / 2)
        .map(|pair| {
            if 2 * pair >= config.rope_dim {
                return 0.0;
            }
            let exponent = -2.0 * pair as f64 / config.rope_dim as f64;
            let factor = freq_factors.map_or(1.0, |factors| f64::from(factors[pair]));
            f64::from(config.rope_theta).powf(exponent) / (f64::from(config.rope_linear_factor) * factor)
        })
        .collect();
    let table: Vec<f32> = (0..capacity)
        .flat_map(|position| angles_per_token.iter().map(move |angle| position as f64 * angle))
        .flat_map(|angle| [angle.cos() as f32, angle.sin() as f32])
        .collect();
    Tensor::from_data(TensorData::new(table, [capacity, config.head_dim]), (device, DType::F32))
}

/// Where row `row` of a Q or K projection goes so that RoPE's pairs lie side by side. K and Q move alike, so their dot
/// products, and with them the attention, stay what they are.
pub fn adjacent_row(row: usize, config: &Config) -> usize {
    let (head, within) = (row / config.head_dim, row % config.head_dim);
    let half = config.rope_dim / 2;
    let moved = match config.architecture.rope_pairs {
        RopePairs::Halves if within < half => 2 * within,
        RopePairs::Halves if within < config.rope_dim => 2 * (within - half) + 1,
        _ => within,
    };
    head * config.head_dim + moved
}
