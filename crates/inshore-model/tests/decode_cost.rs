//! What a decode step asks of a GPU beside its arithmetic, counted.

use inshore_model::testing::tiny_llama;
use inshore_model::{DeviceChoice, Engine, LoadOptions, OpenDevice, Prompt, Request, Sampling};

/// Layers of the tiny model.
const LAYERS: u64 = 2;
/// Steps that bring pools and caches to their size.
const WARM_STEPS: usize = 4;

/// `qkv_rope`, `attention`, `linear_add`, `gated_mlp` and `linear_add` per layer; `embed`, `logits` (two) and `sample` beside.
#[test]
fn a_step_is_five_dispatches_a_layer_and_four_more_and_no_new_buffer() {
    pollster::block_on(async {
        let device = OpenDevice::open(DeviceChoice::Gpu).await.expect("a GPU; llvmpipe (mesa-vulkan-drivers) will do");
        let mut engine =
            Engine::load(&tiny_llama(7), device.clone(), LoadOptions::default(), |_| {}).await.expect("it loads");
        let warm = Sampling { temperature: 0.9, top_k: 5, frequency_penalty: 0.1, ..Sampling::greedy() };
        for (sampling, grows) in [(Sampling::greedy(), false), (warm, true)] {
            let request = Request { sampling, ..Request::new(Prompt::Raw("hello".into())) };
            let mut generation = engine.start(request).expect("a request");
            let mut steps = 0;
            let mut before = device.gpu_use().expect("a GPU");
            while steps < 24 && engine.step(&mut generation).await.expect("a step").is_some() {
                let after = device.gpu_use().expect("a GPU");
                steps += 1;
                if steps > WARM_STEPS {
                    assert_eq!(after.dispatches - before.dispatches, 5 * LAYERS + 4, "step {steps}");
                    // A history of tokens grows now and then; without one nothing may.
                    if !grows {
                        assert_eq!(after.buffers, before.buffers, "buffers after step {steps}");
                    }
                }
                before = after;
            }
            assert!(steps > WARM_STEPS + 2, "the answer ended after {steps} steps");
            println!("{before:?} after {steps} steps");
        }
    });
}
