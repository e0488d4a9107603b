import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineCalls, EngineEvent } from '../engine/protocol';
import { joinedWorker } from '../joined-worker.testing';
import type { StoreCalls, StoreEvent } from '../store/protocol';
import type { InshoreOptions } from './contract';
import { routeWasm } from './dispatcher.testing';
import { answer, serveHttp } from './http-server.testing';
import { createInshore, type Inshore } from './inshore';

const timings = {
  ttftMs: 1,
  prefillTps: 900,
  decodeTps: 90,
  promptTokens: 3,
  cachedTokens: 0,
  completionTokens: 1,
};

/** A browser with workers that the test drives: a store that downloads when told, an engine that says one word. */
function stubBrowser() {
  const world = {
    started: [] as string[],
    complete: false,
    downloads: 0,
    finishDownload: (): void => {},
    storeHangs: false,
  };
  const stored = () => ({ key: 'k', complete: world.complete, bytes: 1 });
  const store = () =>
    joinedWorker<StoreCalls, StoreEvent>({
      find: () => (world.storeHangs ? new Promise(() => {}) : stored()),
      fetch: () => {
        if (world.complete) return stored();
        world.downloads += 1;
        return new Promise((resolve) => {
          world.finishDownload = () => {
            world.complete = true;
            resolve(stored());
          };
        });
      },
      cancel: () => undefined,
      remove: () => {
        world.complete = false;
        return undefined;
      },
      list: () => [],
      usage: () => ({ modelBytes: 0, originBytes: 0, quotaBytes: 0, persistent: false }),
    }).worker;
  const engine = () => {
    const info = {
      contextTokens: 2048,
      weightBytes: 1,
      kvBytes: 1,
      backend: 'flex',
      device: 'CPU',
      notes: [],
    };
    const { worker, post } = joinedWorker<EngineCalls, EngineEvent>({
      open: () => ({ backend: 'flex', name: 'CPU' }),
      load: () => info as never,
      info: () => info as never,
      shape: () => ({ trainContextTokens: 2048 }) as never,
      probe: () => ({ prefillTps: 900, decodeTps: 90, memoryBytes: 1, probeMs: 1 }) as never,
      slowDown: () => undefined,
      memory: () => 1,
      stop: () => undefined,
      start: ({ generation }) => {
        queueMicrotask(() => {
          post({ type: 'step', generation, step: { id: 1, text: 'here', logprob: 0, top: [] } });
          post({ type: 'finished', generation, end: { finishReason: 'stop', timings } });
        });
        return { promptIds: [1] };
      },
    });
    return worker;
  };
  vi.stubGlobal(
    'Worker',
    class {
      constructor(_url: URL, { name }: { name: string }) {
        world.started.push(name);
        // biome-ignore lint/correctness/noConstructorReturn: the joined worker takes the place of a real one
        return name === 'inshore-store' ? store() : engine();
      }
    },
  );
  return world;
}

let site: Awaited<ReturnType<typeof serveHttp>>;
let world: ReturnType<typeof stubBrowser>;
const open: Inshore[] = [];
beforeEach(async () => {
  site = await serveHttp((response) => answer(response, ['from ', 'the ', 'cloud']));
  world = stubBrowser();
});
afterEach(async () => {
  for (const inshore of open.splice(0)) inshore.destroy();
  vi.unstubAllGlobals();
  await site.close();
});

async function create(options: Partial<InshoreOptions> = {}): Promise<Inshore> {
  const assets = { routeWasm: routeWasm() as unknown as URL };
  const inshore = await createInshore({ model: 'https://models.test/m.gguf', assets, ...options });
  open.push(inshore);
  return inshore;
}
const cloud = () => ({ baseURL: site.url, model: 'remote' });

async function ask(inshore: Inshore): Promise<string> {
  const messages = [{ role: 'user' as const, content: 'hello' }];
  const { choices } = await inshore.chat.completions.create({ messages });
  return choices[0]?.message.content ?? '';
}

