import { describe, expect, it } from 'vitest';
import { Layout } from './layout';
import { digestOf, Ledger } from './ledger';
import { ggufBytes, MemoryStorage, sha256Of } from './memory.testing';
import { type Expected, Verifier } from './verify';

const BYTES = ggufBytes(900_001);
const PARTS = [300_000, 600_001];
const signal = new AbortController().signal;

async function onDisk() {
  const { data, sums } = await new MemoryStorage().open();
  const layout = new Layout(PARTS);
  const ledger = new Ledger(sums);
  data.write(BYTES, 0);
  for (let index = 0; index < layout.count; index++) {
    const { offset, length } = layout.chunk(index);
    ledger.set(index, await digestOf(BYTES.slice(offset, offset + length)));
  }
  return { data, ledger, layout };
}

type Disk = Awaited<ReturnType<typeof onDisk>>;
const verify = ({ data, ledger, layout }: Disk, expected: Expected, onProgress = (_: number) => {}) =>
  new Verifier(data, ledger, expected).finish(layout, onProgress, signal);

describe('Verifier', () => {
  it('checks the whole, its parts and its chunks in one pass', async () => {
    const seen: number[] = [];
    const expected = {
      sha256: sha256Of(BYTES),
      partSha256: [sha256Of(BYTES.slice(0, 300_000)), sha256Of(BYTES.slice(300_000))],
    };
    await expect(verify(await onDisk(), expected, (done) => seen.push(done))).resolves.toEqual({
      kind: 'sound',
    });
    expect(seen).toEqual([262_144, 300_000, 562_144, 824_288, 900_001]);
  });

  it('names the chunk with a flipped bit', async () => {
    const disk = await onDisk();
    disk.data.write(Uint8Array.of((BYTES[600_000] ?? 0) ^ 1), 600_000);
    const found = await verify(disk, { sha256: sha256Of(BYTES) });
    expect(found).toEqual({ kind: 'damaged', chunks: [3] });
  });

  it('says which part is not what was asked for', async () => {
    const disk = await onDisk();
    const partSha256 = [undefined, 'a'.repeat(64)];
    await expect(verify(disk, { partSha256 })).resolves.toMatchObject({
      kind: 'wrong_hash',
      part: 1,
    });
    const whole = await verify(disk, { sha256: 'a'.repeat(64) });
    expect(whole).toMatchObject({ kind: 'wrong_hash', part: undefined, actual: sha256Of(BYTES) });
  });

  it('runs along with the download, and begins again where something was fetched anew', async () => {
    const { data, ledger, layout } = await onDisk();
    const digests = Array.from({ length: layout.count }, (_, index) => ledger.digest(index)?.slice());
    const verifier = new Verifier(data, ledger, { sha256: sha256Of(BYTES) });
    ledger.clear(3, 4);
    verifier.advance(layout);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const seen: number[] = [];
    const finish = () => verifier.finish(layout, (done) => seen.push(done), signal);
    await expect(finish()).rejects.toMatchObject({ code: 'internal' });
    // The first three had been checked before.
    expect(seen).toEqual([]);
    if (digests[3] !== undefined) ledger.set(3, digests[3]);
    await expect(finish()).resolves.toEqual({ kind: 'sound' });
    expect(seen).toEqual([824_288, 900_001]);
    // A chunk that was checked is replaced by another content.
    const other = BYTES.slice(0, 262_144).fill(7, 10);
    ledger.clear(0, 1);
    data.write(other, 0);
    ledger.set(0, await digestOf(other));
    await expect(finish()).resolves.toMatchObject({ kind: 'wrong_hash' });
  });

  it('stops when the download is paused', async () => {
    const { data, ledger, layout } = await onDisk();
    const paused = new Verifier(data, ledger, {}).finish(layout, () => {}, AbortSignal.abort());
    await expect(paused).rejects.toMatchObject({ code: 'cancelled' });
  });
});
