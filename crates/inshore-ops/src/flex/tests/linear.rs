use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use inshore_gguf::GgmlType;
use proptest::prelude::*;

use super::int8::rounded;
use super::*;
use crate::embed::reference as embed;
use crate::extension::DecoderOps;
use crate::flex::exp::silu;
use crate::flex::simd::tests::with_each_isa;
use crate::linear::reference;

const EPS: f32 = 1e-5;

#[test]
fn embed_unpacks_every_format() {
    with_each_isa(|isa| {
        for kind in GgmlType::ALL {
            for cols in widths(kind) {
                let table = Packed::random(kind, 27, cols, 1);
                let ids = [0i32, 26, 3, 3, 100, -1];
                let expected = embed::embed(&[0, 26, 3, 3, 26, 0], &table.words, table.layout);
                for table in [table.in_panels(), table] {
                    let tensor = FlexTensor::from_data(TensorData::new(ids.to_vec(), [ids.len()]));
                    let out = Flex::embed(tensor, 6, table.tensor(), table.layout);
                    assert_close(values(&out), &expected, 1, &format!("{isa} {kind} {cols}"));
                }
            }
        }
    });
}

#[test]
fn linear_add_agrees_for_every_format() {
    with_each_isa(|isa| {
        for kind in GgmlType::ALL {
            for cols in widths(kind) {
                for rows in [1, 5, 12, 37] {
                    let weight = Packed::random(kind, rows, cols, 2);
                    for tokens in [1, 2, 3, 4, 5, 9] {
                        let (x, residual) = (random(3, tokens * cols), random(4, tokens * rows));
                        let out = Flex::linear_add(
                            floats(&x, [tokens, cols]),
                            weight.tensor(),
                            floats(&residual, [tokens, rows]),
                            weight.layout,
                        );
                        let expected = reference::linear_add(&x, &weight.words, &residual, weight.layout);
                        assert_close(values(&out), &expected, cols, &format!("{isa} {kind} {tokens}x{cols}x{rows}"));
                    }
                }
            }
        }
    });
}

#[test]
fn more_than_a_buffer_and_a_strip() {
    let (rows, cols, tokens) = (29, 4096, 37);
    let weight = Packed::random(GgmlType::Q5_1, rows, cols, 5);
    let (x, residual) = (random(6, tokens * cols), random(7, tokens * rows));
    let expected = reference::linear_add(&x, &weight.words, &residual, weight.layout);
    with_each_isa(|isa| {
        let [x, residual] = [floats(&x, [tokens, cols]), floats(&residual, [tokens, rows])];
        let out = Flex::linear_add(x, weight.tensor(), residual, weight.layout);
        assert_close(values(&out), &expected, cols, isa);
    });
}

#[test]
fn a_shared_residual_stays_as_it_was() {
    let weight = Packed::random(GgmlType::Q8_0, 8, 32, 8);
    let residual = floats(&[1.0; 8], [1, 8]);
    let out = Flex::linear_add(floats(&[1.0; 32], [1, 32]), weight.tensor(), residual.clone(), weight.layout);
    assert_eq!(values(&residual), [1.0; 8]);
    assert_ne!(values(&out), [1.0; 8]);
}

#[test]
fn a_transposed_input_is_read_in_order() {
    let weight = Packed::random(GgmlType::Q4_0, 8, 32, 9);
    let (x, residual) = (random(10, 2 * 32), [0.0; 16]);
    let transposed: Vec<f32> = (0..64).map(|at| x[at % 2 * 32 + at / 2]).collect();
    let x_tensor = floats(&transposed, [32, 2]);
    let layout = x_tensor.layout().transpose(0, 1);
    let out = Flex::linear_add(x_tensor.with_layout(layout), weight.tensor(), floats(&residual, [2, 8]), weight.layout);
    let expected = reference::linear_add(&x, &weight.words, &residual, weight.layout);
    assert_close(values(&out), &expected, 32, "transposed");
}

#[test]
fn gated_mlp_agrees_with_mixed_formats() {
    with_each_isa(|isa| {
        for (tokens, rows, cols) in [(1, 1, 32), (1, 130, 96), (3, 13, 256), (5, 50, 512)] {
            let gate = Packed::random(GgmlType::Q4_1, rows, cols, 11);
            let up = Packed::random(GgmlType::Q8_0, rows, cols, 12);
            let (x, norm) = (random(13, tokens * cols), random(14, cols));
            let normed = reference::rms_norm(&x, &norm, EPS);
            // What is multiplied with panels is rounded.
            let product = |weight: &Packed| match weight.layout.panels {
                true => reference::linear(&rounded(&normed), &weight.words, weight.layout),
                false => reference::linear(&normed, &weight.words, weight.layout),
            };
            for (gate, up) in [(&gate, &up), (&gate.in_panels(), &up), (&gate, &up.in_panels())] {
                let expected: Vec<_> = product(gate).iter().zip(product(up)).map(|(g, up)| silu(*g) * up).collect();
                let [x, norm] = [floats(&x, [tokens, cols]), floats(&norm, [cols])];
                let out = Flex::gated_mlp(x, norm, gate.tensor(), up.tensor(), (gate.layout, up.layout), EPS);
                assert_close(values(&out), &expected, 4 * cols, &format!("{isa} {tokens}x{cols}x{rows}"));
            }
        }
    });
}

#[test]
fn logits_are_those_of_the_tokens_from_the_first_asked_for() {
    let weight = Packed::random(GgmlType::Q6K, 300, 256, 15);
    let (x, norm) = (random(16, 3 * 256), random(17, 256));
    let expected = reference::logits(&x, &norm, &weight.words, weight.layout, EPS);
    for first in 0..3 {
        let [x, norm] = [floats(&x, [3, 256]), floats(&norm, [256])];
        let out = Flex::logits(x, first, norm, weight.tensor(), weight.layout, EPS);
        assert_eq!(&out.layout().shape()[..], [(3 - first) * 300]);
        assert_close(values(&out), &expected[first * 300..], 256, "logits");
    }
}

#[test]
fn products_do_not_depend_on_threads() {
    let weight = Packed::random(GgmlType::Q4K, 1000, 256, 18);
    for tokens in [1, 10] {
        let (x, residual) = (random(19, tokens * 256), random(20, tokens * 1000));
        assert_same_on_any_threads(|| {
            let [x, residual] = [floats(&x, [tokens, 256]), floats(&residual, [tokens, 1000])];
            values(&Flex::linear_add(x, weight.tensor(), residual, weight.layout)).to_vec()
        });
    }
}

proptest! {
    #[test]
    fn any_shape_agrees(kind in 0..11usize, blocks in 1..5usize, rows in 1..70usize, tokens in 1..20usize, seed: u64) {
        let kind = GgmlType::ALL[kind];
        let cols = blocks * kind.block_len();
        let weight = Packed::random(kind, rows, cols, seed);
        let (x, residual) = (random(!seed, tokens * cols), random(seed ^ 1, tokens * rows));
        let [x_tensor, residual_tensor] = [floats(&x, [tokens, cols]), floats(&residual, [tokens, rows])];
        let out = Flex::linear_add(x_tensor, weight.tensor(), residual_tensor, weight.layout);
        let expected = reference::linear_add(&x, &weight.words, &residual, weight.layout);
        assert_close(values(&out), &expected, cols, &format!("{kind} {tokens}x{cols}x{rows}"));
    }
}
