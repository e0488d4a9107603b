import { describe, expect, it } from 'vitest';
import type { ModelSource } from '../sdk/contract';
import { Interrupted } from './answers';
import { askHub, hubAddresses, parseHubFile, parsePointer } from './hub';
import { storeKey } from './model';
import { resolveModel } from './resolve';

const BASE = 'https://page.test/app/';
const HASH = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';
const resolve = (source: ModelSource) => resolveModel(source, BASE, { hub: 'https://hub.test/' });

describe('resolveModel', () => {
  it('takes an address, relative to the page', async () => {
    await expect(resolve('models/Tiny.gguf')).resolves.toEqual({
      name: 'Tiny',
      url: 'https://page.test/app/models/Tiny.gguf',
    });
    await expect(resolve('ftp://x/y.gguf')).rejects.toMatchObject({ code: 'bad_url' });
  });

  it('takes a file of a hub, without asking it', async () => {
    await expect(resolve('hf:own-er/re.po/sub/x_Q4.gguf@refs/pr/1')).resolves.toEqual({
      name: 'x_Q4',
      url: 'https://hub.test/own-er/re.po/resolve/refs%2Fpr%2F1/sub/x_Q4.gguf',
      pointerUrl: 'https://hub.test/own-er/re.po/raw/refs%2Fpr%2F1/sub/x_Q4.gguf',
    });
    await expect(resolve('hf:a/b')).rejects.toMatchObject({ code: 'bad_reference' });
  });

  it('takes a manifest, whose hash makes asking the hub needless', async () => {
    const manifest = { name: 'Mine', url: 'hf:a/b/c.gguf', sha256: HASH };
    await expect(resolve(manifest)).resolves.toEqual({
      name: 'Mine',
      url: 'https://hub.test/a/b/resolve/main/c.gguf',
      sha256: HASH,
    });
    const { sha256: _, ...unhashed } = manifest;
    await expect(resolve(unhashed)).resolves.toMatchObject({ pointerUrl: expect.any(String) });
  });

  it('takes a manifest of shards', async () => {
    const url = [
      { url: 'a.part', bytes: 5, sha256: HASH.toUpperCase() },
      { url: '/b.part', bytes: 7, sha256: HASH },
    ];
    const model = await resolve({ name: 'Split', url });
    expect(model).toEqual({
      name: 'Split',
      url: 'https://page.test/app/a.part',
      bytes: 12,
      shards: [
        { url: 'https://page.test/app/a.part', bytes: 5, sha256: HASH },
        { url: 'https://page.test/b.part', bytes: 7, sha256: HASH },
      ],
    });
    await expect(storeKey(model)).resolves.toMatch(/^shards-[0-9a-f]{64}$/);
    await expect(storeKey({ ...model, sha256: HASH })).resolves.toBe(HASH);
    await expect(resolve({ name: 'x', url: [] })).rejects.toMatchObject({ code: 'bad_manifest' });
    await expect(resolve({ name: 'x', url, bytes: 13 })).rejects.toMatchObject({ code: 'bad_manifest' });
    const [shard] = url;
    const bad = { ...shard, sha256: 'no' } as (typeof url)[0];
    await expect(resolve({ name: 'x', url: [bad] })).rejects.toMatchObject({ code: 'bad_sha256' });
  });

  it("takes the user's own file as it is, if it is a model", async () => {
    const file = new File(['GGUF and more'], 'Mine.gguf');
    const model = await resolve(file);
    expect(model).toMatchObject({ name: 'Mine', bytes: 13 });
    expect(model.file).toBe(file);
    await expect(resolve(new File(['PK'], 'a.zip'))).rejects.toMatchObject({ code: 'not_gguf' });
  });
});

describe('references to a hub', () => {
  it.each([
    'a/b/../../c.gguf',
    '../b/c.gguf',
    'a/b/c.gguf@..',
    'a//c.gguf',
    'a/b/c.bin',
    'a/b c/d.gguf',
    'a/b',
    'a',
    '',
  ])('refuses %j, which could lead elsewhere', (bad) => expect(parseHubFile(bad)).toBeUndefined());

  it('reads a Git LFS pointer and nothing else', () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${HASH}\nsize 123\n`;
    expect(parsePointer(pointer)).toEqual({ sha256: HASH, bytes: 123 });
    expect(parsePointer('GGUF')).toEqual({});
    expect(parsePointer(pointer.replace('sha256', 'md5'))).toEqual({ bytes: 123 });
  });
});

describe('askHub', () => {
  const file = hubAddresses({ owner: 'a', repo: 'b', file: 'c.gguf', revision: 'main' }, 'https://hub.test');
  const world = { now: () => 0, signal: new AbortController().signal };
  const asked: string[] = [];
  const hub = (pointer: Response, head: Response) => async (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${url}`);
    return init.method === 'HEAD' ? head : pointer;
  };
  const linked = { 'X-Linked-Etag': `"${HASH}"`, 'X-Linked-Size': '55' };

  it('falls back to the headers where there is no pointer', async () => {
    const fetch = hub(new Response('', { status: 404 }), new Response(null, { headers: linked }));
    await expect(askHub(file, { ...world, fetch })).resolves.toEqual({ sha256: HASH, bytes: 55 });
    expect(asked.splice(0)).toEqual([`GET ${file.pointerUrl}`, `HEAD ${file.url}`]);
  });

  it('goes on without a hash where the hub has none', async () => {
    const fetch = hub(new Response('GGUF'), new Response(null, { headers: { 'X-Linked-Etag': '"abc"' } }));
    await expect(askHub(file, { ...world, fetch })).resolves.toEqual({});
  });

  it.each([400, 401, 403, 404, 405, 410, 501])(
    'leaves a refusal to the download itself: HTTP %i',
    async (status) => {
      const fetch = hub(new Response('', { status }), new Response(null, { status, headers: linked }));
      await expect(askHub(file, { ...world, fetch })).resolves.toEqual({});
    },
  );

  it('waits as long as it is asked, within reason', async () => {
    const busy = (retryAfter: string) =>
      hub(new Response('', { status: 429, headers: { 'Retry-After': retryAfter } }), new Response());
    await expect(askHub(file, { ...world, fetch: busy('7') })).rejects.toMatchObject({ retryAfterMs: 7000 });
    await expect(askHub(file, { ...world, fetch: busy('3600') })).rejects.toMatchObject({
      code: 'server_busy',
    });
  });

  it('leaves what may pass to another attempt', async () => {
    const busy = hub(new Response('', { status: 503 }), new Response());
    await expect(askHub(file, { ...world, fetch: busy })).rejects.toBeInstanceOf(Interrupted);
    await expect(
      askHub(file, { ...world, fetch: () => Promise.reject(new TypeError('x')) }),
    ).rejects.toBeInstanceOf(Interrupted);
  });
});
