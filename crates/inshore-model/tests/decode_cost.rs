//! What a decode step asks of a GPU beside its arithmetic, counted.
#![cfg(feature = "gpu")]

use inshore_model::testing::tiny_llama;
use inshore_model::{DeviceChoice, Engine, GpuPlan, LoadOptions, OpenDevice, PlanChoice, Prompt, Request, Sampling};

/// Layers of the tiny model.
const LAYERS: u64 = 2;
/// Steps that bring pools and caches to their size.
const WARM_STEPS: usize = 8;

/// Dispatches of a step, by the cubes that share a context: parts are joined by one more a layer.
const fn step_dispatches(context_parts: usize) -> u64 {
    (if context_parts > 1 { 6 } else { 5 }) * LAYERS + 4
}

// One test: the counters are the process's.
#[test]
fn a_step_on_a_gpu() {
    pollster::block_on(async {
        let device = OpenDevice::open(DeviceChoice::Gpu).await.expect("a GPU; llvmpipe (mesa-vulkan-drivers) will do");
        for (ahead, context_parts) in [(1, 1), (3, 1), (2, 4)] {
            let plan = PlanChoice::Fixed(GpuPlan { context_parts, ..GpuPlan::FALLBACK });
            let options = LoadOptions { steps_ahead: Some(ahead), plan, ..LoadOptions::default() };
            let engine = Engine::load(&tiny_llama(7), device.clone(), options, |_| {}).await.expect("it loads");
            let mut run = Run { engine, device: &device, ahead, step: step_dispatches(context_parts) };
            run.is_few_dispatches_and_no_new_buffer().await;
            run.is_launched_before_the_token_behind_it_is_read().await;
        }
        each_model_computes_by_its_own_plan(&device).await;
    });
}

/// A plan is chosen for a model; the device serves several.
async fn each_model_computes_by_its_own_plan(device: &OpenDevice) {
    let load = async |context_parts, seed| {
        let plan = PlanChoice::Fixed(GpuPlan { context_parts, ..GpuPlan::FALLBACK });
        let options = LoadOptions { plan, ..LoadOptions::default() };
        Engine::load(&tiny_llama(seed), device.clone(), options, |_| {}).await.expect("it loads")
    };
    let (mut one, mut other) = (load(1, 7).await, load(4, 8).await);
    for _ in 0..2 {
        for (engine, context_parts) in [(&mut one, 1), (&mut other, 4)] {
            engine.forget();
            let mut generation = engine.start(request(Sampling::greedy())).expect("a request");
            engine.step(&mut generation).await.expect("a step");
            assert_eq!(device.plan().map(|plan| plan.context_parts), Some(context_parts));
        }
    }
}

fn request(sampling: Sampling) -> Request {
    Request { sampling, ..Request::new(Prompt::Raw("hello".into())) }
}

/// A loaded engine and what a step of it costs.
struct Run<'a> {
    engine: Engine,
    device: &'a OpenDevice,
    ahead: usize,
    step: u64,
}

impl Run<'_> {
    /// `qkv_rope`, `attention`, `linear_add`, `gated_mlp` and `linear_add` per layer; `embed`, `logits` (two) and `sample` beside.
    async fn is_few_dispatches_and_no_new_buffer(&mut self) {
        let Self { engine, device, ahead, step } = self;
        let warm = Sampling { temperature: 0.9, top_k: 5, frequency_penalty: 0.1, ..Sampling::greedy() };
        for (sampling, grows) in [(Sampling::greedy(), false), (warm, true)] {
            let mut generation = engine.start(request(sampling)).expect("a request");
            let (mut steps, mut most_buffers) = (0, None);
            let mut before = device.gpu_use().expect("a GPU");
            while steps < 24 && engine.next_token(&mut generation).await.expect("a step").is_some() {
                let after = device.gpu_use().expect("a GPU");
                steps += 1;
                if steps <= WARM_STEPS {
                    most_buffers = most_buffers.max(after.buffers);
                } else {
                    assert_eq!(after.dispatches - before.dispatches, *step, "step {steps}");
                    // A history of tokens grows now and then; without one nothing may, but for the driver's copy of a position for
                    // each step that it has not finished.
                    if !grows {
                        let most = most_buffers.map(|most| most + *ahead);
                        assert!(
                            after.buffers <= most,
                            "{:?} buffers after step {steps}, were {most_buffers:?}",
                            after.buffers
                        );
                    }
                }
                before = after;
            }
            assert!(steps > WARM_STEPS + 2, "the answer ended after {steps} steps");
            println!("{before:?} after {steps} steps");
        }
    }

    /// When a token is there, the device computes the next one already; but none that the answer cannot have.
    async fn is_launched_before_the_token_behind_it_is_read(&mut self) {
        let Self { engine, device, ahead, step } = self;
        let penalised = Sampling { frequency_penalty: 0.1, ..Sampling::greedy() };
        for (sampling, ahead) in [(Sampling::greedy(), *ahead as u64), (penalised, 0)] {
            let request = Request { max_tokens: Some(7), ..request(sampling) };
            let mut generation = engine.start(request).expect("a request");
            let mut launched = Vec::new();
            let mut before = device.gpu_use().expect("a GPU").dispatches;
            while engine.next_token(&mut generation).await.expect("a step").is_some() {
                let after = device.gpu_use().expect("a GPU").dispatches;
                launched.push((after - before) / *step);
                before = after;
            }
            // Six steps behind the prompt: all of them, and none that the answer cannot have.
            let expected: Vec<_> =
                (0..6u64).map(|at| if at == 0 { 1 + ahead } else { u64::from(at + ahead < 6) }).collect();
            assert_eq!(launched[1..], expected, "{ahead} ahead, behind the prompt");
        }
    }
}
