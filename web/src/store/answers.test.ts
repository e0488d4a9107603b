import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../protocol/retry-after';
import {
  type Asked,
  backoffMs,
  checkSize,
  Interrupted,
  ifRange,
  judge,
  readAnswer,
  type ServerAnswer,
} from './answers';
import { checkQuota } from './quota';

const NOW = Date.UTC(2026, 0, 1);
const answer = (status: number, more: Partial<ServerAnswer> = {}): ServerAnswer => ({
  status,
  contentRange: null,
  contentLength: null,
  contentEncoding: null,
  retryAfter: null,
  etag: null,
  lastModified: null,
  ...more,
});
const asked = (more: Partial<Asked> = {}): Asked => ({
  url: 'https://host.test/m.gguf',
  start: 40,
  expectedBytes: undefined,
  validator: undefined,
  hashed: true,
  ...more,
});
const verdict = (given: ServerAnswer, more: Partial<Asked> = {}) => judge(given, asked(more), NOW);
const range = (more: Partial<ServerAnswer> = {}) => answer(206, { contentRange: 'bytes 40-79/100', ...more });
const code = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).constructor.name;
  }
  return undefined;
};

describe('judge: a range', () => {
  it('is taken where it begins as asked, up to where it ends', () => {
    expect(verdict(range({ etag: '"a"' }))).toEqual({
      kind: 'range',
      start: 40,
      end: 80,
      totalBytes: 100,
      validator: { etag: '"a"' },
    });
  });

  it.each([
    ['starts elsewhere', range({ contentRange: 'bytes 41-79/100' })],
    ['is missing', answer(206)],
    ['is nonsense', range({ contentRange: 'bytes 40-/100' })],
    ['ends before it starts', range({ contentRange: 'bytes 40-39/100' })],
    ['ends after the file', range({ contentRange: 'bytes 40-100/100' })],
    ['has no total', range({ contentRange: 'bytes 40-79/*' })],
    ['is one of compressed bytes', range({ contentEncoding: 'gzip' })],
  ])('is not trusted where it %s', (_, given) => {
    expect(verdict(given)).toEqual({ kind: 'no_ranges' });
  });

  it('without hash and validator could be of any version', () => {
    expect(verdict(range(), { hashed: false })).toEqual({ kind: 'no_ranges' });
    expect(verdict(range({ lastModified: 'x' }), { hashed: false })).toMatchObject({ kind: 'range' });
  });

  it('of another version is refused', () => {
    const validator = { etag: '"a"', lastModified: 'x' };
    expect(verdict(range({ etag: '"b"' }), { validator })).toEqual({ kind: 'changed' });
    expect(verdict(range({ lastModified: 'y' }), { validator })).toEqual({ kind: 'changed' });
    expect(verdict(range({ etag: '"a"' }), { validator })).toMatchObject({ kind: 'range' });
    expect(code(() => verdict(range(), { expectedBytes: 101 }))).toBe('wrong_size');
  });

  it('that nobody asked for is an error', () => {
    expect(code(() => verdict(range(), { start: undefined }))).toBe('bad_range');
    const all = answer(206, { contentRange: 'bytes 0-99/100' });
    expect(verdict(all, { start: undefined })).toEqual({ kind: 'whole', totalBytes: 100 });
  });

  it('past the end means another version, or another size', () => {
    const past = answer(416, { contentRange: 'bytes */30' });
    expect(verdict(past)).toEqual({ kind: 'changed' });
    expect(code(() => verdict(past, { expectedBytes: 100 }))).toBe('wrong_size');
    expect(verdict(answer(416), { start: 0 })).toEqual({ kind: 'no_ranges' });
  });
});

describe('judge: a whole file', () => {
  it('is taken for what it is', () => {
    expect(verdict(answer(200, { contentLength: '100' }))).toEqual({ kind: 'whole', totalBytes: 100 });
    expect(code(() => verdict(answer(200, { contentLength: '99' }), { expectedBytes: 100 }))).toBe(
      'wrong_size',
    );
  });

  it('has no length while it is compressed', () => {
    const zipped = answer(200, { contentLength: '50', contentEncoding: 'gzip' });
    expect(verdict(zipped, { expectedBytes: 100 })).toEqual({ kind: 'whole', totalBytes: undefined });
  });

  it('has no length across origins, where compression does not show', () => {
    const headers = new Headers({ 'content-length': '50' });
    expect(readAnswer({ status: 200, headers, type: 'cors' } as Response).contentLength).toBeNull();
    expect(readAnswer({ status: 200, headers, type: 'basic' } as Response).contentLength).toBe('50');
  });

  it('in answer to `If-Range` is the other version', () => {
    expect(verdict(answer(200, { etag: '"b"' }), { validator: { etag: '"a"' } })).toEqual({
      kind: 'changed',
    });
  });
});

