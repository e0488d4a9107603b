import { describe, expect, it } from 'vitest';
import { resolveModel } from '../store/resolve';
import { askSize, foreignHost } from './foreign-model';

const PAGE = 'https://app.example/chat/?model=x';
const ORIGIN = 'https://app.example';

describe('a model of another site is known as such', () => {
  it.each([
    ['https://evil.example/m.gguf', 'evil.example'],
    ['//evil.example/m.gguf', 'evil.example'],
    ['http://app.example/m.gguf', 'app.example'],
    ['https://app.example:8443/m.gguf', 'app.example:8443'],
    ['https://app.example.evil.example/m.gguf', 'app.example.evil.example'],
    ['https://app.example@evil.example/m.gguf', 'evil.example'],
    ['https:\\\\evil.example\\m.gguf', 'evil.example'],
    ['hf:owner/repo/m.gguf', 'huggingface.co'],
  ])('%s', async (address, host) => {
    expect(foreignHost(await resolveModel(address, PAGE), ORIGIN)).toBe(host);
  });

  it.each(['/models/m.gguf', 'm.gguf', '../m.gguf?x=https://evil.example/', 'https://app.example/m.gguf'])(
    'but not %s',
    async (address) => {
      expect(foreignHost(await resolveModel(address, PAGE), ORIGIN)).toBeUndefined();
    },
  );

  it('also where only one shard of a manifest is elsewhere', async () => {
    const shard = (url: string) => ({ url, bytes: 1, sha256: 'a'.repeat(64) });
    const url = [shard('/1.gguf'), shard('https://evil.example/2.gguf')];
    expect(foreignHost(await resolveModel({ name: 'm', url }, PAGE), ORIGIN)).toBe('evil.example');
  });

  it('and a file of the visitor’s own is not', async () => {
    const file = new File(['GGUF and more'], 'm.gguf');
    expect(foreignHost(await resolveModel(file, PAGE), ORIGIN)).toBeUndefined();
  });
});

describe('its size', () => {
  const ask = (status: number, headers: Record<string, string>) =>
    askSize('https://evil.example/m.gguf', async (_, init) => {
      expect(init?.method).toBe('HEAD');
      return new Response(null, { status, headers });
    });

  it.each([
    [200, { 'content-length': '1234' }, 1234],
    [200, {}, undefined],
    [200, { 'content-length': '0' }, undefined],
    [200, { 'content-length': 'many' }, undefined],
    [200, { 'content-length': '99', 'content-encoding': 'gzip' }, undefined],
    [404, { 'content-length': '1234' }, undefined],
  ])('of an answer with %i and %j is %s', async (status, headers, size) => {
    expect(await ask(status, headers as Record<string, string>)).toBe(size);
  });

  it('is unknown where the server cannot be asked', async () => {
    const refuse = async (): Promise<never> => {
      throw new TypeError('Failed to fetch');
    };
    expect(await askSize('https://evil.example/m.gguf', refuse)).toBeUndefined();
  });
});
