import { describe, expect, it } from 'vitest';
import { compareValidators, parseRecord } from './record';

const RECORD = {
  version: 1,
  name: 'x',
  url: 'https://x/',
  parts: [{ bytes: 4, validator: { etag: '"a"' } }],
};

describe('parseRecord', () => {
  it('reads what was written', () => {
    expect(parseRecord(JSON.stringify(RECORD))).toEqual(RECORD);
    expect(parseRecord(JSON.stringify({ ...RECORD, parts: [{}] }))).toBeDefined();
  });

  it.each([
    '',
    'null',
    '{"version":1',
    JSON.stringify({ ...RECORD, version: 2 }),
    JSON.stringify({ ...RECORD, parts: [] }),
    JSON.stringify({ ...RECORD, parts: [null] }),
    JSON.stringify({ ...RECORD, parts: [{ bytes: -1 }] }),
    JSON.stringify({ ...RECORD, parts: [{ bytes: 1 }, {}] }),
    JSON.stringify({ ...RECORD, parts: [{ validator: { etag: 7 } }] }),
    JSON.stringify({ ...RECORD, sha256: 7 }),
  ])('takes %j for damaged', (text) => expect(parseRecord(text)).toBeUndefined());
});

describe('compareValidators', () => {
  it('trusts the ETag before the date, and says where it does not know', () => {
    expect(compareValidators({ etag: '"a"', lastModified: 'x' }, { etag: '"a"', lastModified: 'y' })).toBe(
      'same',
    );
    expect(compareValidators({ etag: '"a"' }, { etag: '"b"' })).toBe('changed');
    expect(compareValidators({ lastModified: 'x' }, { etag: '"b"', lastModified: 'y' })).toBe('changed');
    expect(compareValidators({ etag: '"a"' }, { lastModified: 'y' })).toBe('unknown');
    expect(compareValidators(undefined, { etag: '"a"' })).toBe('unknown');
  });
});
