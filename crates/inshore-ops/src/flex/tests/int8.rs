//! Products with rounded activations against plain Rust that rounds the activations alike and then sums in f64.

use inshore_gguf::GgmlType;
use proptest::prelude::*;

use super::*;
use crate::flex::int8::LARGEST;
use crate::flex::matmul::{Matrix, add_product};
use crate::flex::round::round;
use crate::flex::simd::int8::RUN;
use crate::flex::simd::tests::with_each_isa;
use crate::linear::reference;
use crate::packed::WeightStreams;

/// All formats that lie in panels.
fn kinds() -> impl Iterator<Item = GgmlType> {
    GgmlType::ALL.into_iter().filter(|kind| kind.is_quantized())
}

/// What the activations are rounded to.
pub fn rounded(x: &[f32]) -> Vec<f32> {
    let run = |values: &[f32; RUN]| {
        let (q, scale) = round(values, LARGEST);
        q.map(|q| f32::from(q) * scale)
    };
    x.as_chunks().0.iter().flat_map(run).collect()
}

fn weight(kind: GgmlType, rows: usize, cols: usize, seed: u64) -> Packed {
    Packed::random(kind, rows, cols, seed).in_panels()
}

fn product(weight: &Packed, x: &[f32], residual: &[f32]) -> Vec<f32> {
    let mut out = residual.to_vec();
    add_product(x, Matrix::new(&weight.words, weight.layout), &mut out);
    out
}

#[track_caller]
fn check(weight: &Packed, tokens: usize, what: &str) {
    let PackedLayout { kind, rows, cols, .. } = weight.layout;
    let (x, residual) = (random(3, tokens * cols), random(4, tokens * rows));
    let got = product(weight, &x, &residual);
    let expected = reference::linear_add(&rounded(&x), &weight.words, &residual, weight.layout);
    assert_close(&got, &expected, cols, &format!("{what} {kind} {tokens}x{cols}x{rows}"));
}

#[test]
fn rounding_keeps_the_largest_and_is_within_half_a_step() {
    let x: [f32; RUN] = random(1, RUN).try_into().expect("a run");
    let (q, scale) = round(&x, LARGEST);
    assert_eq!(q.map(i16::unsigned_abs).iter().max(), Some(&16_256));
    for (q, x) in q.iter().zip(x) {
        assert!((f32::from(*q) * scale - x).abs() <= 0.5001 * scale);
    }
    assert_eq!(round(&[0.0; RUN], LARGEST), ([0; RUN], 0.0));
    assert_eq!(round(&[1e-42; RUN], LARGEST).0, [0; RUN]);
    assert!(round(&[f32::INFINITY; RUN], LARGEST).1.is_infinite());
}

#[test]
fn every_format_at_sizes_around_tiles_and_panels() {
    with_each_isa(|isa| {
        for kind in kinds() {
            // A block of the K formats is eight runs.
            let blocks = if kind.block_len() == RUN { &[1, 2, 3, 4, 5, 9][..] } else { &[1, 2, 3] };
            for blocks in blocks {
                for rows in [1, 3, 8, 15, 16, 33, 70] {
                    let weight = weight(kind, rows, blocks * kind.block_len(), 2);
                    for tokens in [1, 2, 4, 5, 6, 7, 13] {
                        check(&weight, tokens, isa);
                    }
                }
            }
        }
    });
}

#[test]
fn weight_streams_change_no_bit() {
    with_each_isa(|isa| {
        for kind in kinds() {
            // Panels that four streams share, and some that are left over.
            let (rows, cols) = (16 * 11 - 3, kind.block_len().max(64));
            let (mut weight, x, residual) = (weight(kind, rows, cols, 7), random(8, cols), random(9, rows));
            let [one, four] = [WeightStreams::One, WeightStreams::Four].map(|streams| {
                weight.layout.streams = streams;
                product(&weight, &x, &residual)
            });
            assert_eq!(one, four, "{isa} {kind}");
        }
    });
}

