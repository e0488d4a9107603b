import { describe, expect, it } from 'vitest';
import { Layout } from './layout';
import { digestOf, Ledger } from './ledger';
import { ggufBytes, MemoryPlace, sha256Of } from './memory.testing';
import { verify } from './verify';

const BYTES = ggufBytes(900_001);
const PARTS = [300_000, 600_001];
const signal = new AbortController().signal;

async function onDisk() {
  const { data, sums } = await new MemoryPlace().open();
  const layout = new Layout(PARTS);
  const ledger = new Ledger(sums);
  data.write(BYTES, 0);
  for (let index = 0; index < layout.count; index++) {
    const { offset, length } = layout.chunk(index);
    ledger.set(index, await digestOf(BYTES.slice(offset, offset + length)));
  }
  return { data, ledger, layout };
}

describe('verify', () => {
  it('checks the whole, its parts and its chunks in one pass', async () => {
    const seen: number[] = [];
    const expected = {
      sha256: sha256Of(BYTES),
      partSha256: [sha256Of(BYTES.slice(0, 300_000)), sha256Of(BYTES.slice(300_000))],
    };
    await expect(verify(await onDisk(), expected, (done) => seen.push(done), signal)).resolves.toEqual({
      kind: 'sound',
    });
    expect(seen).toEqual([262_144, 300_000, 562_144, 824_288, 900_001]);
  });

  it('names the chunk with a flipped bit', async () => {
    const disk = await onDisk();
    disk.data.write(Uint8Array.of((BYTES[600_000] ?? 0) ^ 1), 600_000);
    const found = await verify(disk, { sha256: sha256Of(BYTES) }, () => {}, signal);
    expect(found).toEqual({ kind: 'damaged', chunks: [3] });
  });

  it('says which part is not what was asked for', async () => {
    const disk = await onDisk();
    const partSha256 = [undefined, 'a'.repeat(64)];
    await expect(verify(disk, { partSha256 }, () => {}, signal)).resolves.toMatchObject({
      kind: 'wrong_hash',
      part: 1,
    });
    const whole = await verify(disk, { sha256: 'a'.repeat(64) }, () => {}, signal);
    expect(whole).toMatchObject({ kind: 'wrong_hash', part: undefined, actual: sha256Of(BYTES) });
  });
});
