// The store's worker itself, with a browser's storage that answers when the test says so.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sha256Of } from './memory.testing';
import { modelBytes } from './scripted-server.testing';

type Message = { kind: string; id?: number; value?: unknown; error?: { code: string } };

/** A gate: what waits for it goes on when it opens. */
function gate(): { until: Promise<void>; open(): void } {
  let open = (): void => {};
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { until, open };
}

async function startWorker(opening: Promise<void>, files = new Map<string, Uint8Array>()) {
  const posted: Message[] = [];
  const listeners = new Map<string, (event: unknown) => void>();
  const folder = {
    getFileHandle: async (name: string) => {
      const bytes = files.get(name);
      if (bytes === undefined) throw new DOMException('none', 'NotFoundError');
      return { getFile: async () => new File([bytes.slice()], name) };
    },
    async *keys() {},
  };
  const requested: string[] = [];
  vi.stubGlobal('self', {
    location: { origin: 'https://page.test' },
    postMessage: (message: Message) => posted.push(message),
    addEventListener: (type: string, listener: (event: unknown) => void) => listeners.set(type, listener),
  });
  vi.stubGlobal('navigator', {
    storage: {
      getDirectory: async () => {
        await opening;
        return { getDirectoryHandle: async () => folder };
      },
    },
    locks: {
      request: async (_: string, options: { signal: AbortSignal }) => {
        options.signal.throwIfAborted();
        return new Promise((_, reject) =>
          options.signal.addEventListener('abort', () => reject(options.signal.reason)),
        );
      },
    },
  });
  vi.stubGlobal('fetch', async (url: string) => {
    requested.push(url);
    return new Response('');
  });
  vi.resetModules();
  // Not as a literal: the worker's types are those of another library than the page's.
  const path = './worker';
  await import(/* @vite-ignore */ path);
  const send = (id: number, call: string, input: unknown): void =>
    listeners.get('message')?.({ data: { id, call, input } });
  const answer = (id: number): Promise<Message> =>
    vi.waitFor(() => {
      const found = posted.find((message) => message.id === id);
      if (found === undefined) throw new Error(`no answer to call ${id}`);
      return found;
    });
  return { send, answer, requested };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

const model = { name: 'm', url: 'https://page.test/m.gguf' };

describe('a download that is cancelled', () => {
  it('before the store has opened its folder is cancelled', async () => {
    const { until, open } = gate();
    const { send, answer, requested } = await startWorker(until);
    send(1, 'fetch', { download: 7, model });
    send(2, 'cancel', { download: 7 });
    open();
    expect(await answer(1)).toMatchObject({ kind: 'refusal', error: { code: 'cancelled' } });
    expect(requested).toEqual([]);
  });

  it('before its call arrives is cancelled', async () => {
    const { send, answer, requested } = await startWorker(Promise.resolve());
    send(2, 'cancel', { download: 7 });
    send(1, 'fetch', { download: 7, model });
    expect(await answer(1)).toMatchObject({ kind: 'refusal', error: { code: 'cancelled' } });
    expect(requested).toEqual([]);
  });

  it('while another tab has the lock is cancelled, and a second one is not', async () => {
    const { send, answer } = await startWorker(Promise.resolve());
    send(1, 'fetch', { download: 7, model });
    send(2, 'fetch', { download: 8, model });
    await vi.waitFor(() => {});
    send(3, 'cancel', { download: 7 });
    expect(await answer(1)).toMatchObject({ kind: 'refusal', error: { code: 'cancelled' } });
    send(4, 'cancel', { download: 8 });
    expect(await answer(2)).toMatchObject({ kind: 'refusal', error: { code: 'cancelled' } });
  });
});

describe('a model that an older version kept', () => {
  const page = new TextEncoder().encode('<!doctype html><title>Sign in');
  it.each([
    ['a whole one', modelBytes(1), {}, true],
    ['a page', page, {}, false],
    ['a Git LFS pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), {}, false],
    ['one that is cut short', modelBytes(1).subarray(0, 400_000), {}, false],
    ['nothing', new Uint8Array(0), {}, false],
    // Its chunks are checked whenever they are read.
    ['one that has passed the checks', page, { checks: 1 }, true],
  ])('is looked at again: %s', async (_, bytes, more, complete) => {
    const sha256 = sha256Of(bytes);
    const record = {
      version: 1,
      name: 'm',
      url: model.url,
      sha256,
      parts: [{ bytes: bytes.length || 1 }],
      ...more,
    };
    const files = new Map([
      [`${sha256}.gguf`, bytes],
      [`${sha256}.json`, new TextEncoder().encode(JSON.stringify(record))],
    ]);
    const { send, answer } = await startWorker(Promise.resolve(), files);
    send(1, 'find', { model: { ...model, sha256 } });
    expect(await answer(1)).toMatchObject({ kind: 'reply', value: { complete } });
  });
});