describe('the README’s example uses the device', () => {
  it('with an endpoint, which answers while the model is downloaded', async () => {
    const inshore = await create({ cloud: cloud() });
    expect(world.started).toEqual([]);
    expect(await ask(inshore)).toBe('from the cloud');
    await expect.poll(() => world.downloads).toBe(1);
    expect(await ask(inshore)).toBe('from the cloud');
    expect(await inshore.availability()).toBe('downloading');
    world.finishDownload();
    await expect.poll(() => inshore.availability()).toBe('available');
    inshore.configure({ mode: 'prefer_on_device' });
    expect(await ask(inshore)).toBe('here');
    expect([world.downloads, site.requests.length]).toEqual([1, 2]);
  });

  it('without one, where the question waits', async () => {
    const inshore = await create();
    const asked = ask(inshore);
    await expect.poll(() => world.downloads).toBe(1);
    world.finishDownload();
    expect(await asked).toBe('here');
  });

  it('with `background`, before anybody asks', async () => {
    await create({ download: 'background' });
    await expect.poll(() => world.downloads).toBe(1);
  });

  it.each([
    ['manual', {}, 'from the cloud'],
    ['on_demand', { mode: 'only_in_cloud' }, 'from the cloud'],
    ['on_demand', { mode: 'only_on_device', saveData: true }, 'not_downloaded'],
    ['background', { mode: 'only_on_device', saveData: true }, 'not_downloaded'],
    ['manual', { mode: 'only_on_device' }, 'not_downloaded'],
  ] as const)('but not with %s and %j', async (download, settings, expected) => {
    const { saveData, ...options }: Partial<InshoreOptions> & { saveData?: boolean } = settings;
    if (saveData) vi.stubGlobal('navigator', { connection: { saveData: true } });
    const inshore = await create({ cloud: cloud(), download, ...options });
    expect(await ask(inshore).catch(({ code }) => code)).toBe(expected);
    expect(world.downloads).toBe(0);
  });
});

it('an only_in_cloud request starts no worker, and does not wait for storage that hangs', async () => {
  world.storeHangs = true;
  const inshore = await create({ cloud: cloud(), mode: 'only_in_cloud' });
  expect(await ask(inshore)).toBe('from the cloud');
  expect(world.started).toEqual([]);
});

describe('a destroyed instance', () => {
  it.each<[string, (inshore: Inshore) => Promise<unknown>]>([
    ['availability', (inshore) => inshore.availability()],
    ['estimate', (inshore) => inshore.estimate()],
    ['download', (inshore) => inshore.download()],
    ['remove', (inshore) => inshore.remove()],
    ['slowDown', (inshore) => inshore.slowDown(2)],
    ['a request', ask],
  ])('refuses %s and starts nothing', async (_, call) => {
    const inshore = await create({ cloud: cloud() });
    inshore.destroy();
    await expect(call(inshore)).rejects.toMatchObject({ code: 'destroyed' });
    expect(world.started).toEqual([]);
    expect(inshore.cloudMayAnswer()).toBe(false);
  });

  it.each<[string, (inshore: Inshore) => Promise<unknown>]>([
    ['availability', (inshore) => inshore.availability()],
    ['estimate', (inshore) => inshore.estimate()],
    ['download', (inshore) => inshore.download()],
    ['a request', ask],
  ])('does not come back after %s that was under way', async (_, call) => {
    const inshore = await create();
    const calling = call(inshore).catch(({ code }) => code);
    inshore.destroy();
    await calling;
    world.finishDownload();
    const started = [...world.started];
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(world.started).toEqual(started);
    expect(started.filter((name) => name === 'inshore-store').length).toBeLessThanOrEqual(1);
    expect(inshore.session).toBeUndefined();
  });
});

it('a model that was removed is not downloaded again by itself', async () => {
  world.complete = true;
  const inshore = await create({ cloud: cloud(), mode: 'prefer_on_device' });
  expect(await ask(inshore)).toBe('here');
  await inshore.remove();
  expect(inshore.session).toBeUndefined();
  expect(await ask(inshore)).toBe('from the cloud');
  expect(world.downloads).toBe(0);
  const downloading = inshore.download();
  await expect.poll(() => world.downloads).toBe(1);
  world.finishDownload();
  await downloading;
});

it.each([
  [{}, true],
  [{ cloud: undefined }, false],
  [{ mode: 'only_on_device' as const }, false],
  [{ privacy: 'local_only' as const }, false],
  [{ budget: { cloudTokens: 0 } }, false],
])('with %j the cloud may answer: %s', async (options, may) => {
  const inshore = await create({ cloud: cloud(), ...options } as Partial<InshoreOptions>);
  expect(inshore.cloudMayAnswer()).toBe(may);
  inshore.setCloudEnabled(false);
  expect(inshore.cloudMayAnswer()).toBe(false);
});
