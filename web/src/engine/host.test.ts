import { afterEach, describe, expect, it, vi } from 'vitest';
import { joinedWorker } from '../joined-worker.testing';
import type { Handlers } from '../worker-port';
import { EngineClient } from './client';
import { ENGINE_FAULTS } from './crash';
import type { EngineCalls, EngineEvent, PrefillProgress } from './protocol';

const fake = vi.hoisted(() => ({ module: {} as Record<string, unknown> }));
vi.mock('./device', () => ({
  openDevice: async () => ({ device: {}, module: fake.module, report: { backend: 'flex', name: 'CPU' } }),
}));
vi.mock('./instance', () => ({ engineModule: async () => fake.module }));
vi.mock('../store/files', () => ({
  openStored: async () => ({ guard: (work: Promise<unknown>) => work, read: async () => new Uint8Array() }),
}));

/** What the test needs of `host.ts`, which is written for workers: TypeScript must not take their types for the page's. */
interface HostModule {
  EngineHost: new (
    onFatal: (error: unknown) => void,
  ) => {
    connect(post: (event: EngineEvent) => void): { calls: Handlers<EngineCalls> };
  };
}
const { EngineHost } = await vi.importActual<HostModule>('./host');

type Outcome =
  | { id: number; text: string; logprob: number; top: [] }
  | { prefill: PrefillProgress }
  | undefined;

afterEach(() => {
  globalThis.inshorePanic = undefined;
});

const token = (id: number): Outcome => ({ id, text: `t${id}`, logprob: 0, top: [] });
const part = (doneTokens: number): Outcome => ({ prefill: { doneTokens, totalTokens: 900 } });

/** The host with an engine whose steps the test gives; `start` may throw. */
async function openHost(step: (at: number) => Outcome | Promise<Outcome>, start: () => void = () => {}) {
  const seen = { steps: 0, cancelled: false, freed: 0, fatal: [] as unknown[] };
  class Generation {
    cancel = () => {
      seen.cancelled = true;
    };
    promptIds = () => new Uint32Array([1, 2]);
    finishReason = () => (seen.cancelled ? 'cancelled' : 'stop');
    timings = () => ({ ttftMs: 1 });
    free = () => {
      seen.freed += 1;
    };
  }
  const engine = {
    info: () => ({ contextTokens: 8 }),
    measuredPlan: () => undefined,
    free: () => {},
    start: () => {
      start();
      seen.steps = 0;
      seen.cancelled = false;
      return new Generation();
    },
    step: async () => (seen.cancelled ? undefined : step(seen.steps++)),
  };
  fake.module = { Engine: { load: async () => engine }, memoryBytes: () => 0 };
  const host = new EngineHost((error) => seen.fatal.push(error));
  const { calls } = host.connect((event) => post(event));
  const { worker, post } = joinedWorker<EngineCalls, EngineEvent>(calls);
  const client = new EngineClient(worker);
  await client.open('cpu');
  await client.load('k');
  return { client, seen };
}

const request = { prompt: { ids: [1] } };

describe('a prompt that runs in parts', () => {
  it('tells how far it is, before the first token', async () => {
    const { client } = await openHost((at) => [part(256), part(512), part(768), token(1)][at]);
    const answer = client.generate(request);
    const told: number[] = [];
    answer.onPrefill = ({ doneTokens }) => told.push(doneTokens);
    await answer.done;
    expect(told).toEqual([256, 512, 768]);
    expect(answer.ids).toEqual([1]);
  });

  it.each([1, 2, 3])('is cancelled after %i parts', async (parts) => {
    const { client, seen } = await openHost((at) => part(at + 1));
    const answer = client.generate(request);
    answer.onPrefill = ({ doneTokens }) => {
      if (doneTokens === parts) answer.stop();
    };
    await expect(answer.done).resolves.toMatchObject({ finishReason: 'cancelled' });
    // The word needs a turn of the event loop, not the rest of the prompt.
    expect(seen.steps).toBeLessThanOrEqual(parts + 3);
    expect(answer.ids).toEqual([]);
  });
});

describe('a request’s own fault leaves the engine as it is', () => {
  it.each(['invalid_argument', 'invalid_sampling', 'prompt_too_long', 'template_refused'])(
    '%s',
    async (code) => {
      let isBad = true;
      const { client, seen } = await openHost(
        (at) => (at === 0 ? token(1) : undefined),
        () => {
          if (isBad) throw { code, message: 'Not so.' };
        },
      );
      await expect(client.generate(request).done).rejects.toMatchObject({ code });
      isBad = false;
      await expect(client.generate(request).done).resolves.toMatchObject({ finishReason: 'stop' });
      expect(seen.fatal).toEqual([]);
    },
  );

  it('also what no worker can be sent', async () => {
    const { client } = await openHost((at) => (at === 0 ? token(1) : undefined));
    const sampling = { seed: (() => 1) as unknown as number };
    await expect(client.generate({ ...request, sampling }).done).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(client.generate(request).done).resolves.toMatchObject({ finishReason: 'stop' });
  });
});

describe('a bug of the engine', () => {
  it.each<[string, unknown]>([
    ['a trap', new WebAssembly.RuntimeError('unreachable')],
    ['a stack overflow', new RangeError('Maximum call stack size exceeded')],
    ['an exception that passed through the module', new TypeError('x is not a function')],
    ['what is not an error at all', 'boom'],
  ])('%s in a step is that request’s error, and the worker ends', async (_, thrown) => {
    globalThis.inshorePanic = 'index out of bounds';
    const { client, seen } = await openHost((at) => {
      if (at === 1) throw thrown;
      return token(at);
    });
    const answer = client.generate(request);
    await expect(answer.done).rejects.toMatchObject({
      code: 'engine_panicked',
      message: expect.stringContaining('index out of bounds'),
    });
    expect(answer.ids).toEqual([0]);
    expect(seen.fatal).toEqual([thrown]);
    // Nothing of the broken module is touched.
    expect(seen.freed).toBe(0);
  });

  it.each([
    ['a trap', new WebAssembly.RuntimeError('unreachable'), true, 'worker_crashed'],
    ['a stack overflow', new RangeError('Maximum call stack size exceeded'), true, 'worker_crashed'],
    [
      'too much recursion',
      Object.assign(new Error('too much recursion'), { name: 'InternalError' }),
      true,
      'worker_crashed',
    ],
    ['no memory for threads', new RangeError('could not allocate memory'), false, ''],
    ['a typed error', { code: 'out_of_memory', message: 'No room.' }, false, ''],
  ] as const)('%s is told apart before the answer begins', (_, thrown, fatal, code) => {
    expect(ENGINE_FAULTS.isFatal(thrown)).toBe(fatal);
    if (!fatal) return;
    globalThis.inshorePanic = 'index out of bounds';
    expect(ENGINE_FAULTS.errorOfCall(thrown).code).toBe('engine_panicked');
    globalThis.inshorePanic = undefined;
    expect(ENGINE_FAULTS.errorOfCall(thrown).code).toBe(code);
    expect(ENGINE_FAULTS.errorOfWorker(thrown).code).toBe('worker_crashed');
  });
});
