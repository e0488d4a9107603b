import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { PartFile } from './transfer';
import { verify } from './verify';

// More than two pieces, and not a multiple of one.
const BYTES = new Uint8Array(9_000_001).map((_, i) => i * 31);

const part = {
  size: () => BYTES.length,
  read: (length: number, at: number) => BYTES.subarray(at, at + length),
} as PartFile;

describe('verify', () => {
  it('hashes the whole file in pieces', async () => {
    const seen: number[] = [];
    await verify(part, createHash('sha256').update(BYTES).digest('hex'), (done) => seen.push(done));
    expect(seen).toEqual([4194304, 8388608, 9000001]);
  });

  it('refuses one flipped bit', async () => {
    const other = BYTES.slice();
    other[8_999_999] = (other[8_999_999] ?? 0) ^ 1;
    const sha256 = createHash('sha256').update(other).digest('hex');
    await expect(verify(part, sha256, () => {})).rejects.toMatchObject({ code: 'wrong_hash' });
  });
});
