use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use proptest::prelude::*;

use super::random;
use crate::extension::DecoderOps;
use crate::flex::tensor::{from_floats, from_words};
use crate::sample::reference::{gumbel, noise_bits, order_key};
use crate::{SampleParams, Sampled};

fn run(logits: &[f32], history: &[u32], params: SampleParams) -> Sampled {
    let history = if history.is_empty() { &[0, 0] } else { history };
    let out = Flex::sample(from_floats(logits.to_vec(), [logits.len()]), from_words(history.to_vec()), params);
    assert_eq!(&out.layout().shape()[..], [params.result_words()]);
    Sampled::from_words(out.storage()).expect("a packed result")
}

const WARM: SampleParams = SampleParams { temperature: 1.0, ..SampleParams::greedy() };

/// Tokens that `steps` draws give.
fn drawn(logits: &[f32], params: SampleParams, steps: u32) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..steps).map(|step| run(logits, &[], SampleParams { step, ..params }).id).collect();
    ids.sort_unstable();
    ids
}

fn kinds(mut ids: Vec<u32>) -> Vec<u32> {
    ids.dedup();
    ids
}

#[test]
fn noise_is_pinned() {
    // The GPU computes the same words; a change here changes every sampled text.
    let words = [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1 << 32, 0, 0), (u64::MAX, u32::MAX, 49_151)]
        .map(|(seed, step, id)| noise_bits(seed, step, id));
    // From an implementation in another language.
    assert_eq!(words, [2_619_329_684, 2_094_375_851, 1_877_578_435, 590_942_764, 714_927_487]);
}

#[test]
fn gumbel_is_accurate_over_the_whole_range() {
    for bits in (0..=u32::MAX).step_by(65_537).chain([0, 511, 512, u32::MAX]) {
        let w = (f64::from(bits >> 9) + 0.5) / 8_388_608.0;
        let expected = -(-(-w).ln_1p()).ln();
        assert!((f64::from(gumbel(bits)) - expected).abs() < 2e-6, "{bits}: {} is not {expected}", gumbel(bits));
    }
}

#[test]
fn greedy_takes_the_first_of_equals_and_reports_logprobs() {
    let out = run(&[0.0, 2.0, 1.0, 2.0], &[], SampleParams { top_logprobs: 3, ..SampleParams::greedy() });
    let total = (1.0f32 + 2.0 * 2.0f32.exp() + 1.0f32.exp()).ln();
    assert_eq!(out.id, 1);
    assert!((out.logprob - (2.0 - total)).abs() < 1e-6);
    assert_eq!(out.top.iter().map(|top| top.0).collect::<Vec<_>>(), [1, 3, 2]);
    assert!((out.top[2].1 - (1.0 - total)).abs() < 1e-6);
}

#[test]
fn special_logits() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    assert_eq!(run(&[-inf, -1.0, -inf], &[], WARM).id, 1);
    for no_distribution in [[1.0, inf, 0.0], [nan, -1.0, nan]] {
        let out = run(&no_distribution, &[], WARM);
        assert_eq!((out.is_finite(), out.logprob), (false, -inf));
    }
    for params in [SampleParams::greedy(), SampleParams { top_p: 0.5, top_k: 1, min_p: 0.1, ..WARM }] {
        for nothing in [[nan; 3], [-inf; 3]] {
            let out = run(&nothing, &[], params);
            assert_eq!((out.is_finite(), out.logprob), (false, -inf));
        }
    }
    let out = run(&[1.0], &[], SampleParams { top_logprobs: 2, ..SampleParams::greedy() });
    assert_eq!(out.top, [(0, 0.0), (u32::MAX, -inf)]);
}

#[test]
fn penalties_change_the_choice_but_not_the_logprob() {
    let logits = [2.0, 1.9, -1.0, -1.1];
    let greedy = SampleParams::greedy();
    let plain = run(&logits, &[0, 3], greedy);
    assert_eq!(plain.id, 0);
    let repeated = SampleParams { repetition_penalty: 1.5, ..greedy };
    assert_eq!(run(&logits, &[0, 3], repeated).id, 1);
    assert_eq!(run(&logits, &[0, 0, 9, 5], repeated).id, 0, "count 0 and unknown ids");
    assert_eq!(run(&[-1.0, -1.2], &[0, 1], repeated).id, 1, "negative logits are multiplied");
    let often = SampleParams { frequency_penalty: 0.06, ..greedy };
    assert_eq!([1, 2].map(|count| run(&logits, &[0, count], often).id), [0, 1]);
    let present = SampleParams { presence_penalty: 0.2, ..greedy };
    let out = run(&logits, &[0, 1, 1, 0], present);
    assert_eq!(out.id, 1);
    assert!((out.logprob - (plain.logprob - 0.1)).abs() < 1e-6);
}

