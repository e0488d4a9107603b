use super::{SampleParams, Sampled, reference};
use crate::backends::{devices, floats, random, words};
use crate::sample;

/// Logits as a model gives them: most far below a few.
fn spread(seed: u64, vocab: usize) -> Vec<f32> {
    random(seed, vocab).iter().map(|x| 12.0 * x * x * x).collect()
}

const NO_HISTORY: [u32; 2] = [0, 0];

/// All backends draw what the plain code draws, with log-probabilities that differ by rounding at most.
#[track_caller]
fn check(logits: &[f32], history: &[u32], params: &SampleParams) {
    let expected = Sampled::from_words(&reference::sample(logits, history, params)).expect("two words at least");
    let history = [history, &[reference::noise_key(params.seed, params.step)]].concat();
    for (backend, device) in devices() {
        let drawn = sample(floats(logits, [logits.len()], &device), words(&history, &device), *params);
        let drawn: Vec<u32> = drawn.into_data().try_to_vec().expect("u32 words");
        assert_eq!(drawn.len(), params.result_words(), "{backend}");
        let drawn = Sampled::from_words(&drawn).expect("two words at least");
        let what = format!("{backend}, {} logits, {params:?}", logits.len());
        assert_eq!(drawn.id, expected.id, "{what}");
        let pairs = |sampled: &Sampled| {
            [(sampled.id, sampled.logprob)].into_iter().chain(sampled.top.clone()).collect::<Vec<_>>()
        };
        for ((id, logprob), (expected_id, expected_logprob)) in pairs(&drawn).into_iter().zip(pairs(&expected)) {
            assert_eq!(id, expected_id, "{what}: got {drawn:?}, expected {expected:?}");
            let near = logprob == expected_logprob
                || (logprob - expected_logprob).abs() < 2e-5 * expected_logprob.abs().max(1.0);
            assert!(near, "{what}: token {id} has {logprob}, expected {expected_logprob}");
        }
    }
}

fn warm(seed: u64) -> SampleParams {
    SampleParams { temperature: 0.8, seed, ..SampleParams::greedy() }
}

#[test]
fn greedy_takes_the_lowest_of_equal_logits() {
    for vocab in [1, 2, 7, 255, 256, 257, 1000, 4097] {
        check(&spread(vocab as u64, vocab), &NO_HISTORY, &SampleParams::greedy());
        check(&vec![1.5; vocab], &NO_HISTORY, &SampleParams { top_logprobs: 3, ..SampleParams::greedy() });
        let mut logits = vec![-3.0; vocab];
        logits[vocab - 1] = 2.0;
        logits[vocab / 2] = 2.0;
        check(&logits, &NO_HISTORY, &SampleParams { top_logprobs: 5, ..SampleParams::greedy() });
    }
    check(&[-0.0, 0.0, -1.0], &NO_HISTORY, &SampleParams::greedy());
}

#[test]
fn many_seeds_with_every_filter() {
    let vocab = 1000;
    for seed in 0..40 {
        let logits = spread(seed + 100, vocab);
        let base = SampleParams { step: seed as u32 * 3, ..warm(seed) };
        for params in [
            base,
            SampleParams { temperature: 1.7, top_k: 40, ..base },
            SampleParams { top_p: 0.9, ..base },
            SampleParams { min_p: 0.05, ..base },
            SampleParams { top_k: 20, top_p: 0.7, min_p: 0.02, ..base },
        ] {
            check(&logits, &NO_HISTORY, &params);
        }
    }
}

#[test]
fn filters_at_their_limits() {
    for vocab in [1, 3, 300] {
        let logits = spread(1, vocab);
        for seed in [1, u64::MAX, 0x1_0000_0000] {
            for params in [
                SampleParams { top_k: 1, ..warm(seed) },
                SampleParams { top_k: vocab as u32, ..warm(seed) },
                SampleParams { top_k: u32::MAX, ..warm(seed) },
                SampleParams { top_p: 0.0, ..warm(seed) },
                SampleParams { top_p: 1e-9, ..warm(seed) },
                SampleParams { min_p: 1.0, ..warm(seed) },
                SampleParams { temperature: 1e-6, ..warm(seed) },
                SampleParams { temperature: 1e6, ..warm(seed) },
                SampleParams { temperature: f32::NAN, ..warm(seed) },
                SampleParams { temperature: -1.0, ..warm(seed) },
            ] {
                check(&logits, &NO_HISTORY, &params);
            }
        }
    }
    // Ties at the threshold stay in.
    check(&[1.0; 50], &NO_HISTORY, &SampleParams { top_k: 5, ..warm(3) });
}

#[test]
fn penalties_on_seen_tokens() {
    let logits = spread(5, 700);
    let history: Vec<u32> = (0..350).flat_map(|at| [at * 2, at % 4]).chain([700, 3, u32::MAX, 1]).collect();
    for seed in 0..10 {
        for params in [
            SampleParams { repetition_penalty: 1.3, ..warm(seed) },
            SampleParams { frequency_penalty: 0.7, presence_penalty: -0.4, ..warm(seed) },
            SampleParams { repetition_penalty: 0.8, presence_penalty: 1.5, top_k: 30, top_p: 0.95, ..warm(seed) },
            SampleParams { repetition_penalty: 1e30, top_logprobs: 20, ..SampleParams::greedy() },
        ] {
            check(&logits, &history, &params);
        }
    }
}

#[test]
fn values_that_are_no_numbers() {
    let mut logits = spread(9, 300);
    logits[7] = f32::NAN;
    logits[8] = f32::NEG_INFINITY;
    logits[200] = -f32::NAN;
    for params in
        [SampleParams { top_logprobs: 20, ..SampleParams::greedy() }, warm(1), SampleParams { top_k: 3, ..warm(2) }]
    {
        check(&logits, &NO_HISTORY, &params);
    }
    logits[30] = f32::INFINITY;
    check(&logits, &NO_HISTORY, &SampleParams { top_logprobs: 2, ..SampleParams::greedy() });
    for nothing in [f32::NAN, f32::NEG_INFINITY] {
        check(&[nothing; 5], &NO_HISTORY, &SampleParams { top_logprobs: 7, ..SampleParams::greedy() });
        check(&[nothing; 5], &NO_HISTORY, &warm(1));
    }
}

#[test]
fn a_real_vocabulary() {
    let logits = spread(77, 49152);
    for seed in 0..3 {
        let params = SampleParams { top_k: 50, top_p: 0.9, min_p: 0.01, top_logprobs: 5, ..warm(seed) };
        check(&logits, &NO_HISTORY, &params);
    }
}
