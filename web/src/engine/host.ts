/// <reference lib="webworker" />
import type { Engine, Generation } from '#cpu-wasm';
import { InshoreError } from '../error';
import { openStored } from '../store/files';
import type { StoredKey } from '../store/protocol';
import type { Handlers } from '../worker-port';
import { isFatal, panicOf } from './crash';
import { type OpenedDevice, openDevice } from './device';
import { HEAD_BYTES } from './head';
import { engineModule } from './instance';
import { kvFormat } from './kv-format';
import { planChoice, rememberPlan } from './plans';
import type { DeviceChoice, EngineCalls, EngineEvent, LoadSettings, ModelInfo } from './protocol';

/** A generation that a client asked for. It runs, or waits for the engine. */
interface QueuedGeneration {
  client: Client;
  /** Number that the client gave it. */
  generationId: number;
  stopped: boolean;
  /** Steps carry the bytes of their tokens. */
  withBytes: boolean;
}

interface Client {
  post(event: EngineEvent): void;
  slowness: number;
}

/**
 * The engine of a worker: one device for life, one model and one generation at a time. A dedicated worker has one
 * client, a shared one a client for each tab; their answers queue for the engine.
 */
export class EngineHost {
  readonly #clients = new Set<Client>();
  readonly #onFatal: (error: unknown) => void;
  #device: Promise<OpenedDevice> | undefined;
  #loaded: { key: StoredKey; settings: LoadSettings; engine: Promise<Engine> } | undefined;
  #queue: QueuedGeneration[] = [];
  /** Ends when the engine is free. */
  #turn: Promise<void> = Promise.resolve();

  /** `onFatal` is called when the engine's module is broken; the worker must end then. */
  constructor(onFatal: (error: unknown) => void) {
    this.#onFatal = onFatal;
  }