#[test]
fn filters_keep_what_they_should() {
    // Probabilities 0.4, 0.3, 0.2, 0.1, out of order.
    let logits = [0.2f32, 0.4, 0.1, 0.3].map(f32::ln);
    let kept = |params| kinds(drawn(&logits, params, 300));
    assert_eq!(kept(WARM), [0, 1, 2, 3]);
    assert_eq!(kept(SampleParams { top_k: 2, ..WARM }), [1, 3]);
    assert_eq!(kept(SampleParams { top_k: 1, ..WARM }), [1]);
    assert_eq!(kept(SampleParams { top_p: 0.65, ..WARM }), [1, 3]);
    assert_eq!(kept(SampleParams { top_p: 0.75, ..WARM }), [0, 1, 3]);
    assert_eq!(kept(SampleParams { top_p: 0.0, ..WARM }), [1]);
    assert_eq!(kept(SampleParams { min_p: 0.45, ..WARM }), [0, 1, 3]);
    assert_eq!(kept(SampleParams { min_p: 1.0, ..WARM }), [1]);
    // Of the three left by top-k, the mass of two is 0.7 / 0.9.
    assert_eq!(kept(SampleParams { top_k: 3, top_p: 0.75, ..WARM }), [1, 3]);
    // At half the temperature the masses are 16, 9, 4, 1 of 30.
    assert_eq!(kept(SampleParams { temperature: 0.5, top_p: 0.8, ..WARM }), [1, 3]);
    assert_eq!(kinds(drawn(&[1.0, 3.0, 3.0, 3.0], SampleParams { top_k: 2, ..WARM }, 300)), [1, 2, 3], "ties stay");
}

#[test]
fn draws_follow_the_softmax() {
    let probabilities = [0.5f32, 0.25, 0.15, 0.07, 0.03];
    let ids = drawn(&probabilities.map(f32::ln), SampleParams { seed: 7, ..WARM }, 20_000);
    for (id, probability) in (0..).zip(probabilities) {
        let share = ids.iter().filter(|&&drawn| drawn == id).count() as f32 / 20_000.0;
        // Five standard deviations.
        let spread = 5.0 * (probability * (1.0 - probability) / 20_000.0).sqrt();
        assert!((share - probability).abs() < spread, "token {id}: {share}, expected {probability}");
    }
}

#[test]
fn seeds_and_steps_matter_and_repeat() {
    let logits = random(1, 1000);
    let draw = |seed, step| run(&logits, &[], SampleParams { seed, step, ..WARM }).id;
    let first: Vec<_> = (0..20).map(|step| draw(1, step)).collect();
    assert_eq!(first, (0..20).map(|step| draw(1, step)).collect::<Vec<_>>());
    assert!(kinds(first.clone()).len() > 10);
    assert_ne!(first, (0..20).map(|step| draw(2, step)).collect::<Vec<_>>());
    assert_ne!(first, (0..20).map(|step| draw(1 << 32 | 1, step)).collect::<Vec<_>>());
}

#[test]
fn history_of_another_integer_type() {
    let history = FlexTensor::from_data(TensorData::new(vec![0i64, 2, -5, 1], [4]));
    let params = SampleParams { presence_penalty: 5.0, ..SampleParams::greedy() };
    let out = Flex::sample(from_floats(vec![2.0, 1.0], [2]), history, params);
    assert_eq!(out.storage::<u32>()[0], 1);
}

proptest! {
    #[test]
    fn order_key_keeps_the_order(a: f32, b: f32) {
        prop_assume!(!a.is_nan() && !b.is_nan() && a != b);
        prop_assert_eq!(a < b, order_key(a) < order_key(b));
    }

    #[test]
    fn top_k_and_top_p_agree_with_sorting(
        raw in prop::collection::vec(-8i8..8, 1..40),
        top_k in 1u32..10,
        top_p in 0.0f32..1.0,
        seed: u64,
    ) {
        let logits: Vec<f32> = raw.iter().map(|&logit| f32::from(logit) * 0.5).collect();
        let mut sorted = logits.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let kth = sorted[(top_k as usize).min(sorted.len()) - 1];
        let left: Vec<f64> =
            sorted.iter().filter(|&&logit| logit >= kth).map(|&logit| f64::from(logit).exp()).collect();
        let wanted = f64::from(top_p) * left.iter().sum::<f64>();
        let mut mass = 0.0;
        let enough = left.iter().position(|weight| { mass += weight; mass >= wanted }).unwrap_or(left.len() - 1);
        let id = run(&logits, &[], SampleParams { top_k, top_p, seed, ..WARM }).id;
        prop_assert!(logits[id as usize] >= sorted[enough]);
    }
}
