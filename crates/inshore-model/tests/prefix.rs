//! What a prompt has in common with the conversation before does not run again: counted, and without a trace in the answer.

#[cfg(feature = "gpu")]
use std::sync::LazyLock;
use std::time::Instant;

use inshore_gguf::GgmlType;
#[cfg(feature = "gpu")]
use inshore_model::DeviceChoice;
use inshore_model::testing::TinyModel;
use inshore_model::{Begun, Engine, FinishReason, Generation, LoadOptions, OpenDevice, Prompt, Request, Sampling};

/// Tokens that run through a model at once, as in `engine.rs`.
const PIECE: usize = 256;

fn load(device: &OpenDevice) -> Engine {
    let model =
        TinyModel { architecture: "llama", kind: GgmlType::Q8_0, kv_heads: 2, context_tokens: 2048, seed: 4 }.build();
    pollster::block_on(Engine::load(&model, device.clone(), LoadOptions::default(), |_| {})).expect("it loads")
}

/// The backends of this build; a GPU is opened once in a process.
#[cfg(feature = "gpu")]
fn devices() -> Vec<OpenDevice> {
    static GPU: LazyLock<OpenDevice> = LazyLock::new(|| {
        let gpu = pollster::block_on(OpenDevice::open(DeviceChoice::Gpu));
        gpu.expect("a GPU; llvmpipe (mesa-vulkan-drivers) will do")
    });
    vec![OpenDevice::cpu(), GPU.clone()]
}

/// The backends of this build.
#[cfg(not(feature = "gpu"))]
fn devices() -> Vec<OpenDevice> {
    vec![OpenDevice::cpu()]
}

fn request(ids: &[u32], max_tokens: usize) -> Request {
    Request {
        max_tokens: Some(max_tokens),
        sampling: Sampling::greedy(),
        top_logprobs: 2,
        ..Request::new(Prompt::Ids(ids.to_vec()))
    }
}

/// `count` tokens of plain text, others for another `seed`.
fn text(count: usize, seed: usize) -> Vec<u32> {
    (0..count).map(|at| (97 + (at * at + 7 * at * seed + seed) % 26) as u32).collect()
}

fn finish(engine: &mut Engine, generation: &mut Generation) {
    while pollster::block_on(engine.next_token(generation)).expect("a step").is_some() {}
}

/// An answer, with the tokens that ran for its first token.
fn answer(engine: &mut Engine, request: Request) -> (Generation, u64) {
    let before = engine.tokens_run();
    let mut generation = engine.start(request).expect("a request");
    pollster::block_on(engine.next_token(&mut generation)).expect("a step");
    let ran = engine.tokens_run() - before;
    finish(engine, &mut generation);
    (generation, ran)
}

/// Asks an engine that holds a conversation and a fresh one; the answers are the same, and in the first one `ran` tokens run.
fn asserts_same(engine: &mut Engine, fresh: &mut Engine, request: &Request, ran: usize, what: &str) -> Vec<u32> {
    fresh.forget();
    let (expected, whole) = answer(fresh, request.clone());
    let (got, ran_here) = answer(engine, request.clone());
    assert_eq!(got.ids(), expected.ids(), "{what}");
    assert_eq!(ran_here, ran as u64, "tokens run: {what}");
    let timings = got.timings();
    assert_eq!(timings.prompt_tokens, expected.prompt_ids().len());
    assert_eq!(timings.cached_tokens, whole as usize - ran, "{what}");
    assert_eq!(expected.timings().cached_tokens, 0);
    got.ids().to_vec()
}