  /** Adds a client and returns the handlers of its calls. Call `leave` when the client is gone. */
  connect(post: (event: EngineEvent) => void): { calls: Handlers<EngineCalls>; leave: () => void } {
    const client: Client = { post, slowness: 1 };
    this.#clients.add(client);
    const calls: Handlers<EngineCalls> = {
      open: async ({ device, threads }) => (await this.#open(device, threads)).report,
      load: ({ key, ...settings }) => this.#load(client, key, settings),
      start: ({ generation, request }) => {
        const withBytes = request.topLogprobs !== undefined;
        return this.#start({ client, generationId: generation, stopped: false, withBytes }, request);
      },
      stop: ({ generation }) => {
        for (const queued of this.#queue)
          if (queued.client === client && queued.generationId === generation) queued.stopped = true;
        return undefined;
      },
      info: async () => (await this.#engine()).info(),
      memory: async () => (await this.#device)?.module.memoryBytes() ?? 0,
      shape: async ({ of }) => {
        const { modelShape } = (await this.#device)?.module ?? (await engineModule('cpu'));
        return modelShape(of instanceof Uint8Array ? of : await (await openStored(of)).read(0, HEAD_BYTES));
      },
      probe: async ({ shape, contextTokens, kvCache }) => {
        if (this.#device === undefined) throw noDevice();
        if (this.#queue.length > 0) throw busy();
        const { device, module } = await this.#device;
        return module.probe(device, shape, contextTokens, kvCache);
      },
      slowDown: ({ factor }) => {
        client.slowness = Math.max(1, factor);
        return undefined;
      },
    };
    const leave = (): void => {
      this.#clients.delete(client);
      for (const queued of this.#queue) if (queued.client === client) queued.stopped = true;
    };
    return { calls, leave };
  }

  /** Opens the device once, as wgpu cannot be registered twice. Later callers get the same device, if it is what they ask for. */
  async #open(choice: DeviceChoice, threads?: number): Promise<OpenedDevice> {
    if (this.#device === undefined) {
      this.#device = openDevice(choice, threads);
      // A device that did not open leaves room for another try.
      this.#device.catch(() => {
        this.#device = undefined;
      });
      return this.#device;
    }
    const opened = await this.#device;
    const kind = opened.report.backend === 'wgpu' ? 'gpu' : 'cpu';
    if (choice !== 'auto' && choice !== kind) {
      throw new InshoreError(
        'device_already_open',
        'This worker has another device. Start a fresh worker for the one that you want.',
      );
    }
    return opened;
  }

  async #load(client: Client, key: StoredKey, settings: LoadSettings): Promise<ModelInfo> {
    if (this.#device === undefined) throw noDevice();
    const loaded = this.#loaded;
    if (loaded?.key === key && same(loaded.settings, settings)) return (await loaded.engine).info();
    if (loaded !== undefined && this.#clients.size > 1) {
      throw new InshoreError(
        'engine_in_use',
        'Another tab uses the shared engine with another model. Use a worker of your own.',
      );
    }
    if (this.#queue.length > 0) throw busy();
    const engine = this.#replace(loaded?.engine, key, settings, client);
    this.#loaded = { key, settings, engine };
    try {
      return (await engine).info();
    } catch (error) {
      if (this.#loaded?.engine === engine) this.#loaded = undefined;
      throw error;
    }
  }

  /** The old model goes first: two do not fit where one does. */
  async #replace(
    old: Promise<Engine> | undefined,
    key: StoredKey,
    settings: LoadSettings,
    client: Client,
  ): Promise<Engine> {
    (await old?.catch(() => undefined))?.free();
    const { device, module, report } = await this.#open('auto');
    const source = await openStored(key);
    const { contextTokens, exact, kvCache } = settings;
    const plan = report.backend === 'wgpu' ? await planChoice(settings) : undefined;
    const options = { contextTokens, exact, kvCache, plan };
    const loading = module.Engine.load(device, source, options, (doneBytes, totalBytes) =>
      client.post({ type: 'load_progress', doneBytes, totalBytes }),
    );
    // A damaged file is the store's to report, not a failed read of the engine's.
    const engine = await source.guard(loading);
    const measured = engine.measuredPlan();
    if (measured !== undefined) await rememberPlan(measured);
    return engine;
  }

  async #start(
    queued: QueuedGeneration,
    request: EngineCalls['start']['in']['request'],
  ): Promise<{ promptIds: number[] }> {
    const engine = await this.#engine();
    if (this.#queue.some((other) => other.client === queued.client)) throw busy();
    this.#queue.push(queued);
    const before = this.#turn;
    let free = (): void => {};
    this.#turn = new Promise((resolve) => {
      free = () => {
        this.#queue = this.#queue.filter((other) => other !== queued);
        resolve();
      };
    });
    await before;
    try {
      const generation = engine.start(request);
      const promptIds = Array.from(generation.promptIds());
      // Not awaited: the reply goes out first, the tokens follow as events.
      void generate({ engine, generation, queued, free, onFatal: this.#onFatal });
      return { promptIds };
    } catch (error) {
      free();
      throw error;
    }
  }

  async #engine(): Promise<Engine> {
    if (this.#loaded === undefined) throw new InshoreError('no_model', 'Load a model before asking it.');
    return this.#loaded.engine;
  }
}

interface Running {
  engine: Engine;
  generation: Generation;
  queued: QueuedGeneration;
  /** Lets the next answer begin. */
  free(): void;
  onFatal(error: unknown): void;
}

async function generate({ engine, generation, queued, free, onFatal }: Running): Promise<void> {
  const { client, generationId } = queued;
  try {
    for (;;) {
      // The SIMD engine never yields by itself; a macrotask lets `stop` in before every token and every part of the prompt.
      await macrotask();
      if (queued.stopped) generation.cancel();
      const started = performance.now();
      const step = await engine.step(generation);
      if (client.slowness > 1) await sleep((client.slowness - 1) * (performance.now() - started));
      if (step === undefined) break;
      if ('prefill' in step) {
        client.post({ type: 'prefill', generation: generationId, progress: step.prefill });
        continue;
      }
      if (queued.withBytes) {
        step.bytes = [step.id, ...step.top.map(([id]) => id)].map((id) => engine.tokenBytes(id));
      }
      client.post({ type: 'step', generation: generationId, step });
    }
    const finishReason = generation.finishReason();
    if (finishReason === undefined) {
      throw new InshoreError('internal', 'The engine ended an answer without a reason. Please report this.');
    }
    const end = { finishReason, timings: generation.timings() };
    generation.free();
    free();
    client.post({ type: 'finished', generation: generationId, end });
  } catch (error) {
    if (isFatal(error)) {
      // The failed request gets its own error before all clients learn that the worker is gone.
      client.post({ type: 'failed', generation: generationId, error: InshoreError.toWire(panicOf(error)) });
      onFatal(error);
      return;
    }
    generation.free();
    free();
    client.post({ type: 'failed', generation: generationId, error: InshoreError.toWire(error) });
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

const same = (a: LoadSettings, b: LoadSettings): boolean =>
  a.contextTokens === b.contextTokens &&
  (a.exact ?? false) === (b.exact ?? false) &&
  kvFormat(a) === kvFormat(b) &&
  a.gpuPlan === b.gpuPlan &&
  (a.tune ?? 'auto') === (b.tune ?? 'auto');

const noDevice = (): InshoreError =>
  new InshoreError('no_device', 'Open a device before loading or probing.');

const busy = (): InshoreError =>
  new InshoreError('busy', 'An answer is being generated. Stop it or wait for its end.');
