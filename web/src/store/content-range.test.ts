import { describe, expect, it } from 'vitest';
import { parseContentRange, parseUnsatisfiedRange } from './content-range';
import { randomFrom } from './memory.testing';

describe('Content-Range', () => {
  it.each([
    ['bytes 5-9/10', { start: 5, end: 10, totalBytes: 10 }],
    ['bytes 0-0/1', { start: 0, end: 1, totalBytes: 1 }],
    ['Bytes  5-9/*', { start: 5, end: 10, totalBytes: undefined }],
    [' bytes 5 - 9 / 10 ', { start: 5, end: 10, totalBytes: 10 }],
    ['bytes 5-10/10', undefined],
    ['bytes 9-5/10', undefined],
    ['bytes */10', undefined],
    ['bytes 5-9', undefined],
    ['bytes 5-/10', undefined],
    ['bytes -5/10', undefined],
    ['bytes +5-9/10', undefined],
    ['items 5-9/10', undefined],
    ['bytes=5-9/10', undefined],
    ['bytes 5-9/10, 12-13/20', undefined],
    ['bytes 0x5-9/10', undefined],
    ['bytes 0-99999999999999999999/*', undefined],
    ['', undefined],
  ])('%j', (text, expected) => {
    expect(parseContentRange(text)).toEqual(expected);
  });

  it('is read back as it was written, for any range', () => {
    const random = randomFrom(11);
    const below = (limit: number): number => Math.floor(random() * limit);
    for (let turn = 0; turn < 5000; turn++) {
      const totalBytes = 1 + below(Number.MAX_SAFE_INTEGER - 1);
      const start = below(totalBytes);
      const end = start + 1 + below(totalBytes - start);
      expect(parseContentRange(`bytes ${start}-${end - 1}/${totalBytes}`)).toEqual({
        start,
        end,
        totalBytes,
      });
      expect(parseContentRange(`bytes ${start}-${end - 1}/${end - 1}`)).toBeUndefined();
    }
  });

  it('of any other text is not a range or one that lies in its file', () => {
    const random = randomFrom(12);
    const alphabet = 'bytes 0123456789-/*, =+.e';
    for (let turn = 0; turn < 20_000; turn++) {
      const length = Math.floor(random() * 24);
      const text = Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('');
      for (const candidate of [text, `bytes ${text}`]) {
        const range = parseContentRange(candidate);
        if (range === undefined) continue;
        expect(range.start).toBeLessThan(range.end);
        expect(range.end).toBeLessThanOrEqual(range.totalBytes ?? Number.POSITIVE_INFINITY);
      }
    }
  });

  it('of a 416 says the size', () => {
    expect(parseUnsatisfiedRange('bytes */10')).toBe(10);
    for (const text of ['bytes 0-9/10', 'bytes */*', 'bytes */', '*/10', ''])
      expect(parseUnsatisfiedRange(text)).toBeUndefined();
  });
});
