mod oracle;

use self::oracle::Oracle;
use super::{SampleParams, Sampled, reference};
use crate::backends::{devices, floats, random, words};
use crate::sample;

/// Logits as a model gives them: most far below a few.
fn spread(seed: u64, vocab: usize) -> Vec<f32> {
    random(seed, vocab).iter().map(|x| 12.0 * x * x * x).collect()
}

const NO_HISTORY: [u32; 2] = [0, 0];

/// All backends draw what [`Oracle`] says, with log-probabilities that differ by rounding at most.
#[track_caller]
fn check(logits: &[f32], history: &[u32], params: &SampleParams) {
    let oracle = Oracle::new(logits, history, params);
    let history = [history, &[reference::noise_key(params.seed, params.step)]].concat();
    for (backend, device) in devices() {
        let drawn = sample(floats(logits, [logits.len()], &device), words(&history, &device), *params);
        let drawn: Vec<u32> = drawn.into_data().try_to_vec().expect("u32 words");
        assert_eq!(drawn.len(), params.result_words(), "{backend}");
        let drawn = Sampled::from_words(&drawn).expect("two words at least");
        oracle.check(&drawn, &format!("{backend}, {} logits, {params:?}: {drawn:?}", logits.len()));
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

/// A NaN or an infinity anywhere makes all log-probabilities minus infinity, on every backend: a caller sees that there is no next
/// token. One minus infinity is a token that is never drawn.
#[test]
fn logits_that_are_not_finite_show_in_the_log_probability() {
    let sound = spread(9, 300);
    let with = |places: &[(usize, f32)]| {
        let mut logits = sound.clone();
        places.iter().for_each(|&(at, value)| logits[at] = value);
        logits
    };
    let sampled =
        [SampleParams { top_logprobs: 20, ..SampleParams::greedy() }, warm(1), SampleParams { top_k: 3, ..warm(2) }];
    for (logits, is_finite) in [
        (sound.clone(), true),
        (with(&[(8, f32::NEG_INFINITY)]), true),
        (with(&[(0, f32::MIN)]), true),
        (with(&[(7, f32::NAN)]), false),
        (with(&[(200, -f32::NAN)]), false),
        (with(&[(299, f32::INFINITY)]), false),
        (with(&[(0, f32::INFINITY), (1, f32::NAN)]), false),
        (vec![f32::NAN; 5], false),
        (vec![f32::INFINITY; 300], false),
        (vec![f32::NEG_INFINITY; 5], false),
    ] {
        for params in &sampled {
            let history = [0, 0, reference::noise_key(params.seed, params.step)];
            for (backend, device) in devices() {
                let drawn = sample(floats(&logits, [logits.len()], &device), words(&history, &device), *params);
                let drawn: Vec<u32> = drawn.into_data().try_to_vec().expect("u32 words");
                let drawn = Sampled::from_words(&drawn).expect("two words at least");
                assert_eq!(drawn.is_finite(), is_finite, "{backend} {params:?} {:?}", &logits[..5]);
                assert!(is_finite || drawn.top.iter().all(|(_, logprob)| *logprob == f32::NEG_INFINITY), "{backend}");
            }
            if is_finite {
                check(&logits, &NO_HISTORY, params);
            }
        }
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
