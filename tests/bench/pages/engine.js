// Our engine itself, without worker and page around it: one build, one thread, any context.
let dispatches = 0;
if (globalThis.GPUComputePassEncoder) {
  const dispatch = GPUComputePassEncoder.prototype.dispatchWorkgroups;
  GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...counts) {
    dispatches += 1;
    return dispatch.apply(this, counts);
  };
}

let device, engine;

async function load({ build, gpu, context_tokens }) {
  const { default: init, Engine, EngineDevice } = await import(`/wasm/${build}.js`);
  await init({ module_or_path: `/wasm/${build}_bg.wasm` });
  device = await EngineDevice.open(gpu === 'none' ? 'cpu' : 'gpu');
  const file = await (await fetch('/model.gguf')).blob();
  const read = async (offset, length) =>
    new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
  const source = { size: file.size, read };
  engine = await Engine.load(device, source, { contextTokens: context_tokens }, () => {});
}

/** Answers `ids` with `tokens` tokens. Times of the steps in ms: until their readback waits, and until their token is here. */
async function answer(ids, tokens) {
  const generation = engine.start({ prompt: { ids }, maxTokens: tokens, sampling: { temperature: 0 } });
  const launched = [];
  const done = [];
  let before = 0;
  while (done.length < tokens) {
    const began = performance.now();
    const step = engine.step(generation);
    // The module polls in a microtask of its own, which is before this one in the queue, until it waits for its readback.
    await null;
    launched.push(performance.now() - began);
    if ((await step) === undefined) break;
    done.push(performance.now() - began);
    // The first step is the prompt's.
    if (done.length === 1) before = dispatches;
  }
  return { launched, done, dispatches: dispatches - before, device: device.name };
}

// The engine's errors are plain objects, of which Playwright shows nothing.
const readable =
  (work) =>
  async (...given) => {
    try {
      return await work(...given);
    } catch (error) {
      throw error instanceof Error ? error : new Error(error?.message ?? String(error));
    }
  };

window.load = readable(load);
window.answer = readable(answer);
