import { describe, expect, it } from 'vitest';
import { joinedWorker } from '../joined-worker.testing';
import { ModelStore } from './client';
import type { StoreCalls, StoreEvent } from './protocol';

const model = { name: 'm', url: 'https://models.test/m.gguf' };

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