#[test]
fn only_what_is_new_runs_and_the_answer_is_that_of_a_fresh_engine() {
    for device in devices() {
        let (mut engine, mut fresh) = (load(&device), load(&device));
        let name = device.name.clone();
        // Longer than a piece, and not a multiple of the sixteen positions whose keys lie side by side.
        let first = text(300, 1);
        let mut asserts = |request: &Request, ran: usize, what: &str| {
            asserts_same(&mut engine, &mut fresh, request, ran, &format!("{what} on {name}"))
        };
        let ids = asserts(&request(&first, 9), 300, "the first turn");
        assert_eq!(ids.len(), 9);
        // The last token was drawn, but never fed.
        let second = [first.as_slice(), &ids, &text(20, 2)].concat();
        asserts(&request(&second, 5), 1 + 20, "the second turn");
        asserts(&request(&second, 5), 1, "the same prompt again");
        asserts(&request(&second[..77], 5), 1, "a beginning of it");
        asserts(&request(&second, 5), second.len() - 77, "the whole again, of which only the beginning is left");
        let other = [&second[..41], &text(30, 3)].concat();
        asserts(&request(&other, 5), 30, "one that parts from it in the middle");
        asserts(&request(&text(35, 5)[..], 5), 35, "a foreign one");
        asserts(&request(&[98], 5), 1, "a single token");
    }
}

#[test]
fn a_cancelled_prompt_leaves_what_has_run() {
    for device in devices() {
        let (mut engine, mut fresh) = (load(&device), load(&device));
        let prompt = text(7 * PIECE + 9, 1);
        let began = Instant::now();
        answer(&mut engine, request(&prompt, 1));
        let whole = began.elapsed();
        // When a cancel arrives cannot be said; one of these arrives between two pieces.
        let ran = (1..40).find_map(|at| {
            engine.forget();
            let mut generation = engine.start(request(&prompt, 1)).expect("a request");
            let (handle, before) = (generation.cancel_handle(), engine.tokens_run());
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(whole * (at % 8) / 8);
                    handle.cancel();
                });
                pollster::block_on(engine.next_token(&mut generation)).expect("no error");
            });
            let ran = (engine.tokens_run() - before) as usize;
            let in_the_middle = generation.finish_reason() == Some(FinishReason::Cancelled) && ran > 0;
            in_the_middle.then_some(ran)
        });
        let ran = ran.expect("a cancel between two pieces");
        assert!(ran.is_multiple_of(PIECE) && ran < prompt.len(), "{ran} ran");
        asserts_same(&mut engine, &mut fresh, &request(&prompt, 4), prompt.len() - ran, "after a cancel in the prompt");

        let mut generation = engine.start(request(&prompt[..50], 30)).expect("a request");
        for _ in 0..6 {
            pollster::block_on(engine.next_token(&mut generation)).expect("a step").expect("a token");
        }
        generation.cancel();
        finish(&mut engine, &mut generation);
        let next = [&prompt[..50], generation.ids(), &text(8, 2)].concat();
        // A GPU had run the last token when it was shown.
        let last = usize::from(device.gpu_use().is_none());
        asserts_same(&mut engine, &mut fresh, &request(&next, 4), last + 8, "after a cancel in the answer");
    }
}

#[test]
fn a_superseded_answer_and_a_forgotten_one_leave_nothing_wrong() {
    let device = OpenDevice::cpu();
    let (mut engine, mut fresh) = (load(&device), load(&device));
    let (one, two) = (text(40, 1), text(40, 2));
    let mut early = engine.start(request(&one, 9)).expect("a request");
    pollster::block_on(engine.next_token(&mut early)).expect("a step");
    // Refused requests touch nothing.
    assert!(engine.start(request(&[], 9)).is_err() && engine.start(request(&text(4000, 1), 9)).is_err());
    pollster::block_on(engine.next_token(&mut early)).expect("a refused request supersedes nothing");
    let ids = asserts_same(&mut engine, &mut fresh, &request(&two, 6), 40, "a later request");
    assert!(pollster::block_on(engine.next_token(&mut early)).is_err());
    asserts_same(&mut engine, &mut fresh, &request(&two, 6), 1, "after the superseded one was refused");

    // An answer that was begun elsewhere is a prompt like any other.
    let begun = Request { begun: Begun::Ids(ids[..3].to_vec()), ..request(&two, 3) };
    let (generation, ran) = answer(&mut engine, begun.clone());
    assert_eq!((generation.ids(), ran), (&ids[3..], 1));
    assert_eq!(generation.timings().cached_tokens, 40, "of the prompt");
    let mut running = engine.start(request(&two, 6)).expect("a request");
    pollster::block_on(engine.next_token(&mut running)).expect("a step");
    engine.forget();
    let error = pollster::block_on(engine.next_token(&mut running)).expect_err("its past is forgotten");
    assert_eq!(error.code(), "superseded");
    assert_eq!(answer(&mut engine, begun).1, 43);
}

