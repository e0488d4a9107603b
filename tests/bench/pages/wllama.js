// wllama, in its best setting: on the CPU without flash attention and with an f32 cache, where decode keeps its speed as the
// context grows; on a GPU with its defaults.
import { Wllama } from '/node_modules/@wllama/wllama/esm/index.js';

const GREEDY = {
  temperature: 0,
  temp: 0,
  top_k: 1,
  samplers_sequence: ['top_k'],
  penalty_repeat: 1,
  seed: 1,
  cache_prompt: false,
};

/** Its GPU back end gives up after 30 s of waiting: on a software GPU prompts go in pieces of so many tokens. */
const PATIENT_TOKENS = 16;

const log = [];
const note = (...words) => log.push(words.map(String).join(' '));
const logger = { debug: note, log: note, warn: note, error: note };
let runtime;

window.peer = {
  async load({ threads, gpu, context_tokens }) {
    const paths = { default: '/node_modules/@wllama/wllama/esm/wasm/wllama.wasm' };
    runtime = new Wllama(paths, { logger, suppressNativeLog: false });
    const blob = await (await fetch('/model.gguf')).blob();
    const began = performance.now();
    await runtime.loadModel([new File([blob], 'model.gguf')], {
      n_ctx: context_tokens,
      n_batch: gpu === 'software' ? PATIENT_TOKENS : context_tokens,
      n_threads: threads,
      n_gpu_layers: gpu === 'none' ? 0 : 99999,
      n_parallel: 1,
      warmup: false,
      ...(gpu === 'none' ? { flash_attn: false, cache_type_k: 'f32', cache_type_v: 'f32' } : {}),
    });
    return { load_ms: performance.now() - began, threads: runtime.getNumThreads() };
  },

  /** Takes text, not ids; ids come back only with log-probabilities, which cost time. So the text is compared. */
  async generate({ text: prompt }, count) {
    const times = [];
    let text = '';
    const began = performance.now();
    const onData = ({ choices }) => {
      const choice = choices?.[0];
      if (choice?.text === undefined || choice.finish_reason) return;
      times.push(performance.now() - began);
      text += choice.text;
    };
    await runtime.createCompletion({ prompt, max_tokens: count, stream: true, ...GREEDY, onData });
    return { times, text, backend: backend() };
  },
};

/** When its GPU back end does not come up, wllama computes on the CPU and says nothing. */
function backend() {
  return log.some((line) => /WebGPU model buffer size/.test(line)) ? 'WebGPU' : 'WASM';
}