/// Products of a matrix of `block`s, whose values are `expected`, with activations at the ends of their range.
#[track_caller]
fn check_extreme(kind: GgmlType, block: &[u8], expected: impl Fn(usize) -> f64) {
    let (rows, blocks) = (17, 3);
    let cols = blocks * kind.block_len();
    let layout = PackedLayout::new(kind, rows, cols).expect("whole blocks").in_panels();
    let words = layout.pack(&block.repeat(rows * blocks), |row| row).expect("the right size");
    let weight = Packed { layout, words };
    for value in [127.0, -127.0] {
        let sum = (0..cols).map(|col| expected(col % kind.block_len())).sum::<f64>() * f64::from(value);
        for tokens in [1, 9] {
            with_each_isa(|isa| {
                let got = product(&weight, &vec![value; tokens * cols], &vec![0.0; tokens * rows]);
                assert_close(&got, &vec![sum as f32; tokens * rows], 1, &format!("{isa} {kind} {value} {tokens}"));
            });
        }
    }
}

/// Scales of 1, numbers and activations at the ends of their ranges: no sum overflows, and all are exact.
#[test]
fn extreme_numbers_are_exact() {
    for byte in [0x80u8, 0x7F, 0xFF, 0x00, 0x81] {
        check_extreme(GgmlType::Q8_0, &[&[0x00, 0x3C][..], &[byte; 32]].concat(), |_| f64::from(byte as i8));
    }
}

/// The same with numbers, scales and minima of the K formats: all bits set, or those of one kind.
#[test]
fn extreme_scales_are_exact() {
    // d and dmin are 1 and 2.
    let halves = [0x00, 0x3C, 0x00, 0x40];
    for (scales, scale, min) in [([0xFF; 12], 63, 63), ([0; 12], 0, 0), (only_scales(), 63, 0)] {
        for number in [0x00, 0xFF] {
            let value = |largest: i32| f64::from(scale * if number == 0 { 0 } else { largest } - 2 * min);
            let q4 = [&halves[..], &scales, &[number; 128]].concat();
            check_extreme(GgmlType::Q4K, &q4, |_| value(15));
            let q5 = [&halves[..], &scales, &[number; 160]].concat();
            check_extreme(GgmlType::Q5K, &q5, |_| value(31));
        }
    }
    for number in [0x00, 0xFF] {
        for [even, odd] in [[-128i8, -128], [127, 127], [-128, 127], [0, -1]] {
            let scales = [even as u8, odd as u8].repeat(8);
            let block = [&[number; 192][..], &scales, &[0x00, 0x3C]].concat();
            let own = |col: usize| f64::from(if (col / 16).is_multiple_of(2) { even } else { odd });
            let q6 = if number == 0 { -32.0 } else { 31.0 };
            check_extreme(GgmlType::Q6K, &block, |col| own(col) * q6);
        }
    }
}

/// The twelve bytes of a Q4_K block whose scales are 63 and whose minima are 0.
fn only_scales() -> [u8; 12] {
    std::array::from_fn(|at| [0xFF, 0x00, 0x0F][at / 4])
}

#[test]
fn only_matrices_in_panels_round() {
    let exact = Packed::random(GgmlType::Q4_1, 40, 64, 5);
    let rounding = weight(GgmlType::Q4_1, 40, 64, 5);
    let (x, zeros) = (random(6, 64), vec![0.0; 40]);
    let expected = reference::linear_add(&x, &exact.words, &zeros, exact.layout);
    assert_close(&product(&exact, &x, &zeros), &expected, 64, "exact");
    assert_ne!(product(&exact, &x, &zeros), product(&rounding, &x, &zeros));
}

#[test]
fn products_do_not_depend_on_threads() {
    let weight = weight(GgmlType::Q4_1, 1000, 576, 18);
    for tokens in [1, 10] {
        let (x, residual) = (random(19, tokens * 576), random(20, tokens * 1000));
        assert_same_on_any_threads(|| product(&weight, &x, &residual));
    }
}

proptest! {
    #[test]
    fn any_shape_agrees(kind in 0..8usize, runs in 1..20usize, rows in 1..70usize, tokens in 1..20usize, seed: u64) {
        let kind = kinds().nth(kind).expect("eight formats");
        check(&weight(kind, rows, (runs * RUN).next_multiple_of(kind.block_len()), seed), tokens, "any");
    }
}
