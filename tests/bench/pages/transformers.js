// transformers.js on ONNX Runtime Web, with the ONNX that onnx/make_onnx.py makes of the same weights.
import {
  AutoModelForCausalLM,
  env,
  Tensor,
} from '/node_modules/@huggingface/transformers/dist/transformers.min.js';

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = '/onnx/';
env.useBrowserCache = false;
env.useWasmCache = false;
let model;
let backend;

window.peer = {
  async load({ threads, gpu, dtype }) {
    env.backends.onnx.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
    env.backends.onnx.wasm.numThreads = threads;
    const device = gpu === 'none' ? 'wasm' : 'webgpu';
    backend = device === 'wasm' ? 'WASM' : 'WebGPU';
    const began = performance.now();
    model = await AutoModelForCausalLM.from_pretrained('smollm2', { device, dtype });
    return { load_ms: performance.now() - began, threads: env.backends.onnx.wasm.numThreads };
  },

  async generate({ ids: prompt }, count) {
    const times = [];
    const ids = [];
    const shape = [1, prompt.length];
    const input_ids = new Tensor('int64', BigInt64Array.from(prompt.map(BigInt)), shape);
    const attention_mask = new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), shape);
    const began = performance.now();
    let isPrompt = true;
    const streamer = {
      put(tokens) {
        // The first call hands over the prompt.
        if (!isPrompt) {
          times.push(performance.now() - began);
          ids.push(...tokens.flat().map(Number));
        }
        isPrompt = false;
      },
      end() {},
    };
    await model.generate({ input_ids, attention_mask, max_new_tokens: count, do_sample: false, streamer });
    return { times, ids, backend };
  },
};