describe('judge: a 200 that says it is a part', () => {
  it.each([
    ['bytes 40-99/100', '60'],
    ['bytes 40-99/100', '100'],
    ['bytes 0-59/100', '60'],
    ['bytes 0-99/100', '60'],
    ['bytes 0-99/*', '100'],
    ['nonsense', '100'],
  ])('%s of length %s is not the whole', (contentRange, contentLength) => {
    const lie = answer(200, { contentRange, contentLength });
    expect(verdict(lie)).toEqual({ kind: 'no_ranges' });
    expect(code(() => verdict(lie, { start: undefined }))).toBe('bad_range');
  });

  it('is the whole where it says just that', () => {
    expect(verdict(answer(200, { contentRange: 'bytes 0-99/100', contentLength: '100' }))).toEqual({
      kind: 'whole',
      totalBytes: 100,
    });
  });
});

describe('judge: a range that contradicts itself', () => {
  it('by the length of its body is not taken', () => {
    expect(verdict(range({ contentLength: '100' }))).toEqual({ kind: 'no_ranges' });
    expect(verdict(range({ contentLength: '40' }))).toMatchObject({ kind: 'range' });
  });

  it('by losing the validator of what is here is not taken without a hash', () => {
    const validator = { etag: '"a"' };
    expect(verdict(range(), { hashed: false, validator })).toEqual({ kind: 'no_ranges' });
    expect(verdict(range({ lastModified: 'x' }), { hashed: false, validator })).toEqual({
      kind: 'no_ranges',
    });
    expect(verdict(range({ etag: '"a"' }), { hashed: false, validator })).toMatchObject({ kind: 'range' });
  });
});

describe('judge: refusals', () => {
  it.each([
    [404, 'model_not_found'],
    [410, 'model_not_found'],
    [401, 'access_denied'],
    [403, 'access_denied'],
    [400, 'http_status'],
    [304, 'http_status'],
  ])('HTTP %i: %s', (status, expected) => {
    expect(code(() => verdict(answer(status)))).toBe(expected);
  });

  it.each([408, 425, 429, 500, 503])('HTTP %i may pass', (status) => {
    expect(() => verdict(answer(status))).toThrow(Interrupted);
  });

  it('waits as long as asked, within reason', () => {
    const busy = (retryAfter: string) => () => verdict(answer(429, { retryAfter }));
    expect(busy('7')).toThrow(expect.objectContaining({ retryAfterMs: 7000, overloaded: true }));
    expect(busy('soon')).toThrow(expect.objectContaining({ retryAfterMs: undefined }));
    expect(code(busy('3600'))).toBe('server_busy');
  });

  it('reads both forms of Retry-After', () => {
    expect(parseRetryAfter('120', NOW)).toBe(120_000);
    expect(parseRetryAfter(new Date(NOW + 5000).toUTCString(), NOW)).toBe(5000);
    expect(parseRetryAfter(new Date(NOW - 5000).toUTCString(), NOW)).toBe(0);
    expect(parseRetryAfter('1.5', NOW)).toBe(1500);
    for (const text of ['-3', '+3', '1.2.3', '.', '', 'soon', '5 minutes'])
      expect(parseRetryAfter(text, NOW), text).toBeUndefined();
    expect(parseRetryAfter(null, NOW)).toBeUndefined();
  });
});

describe('the checks around a download', () => {
  it('makes no condition of a weak ETag', () => {
    expect(ifRange({ etag: '"a"', lastModified: 'x' })).toBe('"a"');
    expect(ifRange({ etag: 'W/"a"', lastModified: 'x' })).toBe('x');
    expect(ifRange({ etag: 'W/"a"' })).toBeUndefined();
    expect(ifRange(undefined)).toBeUndefined();
  });

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

  it('waits longer each time, up to 8 s', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(backoffMs)).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000]);
  });
});
