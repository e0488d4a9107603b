import { describe, expect, it } from 'vitest';
import { backoffMs, checkQuota, checkSize, continueFrom, Interrupted, startsLikeGguf } from './resume';

const URL = 'https://host.test/m.gguf';
const answer = (status: number, more: Partial<Parameters<typeof continueFrom>[0]> = {}) => ({
  status,
  contentRange: null,
  contentLength: null,
  contentEncoding: null,
  ...more,
});
const code = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).constructor.name;
  }
  return undefined;
};

describe('continueFrom', () => {
  it('begins with a whole body', () => {
    expect(continueFrom(answer(200, { contentLength: '100' }), 0, URL)).toEqual({
      kind: 'body',
      start: 0,
      totalBytes: 100,
    });
  });

  it('goes on where the part ends', () => {
    const range = answer(206, { contentRange: 'bytes 40-99/100', contentLength: '60' });
    expect(continueFrom(range, 40, URL)).toEqual({ kind: 'body', start: 40, totalBytes: 100 });
    const open = answer(206, { contentRange: 'bytes 40-99/*' });
    expect(continueFrom(open, 40, URL)).toEqual({ kind: 'body', start: 40, totalBytes: undefined });
  });

  it('begins again where the server ignores the range', () => {
    expect(continueFrom(answer(200, { contentLength: '100' }), 40, URL)).toMatchObject({
      kind: 'body',
      start: 0,
    });
  });

  it.each([
    ['starts elsewhere', answer(206, { contentRange: 'bytes 41-99/100' })],
    ['is not told', answer(206)],
    ['is nonsense', answer(206, { contentRange: 'bytes 40-' })],
    ['is past the end', answer(416, { contentRange: 'bytes */30' })],
  ])('throws the part away where the range %s', (_, given) => {
    expect(continueFrom(given, 40, URL)).toEqual({ kind: 'restart' });
  });

  it('does not take the length of a compressed body for that of the file', () => {
    const zipped = answer(200, { contentLength: '50', contentEncoding: 'gzip' });
    expect(continueFrom(zipped, 0, URL)).toMatchObject({ totalBytes: undefined });
  });

  it.each([
    [404, 'model_not_found'],
    [410, 'model_not_found'],
    [401, 'access_denied'],
    [403, 'access_denied'],
    [400, 'http_status'],
    [416, 'http_status'],
    [304, 'http_status'],
  ])('ends with a typed error on HTTP %i', (status, expected) => {
    expect(code(() => continueFrom(answer(status), 0, URL))).toBe(expected);
  });

  it.each([408, 429, 500, 503])('tries again on HTTP %i', (status) => {
    expect(() => continueFrom(answer(status), 0, URL)).toThrow(Interrupted);
  });
});

describe('the checks around a download', () => {
  it('compares sizes only where both are known', () => {
    expect(code(() => checkSize(10, 10))).toBeUndefined();
    expect(code(() => checkSize(undefined, 10))).toBeUndefined();
    expect(code(() => checkSize(10, undefined))).toBeUndefined();
    expect(code(() => checkSize(9, 10))).toBe('wrong_size');
  });

  it('refuses what does not fit, to the byte', () => {
    expect(code(() => checkQuota(100, 100))).toBeUndefined();
    expect(code(() => checkQuota(100, undefined))).toBeUndefined();
    expect(code(() => checkQuota(101, 100))).toBe('quota_exceeded');
    expect(() => checkQuota(5e6, -3)).toThrow(
      /needs 5\.0 MB more, the browser grants this page 0\.0 MB\. Free/,
    );
  });

  it('knows GGUF by its first bytes, however few there are', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(startsLikeGguf(bytes('GGUF...'))).toBe(true);
    expect(startsLikeGguf(bytes('GG'))).toBe(true);
    expect(startsLikeGguf(bytes('<!do'))).toBe(false);
    expect(startsLikeGguf(bytes('GGU'.concat('X')))).toBe(false);
  });

  it('waits longer each time, up to 8 s', () => {
    expect([1, 2, 3, 4, 5, 6].map(backoffMs)).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
  });
});
