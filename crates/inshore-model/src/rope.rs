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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ARCHITECTURES;

    fn config(architecture: &str, head_dim: usize, rope_dim: usize) -> Config {
        Config {
            architecture: ARCHITECTURES.iter().find(|row| row.name == architecture).expect("it is in the table"),
            num_hidden_layers: 1,
            hidden_size: 2 * head_dim,
            intermediate_size: 64,
            num_attention_heads: 2,
            num_key_value_heads: 2,
            head_dim,
            rope_dim,
            rope_theta: 10_000.0,
            rope_linear_factor: 1.0,
            rms_norm_eps: 1e-5,
            max_position_embeddings: 64,
            vocab_size: 16,
        }
    }

    fn table(config: &Config, capacity: usize, freq_factors: Option<&[f32]>) -> Vec<f32> {
        rope_table(config, capacity, freq_factors, &Device::flex()).into_data().try_to_vec().expect("f32 values")
    }

    /// As the kernels do it: pairs side by side, `(x, y)` turned by the angle of cosine and sine.
    fn rotated(head: &[f32], row: &[f32]) -> Vec<f32> {
        let pairs = head.as_chunks::<2>().0.iter().zip(row.as_chunks::<2>().0);
        pairs.flat_map(|([x, y], [cos, sin])| [x * cos - y * sin, x * sin + y * cos]).collect()
    }

    #[test]
    fn angles_are_those_of_the_paper() {
        // Two pairs: 1 and 1/100 radians a position.
        let rows = table(&config("llama", 4, 4), 4, None);
        for position in 0..4u8 {
            let angles = [f64::from(position), f64::from(position) / 100.0];
            let expected = angles.map(|angle| [angle.cos() as f32, angle.sin() as f32]).concat();
            assert_eq!(rows[usize::from(position) * 4..][..4], expected, "position {position}");
        }
    }

    #[test]
    fn factors_divide_angles() {
        let plain = config("llama", 4, 4);
        let linear = Config { rope_linear_factor: 4.0, ..plain.clone() };
        let rows = table(&plain, 9, None);
        for position in 0..3 {
            assert_eq!(
                table(&linear, 9, None)[16 * position..][..4],
                rows[4 * position..][..4],
                "a quarter of the way"
            );
        }
        // A factor for each pair: the first as it was, the second half as fast.
        let each = table(&plain, 9, Some(&[1.0, 2.0]));
        assert_eq!((&each[8 * 2..][..2], &each[8 * 2 + 2..][..2]), (&rows[4 * 4..][..2], &rows[2 * 4 + 2..][..2]));
        assert_eq!(table(&linear, 3, Some(&[2.0, 2.0])), table(&Config { rope_linear_factor: 8.0, ..plain }, 3, None));
    }

    #[test]
    fn pairs_past_the_rotated_part_of_a_head_stay() {
        let config = config("llama", 8, 4);
        let rows = table(&config, 3, None);
        for position in 0..3 {
            assert_eq!(rows[position * 8 + 4..][..4], [1.0, 0.0, 1.0, 0.0], "position {position}");
        }
        // The rotated part turns as a head of its own width does.
        let own = table(&Config { head_dim: 4, ..config }, 3, None);
        assert_eq!(rows[8..12], own[4..8]);
    }

    /// Rows of Q and K are moved once at load, so that one rotation serves both orders: what it gives, moved back, is the rotation in
    /// the file's order, value `i` with value `i + half` (GPT-NeoX).
    #[test]
    fn moved_rows_rotate_as_the_files_order_does() {
        for (head_dim, rope_dim) in [(4, 4), (16, 16), (16, 8), (64, 64)] {
            let config = config("qwen2", head_dim, rope_dim);
            let angles = table(&config, 6, None);
            let row = &angles[5 * head_dim..];
            let head: Vec<f32> = (0..head_dim).map(|at| (at as f32 * 0.7).sin() + 0.1).collect();
            let mut moved = vec![0.0; head_dim];
            for (at, &value) in head.iter().enumerate() {
                moved[adjacent_row(at, &config)] = value;
            }
            let turned = rotated(&moved, row);
            let half = rope_dim / 2;
            for at in 0..head_dim {
                let angle = |pair: usize| 5.0 * 10_000f64.powf(-2.0 * pair as f64 / rope_dim as f64);
                let (x, y) = (f64::from(head[at]), |other: usize| f64::from(head[other]));
                let expected = match at {
                    at if at < half => x * angle(at).cos() - y(at + half) * angle(at).sin(),
                    at if at < rope_dim => y(at - half) * angle(at - half).sin() + x * angle(at - half).cos(),
                    _ => x,
                };
                let got = f64::from(turned[adjacent_row(at, &config)]);
                assert!((got - expected).abs() < 1e-5, "value {at} of {head_dim}: {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn rows_move_within_their_head_and_none_is_lost() {
        for architecture in ["llama", "qwen2"] {
            let config = config(architecture, 16, 8);
            let mut places: Vec<_> = (0..64).map(|row| adjacent_row(row, &config)).collect();
            assert!(places.iter().enumerate().all(|(row, place)| row / 16 == place / 16), "{architecture}");
            let stays = places.iter().enumerate().all(|(row, place)| row == *place);
            assert_eq!(stays, architecture == "llama", "llama's rows lie so already");
            places.sort_unstable();
            assert_eq!(places, (0..64).collect::<Vec<_>>(), "{architecture}");
        }
    }
}
