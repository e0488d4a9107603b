import { afterEach, describe, expect, it, vi } from 'vitest';
import { EngineClient } from '../engine/client';
import type { EngineCalls, EngineEvent, EngineRequest } from '../engine/protocol';
import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import { joinedWorker } from '../joined-worker.testing';
import { openRecords } from '../records';
import type { Handlers } from '../worker-port';
import type { EngineState } from './contract';
import { DeviceNames } from './device-name';
import type { EngineSetup, OpenOptions } from './engine-lifecycle';
import type { LegTask } from './leg';
import { cloudTask, collector } from './leg.testing';
import { LocalSide } from './local-side';
import { ModelDownload } from './model-download';
import { measured, openSpeedRecords, type SpeedRecords } from './speed-record';

const timings = {
  ttftMs: 100,
  prefillTps: 300,
  decodeTps: 30,
  promptTokens: 31,
  cachedTokens: 20,
  completionTokens: 2,
};
const ADAPTER = { vendor: 'v', architecture: 'a', description: '', software: false };
const info = {
  contextTokens: 2048,
  weightBytes: 90e6,
  kvBytes: 10e6,
  backend: 'flex',
  device: 'CPU',
} as Session['info'];

/** A worker that the test drives: the real one cannot be made to fail at will in Node. */
function fakeWorker() {
  const requests: { generation: number; request: EngineRequest }[] = [];
  const stopped: number[] = [];
  const handlers: Handlers<EngineCalls> = {
    open: () => ({ backend: 'flex', name: 'CPU' }),
    load: () => info,
    info: () => info,
    shape: () => {
      throw new Error('not here');
    },
    probe: () => {
      throw new Error('not here');
    },
    slowDown: () => undefined,
    memory: () => 65_536,
    start: (input) => {
      if (input.request.stop?.includes('refuse me'))
        throw new InshoreError('prompt_too_long', 'Too long. Shorten it.');
      requests.push(input);
      return { promptIds: [7] };
    },
    stop: ({ generation }) => {
      stopped.push(generation);
      return undefined;
    },
  };
  const { worker, post, crash, joined } = joinedWorker<EngineCalls, EngineEvent>(handlers);
  const step = (id: number, generation = requests.at(-1)?.generation ?? 1): void =>
    post({ type: 'step', generation, step: { id, text: `t${id} `, logprob: 0, top: [] } });
  const finish = (generation = requests.at(-1)?.generation ?? 1): void =>
    post({ type: 'finished', generation, end: { finishReason: 'stop', timings } });
  return { client: new EngineClient(worker), requests, stopped, step, finish, crash, joined, post };
}

interface SideOptions {
  complete?: boolean;
  backend?: 'flex' | 'wgpu';
  records?: SpeedRecords;
  /** What the store answers instead. */
  find?: () => Promise<{ key: string; complete: boolean }>;
  onOpen?: (options: OpenOptions) => void | Promise<void>;
}

function openSide({ complete = true, backend = 'flex', ...more }: SideOptions = {}) {
  const workers: ReturnType<typeof fakeWorker>[] = [];
  const setups: EngineSetup[] = [];
  const states: EngineState['state'][] = [];
  const side = new LocalSide({
    model: { name: 'm', url: 'http://x/m.gguf', bytes: 100e6, sha256: 'a'.repeat(64) },
    setup: { device: 'auto', contextTokens: undefined },
    find: more.find ?? (async () => ({ key: 'k', complete })),
    open: async (_key, setup, options) => {
      await more.onOpen?.(options);
      const fake = fakeWorker();
      workers.push(fake);
      setups.push(setup);
      const device = { ...(await fake.client.open('cpu')), backend, adapter: ADAPTER };
      return { engine: fake.client, device, info };
    },
    records: more.records ?? openSpeedRecords(),
    devices: new DeviceNames(openRecords('d', 't'), 'm'),
    download: new ModelDownload({ policy: 'manual', fetch: async () => {}, onProgress: () => {} }),
    onState: ({ state }) => states.push(state),
    onLoading: () => {},
  });
  return { side, workers, setups, states };
}