/// On a CPU it makes no difference, not in a bit, whether tokens came one by one or run again together: an answer that goes on
/// in a fresh engine cannot turn at a near tie.
#[test]
fn a_replayed_answer_goes_on_with_the_same_bits() {
    let device = OpenDevice::cpu();
    for kind in [GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q5_0, GgmlType::Q5_1, GgmlType::Q8_0] {
        let model = TinyModel { architecture: "llama", kind, kv_heads: 2, context_tokens: 2048, seed: 4 }.build();
        let load = Engine::load(&model, device.clone(), LoadOptions::default(), |_| {});
        let mut engine = pollster::block_on(load).expect("it loads");
        let mut bits = |begun: &[u32]| {
            engine.forget();
            let begun = Begun::Ids(begun.to_vec());
            let mut generation = engine.start(Request { begun, ..request(&text(500, 1), 40) }).expect("a request");
            let mut steps = Vec::new();
            while let Some(step) = pollster::block_on(engine.next_token(&mut generation)).expect("a step") {
                steps.push((step.id, step.logprob.to_bits()));
            }
            steps
        };
        let whole = bits(&[]);
        let ids: Vec<_> = whole.iter().map(|(id, _)| *id).collect();
        for replayed in [1, 7, 20, 30] {
            let rest = bits(&ids[..replayed]);
            assert_eq!(rest[..ids.len() - replayed], whole[replayed..], "{replayed} of {} replayed, {kind}", ids.len());
        }
    }
}

/// Steps are recorded where no penalties look at a growing history: one too small to matter prevents it.
#[test]
fn a_recorded_step_draws_what_any_step_draws() {
    let device = devices().pop().expect("a backend");
    let mut engine = load(&device);
    let mut ids = |prompt: &[u32], sampling: Sampling| {
        engine.forget();
        answer(&mut engine, Request { sampling, ..request(prompt, 20) }).0.ids().to_vec()
    };
    let noisy = |seed| Sampling { temperature: 1.5, top_k: 40, seed, ..Sampling::greedy() };
    // The record is of the last way to draw; another temperature or filter needs another.
    for sampling in [Sampling::greedy(), noisy(1), noisy(2), Sampling { top_p: 0.9, ..noisy(3) }, Sampling::greedy()] {
        for prompt in [text(300, 1), text(7, 2)] {
            let unrecorded = Sampling { presence_penalty: 1e-30, ..sampling };
            assert_eq!(ids(&prompt, sampling), ids(&prompt, unrecorded), "{sampling:?}");
        }
    }
}

#[test]
fn a_conversation_fills_the_context_to_its_end() {
    let device = OpenDevice::cpu();
    let options = || LoadOptions { context_tokens: Some(64), ..LoadOptions::default() };
    let file = inshore_model::testing::tiny_llama(4);
    let load = || pollster::block_on(Engine::load(&file, device.clone(), options(), |_| {})).expect("it loads");
    let (mut engine, mut fresh) = (load(), load());
    let mut conversation = text(30, 1);
    for new in [30, 11, 11] {
        let unlimited = Request { max_tokens: None, ..request(&conversation, 0) };
        let limited = if conversation.len() < 52 { request(&conversation, 1) } else { unlimited };
        let ids = asserts_same(&mut engine, &mut fresh, &limited, new, "a turn");
        conversation.extend(&ids);
        conversation.extend(text(10, ids.len()));
    }
    assert!(conversation.len() >= 64);
}

