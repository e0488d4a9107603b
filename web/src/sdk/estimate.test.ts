import { afterEach, expect, it, vi } from 'vitest';
import { EngineClient } from '../engine/client';
import { HEAD_BYTES } from '../engine/head';
import type { EngineCalls, EngineEvent, ModelShape, Probe } from '../engine/protocol';
import { InshoreError } from '../error';
import { joinedWorker } from '../joined-worker.testing';
import { notStored } from '../store/failures';
import type { StoredKey } from '../store/protocol';
import type { Handlers } from '../worker-port';
import { probeDevice } from './estimate';
import { serveHttp } from './http-server.testing';

const shape = { trainContextTokens: 8_192 } as ModelShape;
const probe = { prefillTps: 300, decodeTps: 30, memoryBytes: 1e8, probeMs: 90 } as Probe;

/** An engine that reads shapes: of the store's models where `store` lets it, else of what it is given. */
function openEngine(store: () => void) {
  const asked: (StoredKey | Uint8Array)[] = [];
  const contexts: number[] = [];
  const unused = (): never => {
    throw new Error('a probe needs none of this');
  };
  const handlers: Handlers<EngineCalls> = {
    open: () => ({ backend: 'flex', name: 'CPU' }),
    shape: ({ of }) => {
      asked.push(of);
      if (!(of instanceof Uint8Array)) store();
      return shape;
    },
    probe: ({ contextTokens }) => {
      contexts.push(contextTokens);
      return probe;
    },
    load: unused,
    start: unused,
    stop: unused,
    info: unused,
    slowDown: unused,
    memory: unused,
  };
  const { worker, joined } = joinedWorker<EngineCalls, EngineEvent>(handlers);
  return { engine: new EngineClient(worker), asked, contexts, joined };
}

const here = (): void => {};
const setup = { device: 'auto' as const, contextTokens: undefined };
const url = 'https://models.test/m.gguf';

afterEach(() => void vi.unstubAllGlobals());

/** No network: whoever asks it has failed. */
function offline() {
  const fetch = vi.fn(() => Promise.reject(new TypeError('Failed to fetch')));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

it('a stored model is probed without a request', async () => {
  const stored = 'e3b0c442';
  const fetch = offline();
  const { engine, asked, contexts, joined } = openEngine(here);
  const { record } = await probeDevice({ engine, url, stored, setup });
  expect(record).toMatchObject({ prefillTps: 300, decodeTps: 30, from: 'probe', device: 'CPU' });
  expect([asked, contexts]).toEqual([[stored], [2_048]]);
  expect(fetch).not.toHaveBeenCalled();
  expect(joined.terminated).toBe(1);
});

it('of another one the first bytes are fetched, also where the server knows no ranges', async () => {
  const site = await serveHttp((response) => void response.end('x'.repeat(3 * HEAD_BYTES)));
  const { engine, asked } = openEngine(here);
  try {
    await probeDevice({ engine, url: `${site.url}/m.gguf`, stored: undefined, setup });
  } finally {
    await site.close();
  }
  expect(asked.map((of) => (of as Uint8Array).length)).toEqual([HEAD_BYTES]);
  expect(site.requests.map(({ headers }) => headers.range)).toEqual([`bytes=0-${HEAD_BYTES - 1}`]);
});

it('a model that the store has lost meanwhile is fetched like one that was never stored', async () => {
  const site = await serveHttp((response) => void response.end('GGUF'));
  const { engine, asked } = openEngine(() => {
    throw notStored();
  });
  try {
    await probeDevice({ engine, url: `${site.url}/m.gguf`, stored: 'e3b0c442', setup });
  } finally {
    await site.close();
  }
  expect(asked.length).toBe(2);
});

it('offline and not stored is a typed error, and the engine is closed', async () => {
  offline();
  const { engine, joined } = openEngine(here);
  await expect(probeDevice({ engine, url, stored: undefined, setup })).rejects.toMatchObject({
    code: 'network_failed',
  });
  expect(joined.terminated).toBe(1);
});

it('any other failure of the stored file is its own, and nothing is fetched', async () => {
  const fetch = offline();
  const { engine } = openEngine(() => {
    throw new InshoreError('not_gguf', 'This is not a GGUF file. Choose another one.');
  });
  await expect(probeDevice({ engine, url, stored: 'e3b0c442', setup })).rejects.toMatchObject({
    code: 'not_gguf',
  });
  expect(fetch).not.toHaveBeenCalled();
});
