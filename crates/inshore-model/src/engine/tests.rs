use super::*;
use crate::{Sampling, testing::tiny_llama};

/// In a browser a step waits for its readback; its caller may give it up there, and call the next one.
#[test]
fn a_step_that_was_given_up_is_made_again() {
    pollster::block_on(async {
        let options = LoadOptions::default();
        let mut engine = Engine::load(&tiny_llama(4), OpenDevice::cpu(), options, |_| {}).await.unwrap();
        let request = || Request {
            max_tokens: Some(6),
            sampling: Sampling::greedy(),
            ..Request::new(Prompt::Raw("What the sea says".into()))
        };
        let mut whole = engine.start(request()).unwrap();
        while engine.next_token(&mut whole).await.unwrap().is_some() {}
        engine.forget();
        let mut broken = engine.start(request()).unwrap();
        while engine.next_token(&mut broken).await.unwrap().is_some() {
            let id = *broken.log.last().unwrap();
            // As a step leaves it that has fed its token, and no more.
            let next = broken.next.take().unwrap();
            engine.model.forward(next, &[id], engine.conversations.current());
            let before = engine.tokens_run();
            engine.next_token(&mut broken).await.unwrap();
            assert!(engine.tokens_run() <= before + 1, "only the token whose logits are needed");
        }
        assert_eq!(broken.ids(), whole.ids());
        assert_eq!(broken.timings().cached_tokens, 0, "its own tokens are not from before");
    });
}

fn load() -> Engine {
    pollster::block_on(Engine::load(&tiny_llama(4), OpenDevice::cpu(), LoadOptions::default(), |_| {})).unwrap()
}

fn ids(engine: &mut Engine, prompt: &[u32]) -> Vec<u32> {
    let request =
        Request { max_tokens: Some(6), sampling: Sampling::greedy(), ..Request::new(Prompt::Ids(prompt.to_vec())) };
    let mut generation = engine.start(request).unwrap();
    while pollster::block_on(engine.next_token(&mut generation)).unwrap().is_some() {}
    generation.ids().to_vec()
}

/// A kernel that panics has taken a layer's keys and values along.
#[test]
fn a_panic_in_a_step_ends_its_request_and_no_other() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let (prompt, expected) = ([72, 101, 108, 108, 111], ids(&mut load(), &[72, 101, 108, 108, 111]));
    let mut engine = load();
    for (steps, streams) in [(0, "in the prompt"), (1, "in the first token's step"), (3, "later")] {
        let request = Request { sampling: Sampling::greedy(), ..Request::new(Prompt::Ids(prompt.to_vec())) };
        let mut generation = engine.start(request).unwrap();
        for _ in 0..steps {
            pollster::block_on(engine.next_token(&mut generation)).unwrap();
        }
        let sound = engine.model.rope.clone();
        engine.model.rope = Tensor::zeros([1, 1], (&engine.device.device, DType::F32));
        let panicked = catch_unwind(AssertUnwindSafe(|| pollster::block_on(engine.step(&mut generation))));
        assert!(panicked.is_err(), "{streams}");
        engine.model.rope = sound;
        assert!(!engine.is_broken());
        assert_eq!(pollster::block_on(engine.step(&mut generation)).unwrap_err().code(), "superseded");
        assert_eq!(ids(&mut engine, &prompt), expected, "after a panic {streams}");
    }
    // Scores are guarded alike.
    let scores = pollster::block_on(engine.score(&prompt)).unwrap();
    let sound = engine.model.rope.clone();
    engine.model.rope = Tensor::zeros([1, 1], (&engine.device.device, DType::F32));
    assert!(catch_unwind(AssertUnwindSafe(|| pollster::block_on(engine.score(&prompt)))).is_err());
    engine.model.rope = sound;
    assert_eq!(pollster::block_on(engine.score(&prompt)).unwrap(), scores);
}

#[test]
fn a_lost_device_breaks_the_engine_for_good() {
    let mut engine = load();
    pollster::block_on(engine.note_failure(&error::lost("the cable was pulled")));
    assert!(engine.is_broken());
    let error = engine.start(Request::new(Prompt::Ids(vec![1]))).unwrap_err();
    assert!(error.code() == "device_lost" && error.to_string().contains("the cable was pulled"), "{error}");
    assert!(pollster::block_on(engine.score(&[1, 2])).is_err());
}

/// On a GPU that `auto` chose, `q8_0` gives way; one that was asked for refuses it.
#[test]
fn a_kv_format_that_the_device_lacks_gives_way_only_where_the_device_was_left_open() {
    let on = |backend, is_automatic| {
        let mut device = OpenDevice::cpu();
        (device.backend, device.is_automatic) = (backend, is_automatic);
        KvCache::format_on(KvFormat::Q8_0, &device)
    };
    let found = on(BackendKind::Wgpu, true).unwrap();
    assert!(found.format == KvFormat::F16 && found.note.unwrap().contains("q8_0"));
    assert_eq!(on(BackendKind::Wgpu, false).unwrap_err().code(), "kv_cache_not_on_gpu");
    for is_automatic in [true, false] {
        let found = on(BackendKind::Flex, is_automatic).unwrap();
        assert!(found.format == KvFormat::Q8_0 && found.note.is_none());
    }
}
