import { describe, expect, it } from 'vitest';
import {
  forwardRetryAfter,
  MAX_RETRY_AFTER_MS,
  parseRetryAfter,
  retryAfterMs,
  retryAfterSeconds,
} from './retry-after';

const NOW = Date.UTC(2026, 10, 28, 12, 0, 0);
const of = (headers: Record<string, string>) => retryAfterMs(new Headers(headers), NOW);

describe('Retry-After', () => {
  it.each([
    ['7', 7000],
    ['0', 0],
    ['1.5', 1500],
    ['.5', 500],
    ['2.', 2000],
    [' 3 ', 3000],
    ['007', 7000],
    ['3600', 3_600_000],
    ['3601', MAX_RETRY_AFTER_MS],
    ['1e3', undefined],
    ['9'.repeat(400), MAX_RETRY_AFTER_MS],
    ['Sat, 28 Nov 2026 12:00:09 GMT', 9000],
    ['sat, 28 nov 2026 12:00:09 gmt', 9000],
    ['Saturday, 28-Nov-26 12:00:09 GMT', 9000],
    ['Sat Nov 28 12:00:09 2026', 9000],
    ['Wed Dec  2 12:00:00 2026', MAX_RETRY_AFTER_MS],
    ['Sat, 28 Nov 2026 11:59:00 GMT', 0],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['Fri, 31 Dec 9999 23:59:59 GMT', MAX_RETRY_AFTER_MS],
    ['', undefined],
    ['   ', undefined],
    ['-1', undefined],
    ['-1.5', undefined],
    ['+5', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['0x10', undefined],
    ['1,5', undefined],
    ['1 2', undefined],
    ['5s', undefined],
    ['soon', undefined],
    ['2026', 2_026_000],
    ['2026-11-28T12:00:09Z', undefined],
    ['Sat, 99 Nov 2026 12:00:09 GMT', undefined],
    ['Sat, 28 Foo 2026 12:00:09 GMT', undefined],
    ['Sat, 28 Nov 2026 25:00:09 GMT', undefined],
  ])('%j', (value, expected) => {
    expect(of({ 'retry-after': value })).toBe(expected);
    expect(parseRetryAfter(value, NOW)).toBe(expected);
  });

  it('gives way to `retry-after-ms`, unless that is nonsense', () => {
    expect(of({ 'retry-after-ms': '250', 'retry-after': '7' })).toBe(250);
    expect(of({ 'retry-after-ms': '12.5' })).toBe(12.5);
    expect(of({ 'retry-after-ms': '99999999999' })).toBe(MAX_RETRY_AFTER_MS);
    for (const nonsense of ['', '-1', 'NaN', 'x'])
      expect(of({ 'retry-after-ms': nonsense, 'retry-after': '7' })).toBe(7000);
  });

  it('counts a date on the server’s own clock', () => {
    const retry = 'Sat, 28 Nov 2026 15:00:09 GMT';
    expect(of({ 'retry-after': retry, date: 'Sat, 28 Nov 2026 15:00:00 GMT' })).toBe(9000);
    expect(of({ 'retry-after': retry, date: 'nonsense' })).toBe(MAX_RETRY_AFTER_MS);
    expect(of({})).toBeUndefined();
    expect(parseRetryAfter(null, NOW)).toBeUndefined();
  });

  it.each([
    [{ 'retry-after': '1.5' }, '2'],
    [{ 'retry-after': 'Sat, 28 Nov 2026 12:00:09 GMT' }, 'Sat, 28 Nov 2026 12:00:09 GMT'],
    [{ 'retry-after': 'Sat Nov 28 12:00:09 2026' }, 'Sat, 28 Nov 2026 12:00:09 GMT'],
    [{ 'retry-after-ms': '250', 'retry-after': 'Sat, 28 Nov 2026 12:00:09 GMT' }, '1'],
    [{ 'retry-after-ms': 'x', 'retry-after': '7' }, '7'],
    [{ 'retry-after': '99999999' }, '3600'],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ])('is passed on as %j says', (headers, expected) => {
    expect(forwardRetryAfter(new Headers(headers as Record<string, string>))).toBe(expected);
  });

  it('is written in whole seconds that are never too short', () => {
    expect([0, 1, 999, 1000, 1001].map(retryAfterSeconds)).toEqual(['0', '1', '1', '1', '2']);
  });
});
