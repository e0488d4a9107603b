use inshore_gguf::GgmlType;

use super::reference;
use crate::backends::{Packed, assert_close, devices, floats, random, read};
use crate::{all_logits, gated_mlp, linear_add, logits};

#[cfg(feature = "gpu")]
mod plans;

const EPS: f32 = 1e-5;

/// Rounding in sums of `terms` products of numbers around 1.
fn tolerance(terms: usize) -> f32 {
    2e-6 * (terms as f32).sqrt()
}

fn check_linear_add(weight: &Packed, tokens: usize) {
    let (rows, cols) = (weight.layout.rows, weight.layout.cols);
    let x = random(7, tokens * cols);
    let residual = random(8, tokens * rows);
    let expected = reference::linear_add(&x, &weight.words, &residual, weight.layout);
    for (backend, device) in devices() {
        let x = floats(&x, [tokens, cols], &device);
        let got = read(linear_add(x, &weight.on(&device), floats(&residual, [tokens, rows], &device)));
        let what = format!("{backend}, {:?}, {tokens} tokens", weight.layout);
        assert_close(&got, &expected, tolerance(cols), &what);
    }
}

#[test]
fn every_format_with_one_token_and_many() {
    for kind in GgmlType::ALL {
        for (rows, blocks) in [(1, 1), (31, 2), (65, 3), (128, 9)] {
            let weight = Packed::random(kind, rows, blocks * kind.block_len().max(32), rows as u64);
            for tokens in [1, 2, 33] {
                check_linear_add(&weight, tokens);
            }
        }
    }
}

#[test]
fn sizes_around_the_tiles() {
    for rows in [2, 3, 32, 33, 63, 64, 66, 200] {
        let weight = Packed::random(GgmlType::Q4_1, rows, 288, 5);
        for tokens in [1, 31, 32, 34, 65] {
            check_linear_add(&weight, tokens);
        }
    }
}

#[test]
fn rows_that_are_no_whole_chunks() {
    for kind in [GgmlType::F32, GgmlType::F16, GgmlType::Bf16] {
        for (rows, cols) in [(1, 1), (3, 7), (130, 33), (5, 100)] {
            for tokens in [1, 3] {
                check_linear_add(&Packed::random(kind, rows, cols, 9), tokens);
            }
        }
    }
}

#[test]
fn gated_mlp_with_equal_and_mixed_formats() {
    for (gate, up) in
        [(GgmlType::Q4_1, GgmlType::Q4_1), (GgmlType::Q4K, GgmlType::Q6K), (GgmlType::F32, GgmlType::Q8_0)]
    {
        for (rows, tokens) in [(1, 1), (33, 1), (96, 5), (65, 40)] {
            let cols = 256;
            let (gate, up) = (Packed::random(gate, rows, cols, 1), Packed::random(up, rows, cols, 2));
            let (x, norm) = (random(3, tokens * cols), random(4, cols));
            let expected = reference::gated_mlp(&x, &norm, (&gate.words, gate.layout), (&up.words, up.layout), EPS);
            for (backend, device) in devices() {
                let x = floats(&x, [tokens, cols], &device);
                let norm = floats(&norm, [cols], &device);
                let got = read(gated_mlp(x, &norm, EPS, &gate.on(&device), &up.on(&device)));
                assert_close(
                    &got,
                    &expected,
                    8.0 * tolerance(cols),
                    &format!("{backend}, {rows} rows, {tokens} tokens"),
                );
            }
        }
    }
}

/// Gates so far from 0 that the exponential leaves the range of f32.
#[test]
fn gates_of_any_size_stay_finite() {
    let gate = Packed::random(GgmlType::F32, 64, 32, 1);
    let up = Packed::random(GgmlType::F32, 64, 32, 2);
    let (x, norm) = (random(3, 32), vec![300.0; 32]);
    let expected = reference::gated_mlp(&x, &norm, (&gate.words, gate.layout), (&up.words, up.layout), EPS);
    for (backend, device) in devices() {
        let norm = floats(&norm, [32], &device);
        let got = read(gated_mlp(floats(&x, [1, 32], &device), &norm, EPS, &gate.on(&device), &up.on(&device)));
        assert_close(&got, &expected, 1e-3, backend);
    }
}

#[test]
fn logits_are_those_of_the_last_token_or_of_all() {
    for (kind, rows, cols) in [(GgmlType::Q8_0, 1000, 576), (GgmlType::Q6K, 77, 512), (GgmlType::F16, 9, 33)] {
        for tokens in [1, 2, 40] {
            let weight = Packed::random(kind, rows, cols, 1);
            let (x, norm) = (random(2, tokens * cols), random(3, cols));
            let expected = reference::logits(&x, &norm, &weight.words, weight.layout, EPS);
            for (backend, device) in devices() {
                let norm = floats(&norm, [cols], &device);
                let (x, weight) = (floats(&x, [tokens, cols], &device), weight.on(&device));
                let of_what = format!("{backend}, {kind}, {tokens} tokens");
                let all = read(all_logits(x.clone(), &norm, EPS, &weight));
                assert_close(&all, &expected, 8.0 * tolerance(cols), &of_what);
                let last = read(logits(x, &norm, EPS, &weight));
                assert_close(&last, &expected[(tokens - 1) * rows..], 8.0 * tolerance(cols), &of_what);
            }
        }
    }
}
