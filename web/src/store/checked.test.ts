import { describe, expect, it } from 'vitest';
import { InshoreError } from '../error';
import { CheckedFile, UserFile } from './checked';
import { damaged, notStored } from './failures';
import { Layout } from './layout';
import { DIGEST_BYTES, digestOf } from './ledger';
import { ggufBytes, randomFrom, sha256Of } from './memory.testing';

const BYTES = ggufBytes(1_500_007);
const LAYOUT = new Layout([700_000, 800_007]);

async function sums(): Promise<Uint8Array> {
  const table = new Uint8Array(LAYOUT.count * DIGEST_BYTES);
  for (let index = 0; index < LAYOUT.count; index++) {
    const { offset, length } = LAYOUT.chunk(index);
    table.set(await digestOf(BYTES.slice(offset, offset + length)), index * DIGEST_BYTES);
  }
  return table;
}

async function open(bytes: Uint8Array, onDamage = async () => damaged()) {
  return new CheckedFile(new Blob([bytes as Uint8Array<ArrayBuffer>]), LAYOUT, await sums(), onDamage);
}

describe('CheckedFile', () => {
  it('gives the bytes that were asked for, wherever they lie', async () => {
    const file = await open(BYTES);
    const random = randomFrom(7);
    expect(file.size).toBe(BYTES.length);
    for (let turn = 0; turn < 200; turn++) {
      const offset = Math.floor(random() * BYTES.length);
      // Small ones, as norms are, and such that cover several chunks.
      const length = Math.floor(random() * (turn % 2 === 0 ? 3000 : 900_000));
      const read = await file.read(offset, length);
      expect(sha256Of(read), `${offset} ${length}`).toBe(sha256Of(BYTES.slice(offset, offset + length)));
    }
    await expect(file.read(BYTES.length, 10)).resolves.toEqual(new Uint8Array(0));
  });

  it('gives out no byte of a damaged chunk, and is of no use after that', async () => {
    const flipped = BYTES.slice();
    flipped[1_000_000] = (flipped[1_000_000] ?? 0) ^ 0x10;
    let told = 0;
    const file = await open(flipped, async () => {
      told += 1;
      return damaged();
    });
    await expect(file.read(0, 700_000)).resolves.toHaveLength(700_000);
    await expect(file.read(999_999, 1)).rejects.toMatchObject({ code: 'model_damaged' });
    expect(told).toBe(1);
    await expect(file.read(0, 4)).rejects.toMatchObject({ code: 'model_damaged' });
    const asEngineSees = Promise.reject(new Error('reading failed'));
    await expect(file.guard(asEngineSees)).rejects.toMatchObject({ code: 'model_damaged' });
  });

  it('takes a damaged list of digests for damage too', async () => {
    const table = await sums();
    table[DIGEST_BYTES + 3] = (table[DIGEST_BYTES + 3] ?? 0) ^ 1;
    const file = new CheckedFile(new Blob([BYTES as Uint8Array<ArrayBuffer>]), LAYOUT, table, async () =>
      damaged(),
    );
    await expect(file.read(300_000, 10)).rejects.toMatchObject({ code: 'model_damaged' });
  });

  it('finds a file that was cut off, or is gone', async () => {
    const short = await open(BYTES.slice(0, 1_400_000));
    await expect(short.read(1_390_000, 1000)).rejects.toMatchObject({ code: 'model_damaged' });
    const gone = {
      slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('x', 'NotFoundError')) }),
    };
    const file = new CheckedFile(gone as unknown as Blob, LAYOUT, await sums(), async (cause) =>
      notStored(cause),
    );
    await expect(file.read(0, 4)).rejects.toMatchObject({ code: 'model_not_stored' });
  });

  it('lets other errors of the work through', async () => {
    const file = await open(BYTES);
    const error = new InshoreError('unsupported_tensor_type', 'x');
    await expect(file.guard(Promise.reject(error))).rejects.toBe(error);
    await expect(file.guard(Promise.resolve(3))).resolves.toBe(3);
  });
});

describe('UserFile', () => {
  it('reads the file where it is', async () => {
    const file = new UserFile(new File([BYTES as Uint8Array<ArrayBuffer>], 'mine.gguf'));
    expect(file.size).toBe(BYTES.length);
    await expect(file.read(0, 4)).resolves.toEqual(new TextEncoder().encode('GGUF'));
  });

  it('says which file cannot be read any more', async () => {
    const gone = {
      name: 'mine.gguf',
      slice: () => ({ arrayBuffer: () => Promise.reject(new Error('moved')) }),
    };
    const file = new UserFile(gone as unknown as File);
    const reading = file.read(0, 4);
    await expect(file.guard(reading.catch(() => Promise.reject(new Error('engine'))))).rejects.toMatchObject({
      code: 'file_unreadable',
      message: expect.stringContaining('mine.gguf'),
    });
  });
});
