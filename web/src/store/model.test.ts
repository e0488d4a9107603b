import { describe, expect, it } from 'vitest';
import { modelFromUrl, readManifest, storeKey } from './model';

const BASE = 'http://localhost:8080/models/manifest.json';
const HASH = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';
const entry = {
  name: 'Tiny',
  file: 'tiny.gguf',
  url: '/models/tiny.gguf',
  bytes: 10,
  sha256: HASH.toUpperCase(),
};

describe('readManifest', () => {
  it('reads what `inshore serve` writes', () => {
    expect(readManifest({ models: [entry] }, BASE)).toEqual([
      { name: 'Tiny', url: 'http://localhost:8080/models/tiny.gguf', bytes: 10, sha256: HASH },
    ]);
  });

  it('does without size and hash', () => {
    const { name, url } = entry;
    expect(readManifest({ models: [{ name, url, bytes: null }] }, BASE)).toEqual([
      { name, url: 'http://localhost:8080/models/tiny.gguf' },
    ]);
  });

  it.each([
    null,
    [],
    'x',
    {},
    { models: {} },
    { models: [7] },
    { models: [{ name: 'x' }] },
    { models: [{ ...entry, bytes: -1 }] },
    { models: [{ ...entry, bytes: 1.5 }] },
    { models: [{ ...entry, bytes: '10' }] },
  ])('refuses %j', (manifest) => {
    expect(() => readManifest(manifest, BASE)).toThrow(expect.objectContaining({ code: 'bad_manifest' }));
  });

  it('refuses addresses that are no web addresses, and hashes that are none', () => {
    const read = (more: object) => () => readManifest({ models: [{ ...entry, ...more }] }, BASE);
    expect(read({ url: 'javascript:alert(1)' })).toThrow(expect.objectContaining({ code: 'bad_url' }));
    expect(read({ url: 'file:///etc/passwd' })).toThrow(expect.objectContaining({ code: 'bad_url' }));
    expect(read({ sha256: 'abc' })).toThrow(expect.objectContaining({ code: 'bad_sha256' }));
  });
});

describe('names', () => {
  it('calls a model of the address line by its file', () => {
    expect(modelFromUrl('/x/My%20model.GGUF', undefined, BASE).name).toBe('My model');
  });

  it('keeps a model under its hash, or under that of its address', async () => {
    await expect(storeKey({ name: 'a', url: 'http://x/', sha256: HASH })).resolves.toBe(HASH);
    const key = await storeKey({ name: 'a', url: 'http://x/' });
    expect(key).toMatch(/^url-[0-9a-f]{64}$/);
    await expect(storeKey({ name: 'b', url: 'http://x/' })).resolves.toBe(key);
    await expect(storeKey({ name: 'a', url: 'http://y/' })).resolves.not.toBe(key);
  });
});
