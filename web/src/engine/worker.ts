/// <reference lib="webworker" />
// The engine worker: owns the wasm engine, one model and one generation at a time.
import init, { Engine, type Generation, memoryBytes, modelShape, probe } from '#wasm';
import wasmUrl from '#wasm-bytes?url';
import { InshoreError } from '../error';
import { openStored } from '../store/files';
import { answerCalls } from '../worker-port';
import { type OpenedDevice, openDevice } from './device';
import type { EngineCalls, EngineEvent } from './protocol';

declare const self: DedicatedWorkerGlobalScope;

let initialised: Promise<void> | undefined;
let opened: OpenedDevice | undefined;
let engine: Engine | undefined;
let slowness = 1;
let running: { number: number; stopped: boolean } | undefined;

const post = answerCalls<EngineCalls, EngineEvent>(self, {
  async shape({ prefix }) {
    await initEngine();
    return modelShape(prefix);
  },

  async probe({ shape, contextTokens }) {
    if (opened === undefined) throw new InshoreError('no_device', 'Open a device before probing it.');
    if (running !== undefined) throw busy();
    return probe(opened.device, shape, contextTokens);
  },

  slowDown({ factor }) {
    slowness = Math.max(1, factor);
    return undefined;
  },

  async open({ device }) {
    if (opened !== undefined) {
      throw new InshoreError(
        'device_already_open',
        'This worker has its device. Start a fresh worker for another one.',
      );
    }
    await initEngine();
    opened = await openDevice(device);
    return opened.report;
  },

  async load({ key, contextTokens }) {
    if (opened === undefined) throw new InshoreError('no_device', 'Open a device before loading a model.');
    if (running !== undefined) throw busy();
    // The old model goes first: two do not fit where one does.
    engine?.free();
    engine = undefined;
    const source = await openStored(key);
    const loading = Engine.load(opened.device, source, { contextTokens }, (doneBytes, totalBytes) =>
      post({ type: 'load_progress', doneBytes, totalBytes }),
    );
    // A damaged file is the store's to report, not a failed read of the engine's.
    engine = await source.guard(loading);
    return engine.info();
  },

  start({ generation: number, request }) {
    const ready = loaded();
    if (running !== undefined) throw busy();
    const generation = ready.start(request);
    running = { number, stopped: false };
    const promptIds = Array.from(generation.promptIds());
    // Not awaited: the reply goes out first, the tokens follow as events.
    void generate(ready, generation, running);
    return { promptIds };
  },

  stop({ generation: number }) {
    if (running?.number === number) running.stopped = true;
    return undefined;
  },

  info: () => loaded().info(),
  memory: () => memoryBytes(),
});

async function generate(
  ready: Engine,
  generation: Generation,
  run: { number: number; stopped: boolean },
): Promise<void> {
  const number = run.number;
  try {
    for (;;) {
      // The SIMD engine never yields by itself; a macrotask lets `stop` in before every token.
      await macrotask();
      if (run.stopped) generation.cancel();
      const started = performance.now();
      const step = await ready.step(generation);
      if (slowness > 1) await sleep((slowness - 1) * (performance.now() - started));
      if (step === undefined) break;
      post({ type: 'step', generation: number, step });
    }
    const finishReason = generation.finishReason();
    if (finishReason === undefined) {
      throw new InshoreError('internal', 'The engine ended an answer without a reason. Please report this.');
    }
    const end = { finishReason, timings: generation.timings() };
    running = undefined;
    post({ type: 'finished', generation: number, end });
  } catch (error) {
    running = undefined;
    post({ type: 'failed', generation: number, error: InshoreError.toWire(error) });
  } finally {
    generation.free();
  }
}

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];
port2.onmessage = () => waiting.shift()?.();

/** The next turn of the event loop; `setTimeout` would be held back to 4 ms. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    port1.postMessage(null);
  });
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Once per worker: a second instance would have memory and constructors of its own. */
function initEngine(): Promise<void> {
  initialised ??= instantiate();
  return initialised;
}

async function instantiate(): Promise<void> {
  try {
    await init({ module_or_path: wasmUrl });
  } catch (error) {
    throw new InshoreError(
      'engine_unavailable',
      'The engine (WebAssembly with SIMD) did not start. Check the connection, use a current browser, then reload the page.',
      { cause: error },
    );
  }
}

function loaded(): Engine {
  if (engine === undefined) throw new InshoreError('no_model', 'Load a model before asking it.');
  return engine;
}

function busy(): InshoreError {
  return new InshoreError('busy', 'An answer is being generated. Stop it or wait for its end.');
}