const task = (more: Partial<LegTask> = {}): LegTask => cloudTask({ source: 'on_device', ...more });
async function worker(workers: ReturnType<typeof fakeWorker>[], number: number, requests = 1) {
  await expect.poll(() => workers[number - 1]?.requests.length ?? 0).toBeGreaterThanOrEqual(requests);
  return workers[number - 1] as ReturnType<typeof fakeWorker>;
}

describe('LocalSide', () => {
  it('takes no more tokens than the reader has room for, and loses none', async () => {
    const { side, workers } = openSide();
    const seen = collector();
    let makeRoom: () => void = () => {};
    const full = new Promise<void>((resolve) => {
      makeRoom = resolve;
    });
    side.start(task(), { ...seen.sink, room: () => (seen.pieces.length === 3 ? full : undefined) });
    const engine = await worker(workers, 1);
    for (let id = 0; id < 10; id++) engine.step(id);
    engine.finish();
    await expect.poll(() => seen.pieces.length).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen.pieces).toHaveLength(3);
    makeRoom();
    expect((await seen.over).error).toBeUndefined();
    expect(seen.pieces.map(({ ids }) => ids?.[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('opens the engine when it is first needed, and keeps it', async () => {
    const { side, workers, states } = openSide();
    expect(await side.snapshot()).toMatchObject({ availability: 'available', queue_ms: 0 });
    expect((await side.snapshot()).load_ms).toBeGreaterThan(0);
    for (let number = 1; number <= 2; number++) {
      const seen = collector();
      side.start(task({ ids: [1, 2], manner: 'token_ids', maxTokens: 5, seed: 9 }), seen.sink);
      const one = await worker(workers, 1, number);
      expect(one.requests.at(-1)?.request).toMatchObject({
        continuation: [1, 2],
        maxTokens: 5,
        sampling: { seed: 9 },
      });
      one.step(3);
      one.finish();
      expect((await seen.over).end).toMatchObject({
        finishReason: 'stop',
        promptTokens: 31,
        cachedTokens: 20,
        decodeTps: 30,
      });
      expect(seen.pieces).toEqual([{ text: 't3 ', tokens: 1, ids: [3], logprobs: undefined }]);
    }
    expect(workers.length).toBe(1);
    expect(states).toEqual(['opening', 'ready']);
    expect(await side.snapshot()).toMatchObject({ load_ms: 0, context_tokens: 2048, memory_fits: true });
  });

  it('runs one answer at a time; the queue counts, and is through when the last one is', async () => {
    const { side, workers } = openSide();
    const [first, second] = [collector(), collector()];
    await side.keepProbe({
      device: (await side.key()).split(' | ')[0] ?? '',
      record: measured(undefined, 300, 30),
    });
    side.start(task({ maxTokens: 30 }), first.sink);
    side.start(task({ maxTokens: 30 }), second.sink);
    const one = await worker(workers, 1);
    expect(one.requests.length).toBe(1);
    expect((await side.snapshot()).queue_ms).toBeCloseTo(2000);
    one.finish();
    await first.over;
    await worker(workers, 1, 2);
    one.finish();
    await second.over;
    expect((await side.snapshot()).queue_ms).toBe(0);
  });

  it('after a crash, the next leg has a fresh worker; what arrived before stays', async () => {
    const { side, workers, states } = openSide();
    const seen = collector();
    side.start(task(), seen.sink);
    const one = await worker(workers, 1);
    one.step(1);
    await expect.poll(() => seen.pieces.length).toBe(1);
    one.crash('unreachable');
    expect((await seen.over).error).toMatchObject({ kind: 'worker_crashed', code: 'worker_crashed' });
    const again = collector();
    side.start(task({ ids: [1], manner: 'token_ids' }), again.sink);
    const two = await worker(workers, 2);
    expect(two.requests[0]?.request.continuation).toEqual([1]);
    two.finish();
    expect((await again.over).end).toBeDefined();
    expect(states).toEqual(['opening', 'ready', 'closed', 'opening', 'ready']);
  });

  it.each([
    ['device_lost', 'device_lost', 2],
    ['out_of_memory', 'out_of_memory', 2],
    ['internal', 'other', 2],
    ['prompt_too_long', 'context_exceeded', 1],
  ])('%s is a failure of kind %s', async (code, kind, workersAfter) => {
    const { side, workers } = openSide();
    const seen = collector();
    side.start(task(), seen.sink);
    const one = await worker(workers, 1);
    one.post({ type: 'failed', generation: 1, error: { code, message: 'No. Do that.' } });
    expect((await seen.over).error).toMatchObject({ kind, code });
    side.start(task(), collector().sink);
    await worker(workers, workersAfter, workersAfter === 1 ? 2 : 1);
    expect(workers.length).toBe(workersAfter);
  });

  it('a smaller plan is set up anew, and stays', async () => {
    const { side, workers, setups } = openSide();
    const plans = ['same', 'smaller_context', 'cpu', 'same'] as const;
    for (const plan of plans) {
      const seen = collector();
      side.start(task({ plan }), seen.sink);
      const fake = await worker(workers, Math.min(plans.indexOf(plan) + 1, 3), 1).then(() => workers.at(-1));
      await expect.poll(() => fake?.requests.length).toBeGreaterThan(0);
      workers.at(-1)?.finish();
      if (plan !== 'same' || workers.length === 1) await seen.over;
    }
    expect(setups).toEqual([
      { device: 'auto', contextTokens: undefined },
      { device: 'auto', contextTokens: 1024 },
      { device: 'cpu', contextTokens: 1024 },
    ]);
  });

  it('an aborted leg says nothing more, and one that does not stop costs its worker', async () => {
    const { side, workers } = openSide();
    const seen = collector();
    const leg = side.start(task(), seen.sink);
    const one = await worker(workers, 1);
    one.step(1);
    await expect.poll(() => seen.pieces.length).toBe(1);
    leg.abort();
    one.step(2);
    await expect.poll(() => one.stopped).toEqual([1]);
    const next = collector();
    side.start(task(), next.sink);
    // It never ends by itself: after the grace a fresh one takes over.
    await expect.poll(() => workers.length, { timeout: 4000 }).toBe(2);
    (await worker(workers, 2)).finish();
    expect((await next.over).end).toBeDefined();
    expect(one.joined.terminated).toBe(1);
    expect(seen.pieces.length).toBe(1);
  });

  it('a model that is not there is a typed failure, and never a download', async () => {
    const { side, workers } = openSide({ complete: false });
    await expect(side.load()).rejects.toMatchObject({ code: 'not_downloaded' });
    expect(workers.length).toBe(0);
    expect((await side.snapshot()).availability).toBe('downloadable');
    const seen = collector();
    side.start(task(), seen.sink);
    expect((await seen.over).error).toMatchObject({ code: 'not_downloaded' });
  });

  it('after destroy nothing is opened any more', async () => {
    const { side, workers } = openSide();
    await side.load();
    side.destroy();
    const seen = collector();
    side.start(task(), seen.sink);
    expect((await seen.over).error).toMatchObject({ code: 'destroyed' });
    expect(workers.length).toBe(1);
    expect(workers[0]?.joined.terminated).toBe(1);
  });
});

describe('a device whose GPU fails', () => {
  afterEach(() => void vi.unstubAllGlobals());
  const stubGpu = () =>
    vi.stubGlobal('navigator', {
      gpu: { requestAdapter: async () => ({ info: ADAPTER }) },
      hardwareConcurrency: 1,
    });

  it('is looked up under the name of what opened, also once the engine is closed', async () => {
    stubGpu();
    const { side } = openSide({ backend: 'flex' });
    expect(await side.key()).toMatch(/^wgpu v a \|/);
    await side.load();
    expect(await side.key()).toMatch(/^flex x1 \|/);
    await expect.poll(() => side.record()).toMatchObject({ backend: 'flex', contextTokens: 2048 });
    side.unload();
    expect(await side.key()).toMatch(/^flex x1 \|/);
    expect((await side.snapshot()).context_tokens).toBe(2048);
  });

  it('keeps what an answer measured under the name of the device that gave it', async () => {
    stubGpu();
    const records = openSpeedRecords();
    const { side, workers } = openSide({ backend: 'wgpu', records });
    const seen = collector();
    // The engine goes before the measurement is kept.
    const finished = (): void => side.unload();
    side.start(task(), { ...seen.sink, finished });
    (await worker(workers, 1)).finish();
    const key = `wgpu v a | ${'a'.repeat(16)}`;
    await expect.poll(() => records.get(key)).toMatchObject({ decodeTps: 30, from: 'history' });
  });
});

describe('a device that is at work shows it', () => {
  it('with each part of a long prompt', async () => {
    const { side, workers } = openSide();
    const seen = collector();
    side.start(task(), seen.sink);
    const one = await worker(workers, 1);
    for (const doneTokens of [256, 512])
      one.post({ type: 'prefill', generation: 1, progress: { doneTokens, totalTokens: 600 } });
    one.step(1);
    one.finish();
    await seen.over;
    expect(seen.signs.alive).toBe(2);
  });

  it('with each part of a model that is loaded for an answer, and not to those in the queue', async () => {
    const load = { go: (): void => {} };
    const { side, workers } = openSide({
      onOpen: ({ onProgress }) =>
        new Promise((resolve) => {
          for (const done of [1, 2, 3]) onProgress(done, 3);
          load.go = resolve;
        }),
    });
    const [first, second] = [collector(), collector()];
    side.start(task(), first.sink);
    side.start(task(), second.sink);
    await expect.poll(() => first.signs.alive).toBe(3);
    expect(second.signs.alive).toBe(0);
    load.go();
    (await worker(workers, 1)).finish();
    await first.over;
  });
});

it('an opening that hangs holds up its own leg only', async () => {
  let openings = 0;
  const { side, workers } = openSide({
    onOpen: () => {
      openings += 1;
      return openings === 1 ? new Promise(() => {}) : undefined;
    },
  });
  const stalled = side.start(task(), collector().sink);
  await expect.poll(() => openings).toBe(1);
  stalled.abort();
  const next = collector();
  side.start(task({ plan: 'cpu' }), next.sink);
  (await worker(workers, 1)).finish();
  expect((await next.over).end).toBeDefined();
  expect(side.setup.device).toBe('cpu');
});

describe('file storage that', () => {
  afterEach(() => void vi.useRealTimers());

  it.each<[string, () => Promise<{ key: string; complete: boolean }>, string]>([
    ['hangs', () => new Promise(() => {}), 'unavailable'],
    [
      'is missing',
      async () => {
        throw new InshoreError('storage_unavailable', 'No storage.');
      },
      'unavailable',
    ],
    [
      'fails otherwise',
      async () => {
        throw new InshoreError('worker_crashed', 'The worker stopped.');
      },
      'downloadable',
    ],
  ])('%s holds up no request', async (_, find, availability) => {
    vi.useFakeTimers();
    const { side } = openSide({ find });
    const snapshot = side.snapshot();
    await vi.runAllTimersAsync();
    expect((await snapshot).availability).toBe(availability);
  });
});

it('the first answer overrules the probe, later ones are averaged, unmeasured rates change nothing', () => {
  const probe = { prefillTps: 1000, decodeTps: 100, from: 'probe' as const, answers: 0, loadMs: 5 };
  const first = measured(probe, 300, 30);
  expect(first).toMatchObject({ prefillTps: 300, decodeTps: 30, from: 'history', answers: 1, loadMs: 5 });
  expect(measured(first, 400, 40)).toMatchObject({ prefillTps: 330, decodeTps: 33, answers: 2 });
  expect(measured(first, 0, 40)).toMatchObject({ prefillTps: 300, decodeTps: 33 });
});
