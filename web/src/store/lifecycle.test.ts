import { afterEach, describe, expect, it, vi } from 'vitest';
import { joinedWorker } from '../joined-worker.testing';
import { ModelStore } from './client';
import type { StoreCalls, StoreEvent } from './protocol';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

const model = { name: 'm', url: 'https://models.test/m.gguf' };

/** The store's worker with a folder that opens when the test says so. */
async function startWorker() {
  const scope = Object.assign(new EventTarget(), {
    postMessage: vi.fn(),
    location: { origin: 'https://app.test' },
  });
  let openFolder = (): void => {};
  const opened = new Promise<void>((resolve) => {
    openFolder = resolve;
  });
  const missing = async (): Promise<never> => {
    throw new DOMException('no such file', 'NotFoundError');
  };
  const folder = { getFileHandle: missing, getDirectoryHandle: async () => folder, removeEntry: missing };
  const request = vi.fn();
  const storage = { getDirectory: () => opened.then(() => folder), estimate: async () => ({}) };
  vi.stubGlobal('self', scope);
  vi.stubGlobal('navigator', { storage, locks: { request } });
  // Not `import`: TypeScript would then know the types of workers in all tests.
  await vi.importActual('./worker');
  const call = (id: number, name: string, input: unknown): void => {
    scope.dispatchEvent(Object.assign(new Event('message'), { data: { id, call: name, input } }));
  };
  const replyTo = async (id: number) => {
    const find = () => scope.postMessage.mock.calls.find(([message]) => message.id === id)?.[0];
    await expect.poll(find).toBeDefined();
    return find();
  };
  return { call, replyTo, openFolder, request };
}

describe('a download that is aborted before the store has opened its folder', () => {
  it('does not begin', async () => {
    const { call, replyTo, openFolder, request } = await startWorker();
    call(1, 'fetch', { download: 7, model });
    call(2, 'cancel', { download: 7 });
    await replyTo(2);
    openFolder();
    expect(await replyTo(1)).toMatchObject({ kind: 'refusal', error: { code: 'cancelled' } });
    expect(request).not.toHaveBeenCalled();
  });

  it('leaves another download alone', async () => {
    const { call, replyTo, openFolder, request } = await startWorker();
    call(1, 'fetch', { download: 7, model });
    call(2, 'fetch', { download: 8, model });
    call(3, 'cancel', { download: 7 });
    openFolder();
    expect(await replyTo(1)).toMatchObject({ kind: 'refusal', error: { code: 'cancelled' } });
    await expect.poll(() => request.mock.calls.length).toBe(1);
  });
});

describe('a store that was closed', () => {
  const open = () => {
    const starts = { count: 0 };
    const store = new ModelStore(() => {
      starts.count += 1;
      const found = { key: 'k', complete: false, bytes: 0 };
      return joinedWorker<StoreCalls, StoreEvent>({
        find: () => found,
        fetch: () => new Promise(() => {}),
        cancel: () => undefined,
        remove: () => undefined,
        list: () => [],
        usage: () => new Promise(() => {}),
      }).worker;
    });
    return { store, starts };
  };

  it.each<[string, (store: ModelStore) => Promise<unknown>]>([
    ['find', (store) => store.find(model)],
    ['fetch', (store) => store.fetch(model)],
    ['list', (store) => store.list()],
    ['usage', (store) => store.usage()],
    ['remove', (store) => store.remove('k')],
  ])('starts no worker for %s', async (_, ask) => {
    const { store, starts } = open();
    store.close();
    await expect(ask(store)).rejects.toMatchObject({ code: 'closed' });
    expect(starts.count).toBe(0);
  });

  it('refuses what was under way, and starts nothing for what comes', async () => {
    const { store, starts } = open();
    const fetching = store.fetch(model);
    store.close();
    await expect(fetching).rejects.toMatchObject({ code: 'closed' });
    await expect(store.find(model)).rejects.toMatchObject({ code: 'closed' });
    expect(starts.count).toBe(1);
  });
});