#[test]
fn each_kept_conversation_goes_on_where_it_was() {
    let device = OpenDevice::cpu();
    let file = inshore_model::testing::tiny_llama(4);
    let load = |conversations| {
        let options = LoadOptions { conversations, ..LoadOptions::default() };
        pollster::block_on(Engine::load(&file, device.clone(), options, |_| {})).expect("it loads")
    };
    let (mut engine, mut fresh) = (load(Some(3)), load(None));
    assert_eq!(engine.info().kv_bytes, 3 * fresh.info().kv_bytes);
    let mut asserts = |conversation: &mut Vec<u32>, ran: usize, what: &str| {
        let ids = asserts_same(&mut engine, &mut fresh, &request(conversation, 4), ran, what);
        conversation.extend(ids);
        conversation.extend(text(7, 6));
    };
    // The same system prompt, shorter than half of what follows it.
    let system = text(12, 1);
    let mut talks = [2, 3, 4, 5].map(|seed| [system.as_slice(), &text(30, seed)].concat());
    let [one, two, three, four] = &mut talks;
    asserts(one, 42, "the first begins");
    asserts(two, 42, "the second begins in memory of its own");
    asserts(one, 1 + 7, "the first goes on");
    asserts(three, 42, "the third begins");
    asserts(two, 1 + 7, "the second goes on");
    asserts(one, 1 + 7, "the first goes on again");
    // What is replaced begins with the system prompt, too.
    asserts(four, 30, "the fourth takes the place of the third");
    asserts(two, 1 + 7, "the second is still there");
    let new = three.len() - system.len();
    asserts(three, new, "the third was forgotten, and takes the place of the first");
    asserts(four, 1 + 7, "the fourth goes on");
    let new = one.len() - system.len();
    asserts(one, new, "the first was forgotten");
}

#[test]
fn a_rate_is_that_of_the_tokens_that_ran() {
    let mut engine = load(&OpenDevice::cpu());
    let prompt = text(600, 1);
    let (first, _) = answer(&mut engine, request(&prompt, 2));
    let rate = |generation: &Generation, ran: f64| {
        let timings = generation.timings();
        (timings.prefill_tps, ran / timings.ttft_ms * 1e3)
    };
    let (told, expected) = rate(&first, 600.0);
    assert!((told / expected - 1.0).abs() < 1e-6);
    let longer = [prompt.as_slice(), first.ids(), &text(100, 2)].concat();
    let (second, _) = answer(&mut engine, request(&longer, 2));
    let (told, expected) = rate(&second, 101.0);
    assert!((told / expected - 1.0).abs() < 1e-6);
    // One token's time is that of a step: no measurement of prefill.
    assert_eq!(answer(&mut engine, request(&longer, 2)).0.timings().prefill_tps, 0.0);
}

#[test]
fn a_score_is_what_the_answers_say() {
    for device in devices() {
        let mut engine = load(&device);
        // More than a piece of scores, and one token more than whole pieces.
        let prompt = text(129, 1);
        let scores = pollster::block_on(engine.score(&prompt)).expect("scores");
        assert_eq!(scores.len(), 128);
        for cut in [1, 2, 17, 64, 65, 128] {
            let asked = Request { top_logprobs: 20, max_tokens: Some(1), ..request(&prompt[..cut], 1) };
            let mut generation = engine.start(asked).expect("a request");
            let step = pollster::block_on(engine.next_token(&mut generation)).expect("a step").expect("a token");
            match step.top.iter().find(|(id, _)| *id == prompt[cut]) {
                Some((_, logprob)) => assert!((scores[cut - 1] - logprob).abs() < 1e-2, "{cut}"),
                None => assert!(scores[cut - 1] <= step.top[19].1 + 1e-2, "{cut}"),
            }
        }
        assert!(pollster::block_on(engine.score(&prompt[..1])).expect("no score").is_empty());
        assert_eq!(pollster::block_on(engine.score(&[])).expect_err("nothing").code(), "empty_prompt");
        assert_eq!(pollster::block_on(engine.score(&[1 << 20])).expect_err("no token").code(), "unknown_token");
        assert_eq!(pollster::block_on(engine.score(&text(2050, 1))).expect_err("too long").code(), "prompt_too_long");
        assert_eq!(pollster::block_on(engine.score(&text(2048, 1))).expect("the whole context").len(), 2047);
    }
}
