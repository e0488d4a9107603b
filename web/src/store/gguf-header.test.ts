import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BLOCKS, checkGguf } from './gguf-header';
import { randomFrom } from './memory.testing';
import { modelBytes } from './scripted-server.testing';

const FILE = modelBytes(1);

async function codeOf(bytes: Uint8Array, size = bytes.length): Promise<string | undefined> {
  const read = (at: number, length: number): Uint8Array => bytes.subarray(at, at + length);
  try {
    await checkGguf(read, size, 'a file');
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return undefined;
}

/** A file of version 3 with these entries and tensors, as bytes of a header, and `data` bytes behind it. */
function build(entries: Uint8Array[], tensors: Uint8Array[], data: number): Uint8Array {
  const head = [
    text('GGUF').subarray(8),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries,
    ...tensors,
  ];
  const length = head.reduce((sum, part) => sum + part.length, 0);
  const start = Math.ceil(length / 32) * 32;
  return concat([...head, new Uint8Array(start - length + data)]);
}
const concat = (parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const u64 = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string): Uint8Array => concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const tensor = (type: number, shape: number[], offset: number): Uint8Array =>
  concat([text('w'), u32(shape.length), ...shape.map(u64), u32(type), u64(offset)]);
const entry = (key: string, type: number, ...value: Uint8Array[]): Uint8Array =>
  concat([text(key), u32(type), ...value]);

describe('checkGguf', () => {
  it('takes a whole file, and not one that lacks a byte', async () => {
    expect(await codeOf(FILE)).toBeUndefined();
    for (const length of [0, 1, 3]) expect(await codeOf(FILE.subarray(0, length))).toBe('not_gguf');
    for (const length of [4, 8, 23, 60, 100, 127, 128, 5000, 262_144, FILE.length - 1])
      expect(await codeOf(FILE.subarray(0, length)), `${length} bytes`).toBe('truncated');
  });

  it('does not trust a size that the disk does not have', async () => {
    expect(await codeOf(FILE.subarray(0, 20), FILE.length)).toBe('truncated');
  });

  it('skips every kind of value', async () => {
    const strings = concat([u32(8), u64(2), text('a'), text('bc')]);
    const nested = concat([u32(9), u64(2), u32(4), u64(1), u32(7), u32(8), u64(1), text('x')]);
    const entries = [
      entry('a', 0, Uint8Array.of(1)),
      entry('b', 3, Uint8Array.of(1, 2)),
      entry('c', 12, u64(1)),
      entry('d', 9, strings),
      entry('e', 9, nested),
      entry('f', 9, u32(6), u64(3), u32(1), u32(2), u32(3)),
      entry('general.alignment', 4, u32(32)),
      entry('h', 8, text('é'.repeat(1_000_000))),
    ];
    const file = build(entries, [tensor(0, [8, 2], 0), tensor(8, [32], 64)], 64 + 34);
    expect(await codeOf(file)).toBeUndefined();
    expect(await codeOf(file.subarray(0, -1))).toBe('truncated');
  });

  it('computes the length of each type that the engine reads as the engine does', async () => {
    const source = readFileSync(
      new URL('../../../crates/inshore-gguf/src/ggml_type.rs', import.meta.url),
      'utf8',
    );
    const rows = [...source.matchAll(/row\(GgmlType::\w+, "\w+", (\d+), (\d+), ([\d +]+)\)/g)];
    const sum = (terms = ''): number => terms.split('+').reduce((total, term) => total + Number(term), 0);
    const table = rows.map(([, code, values, bytes]) => [Number(code), [Number(values), sum(bytes)]]);
    expect(table.length).toBeGreaterThan(10);
    expect(new Map(table as [number, [number, number]][])).toEqual(new Map([...BLOCKS].sort(order(table))));
    for (const [code, [values, bytes]] of BLOCKS) {
      const file = build([], [tensor(code, [values * 2, 3], 0)], 6 * bytes);
      expect(await codeOf(file), `type ${code}`).toBeUndefined();
      expect(await codeOf(file.subarray(0, -1)), `type ${code}`).toBe('truncated');
    }
  });

  it.each([
    ['a value of an unknown type', build([entry('a', 13, u64(0))], [], 0)],
    ['an array of an unknown type', build([entry('a', 9, u32(99), u64(1), u64(0))], [], 0)],
    ['an alignment that is not a power of two', build([entry('general.alignment', 4, u32(24))], [], 64)],
    ['an alignment of zero', build([entry('general.alignment', 4, u32(0))], [], 64)],
    ['an alignment that is a text', build([entry('general.alignment', 8, text('32'))], [], 64)],
    ['no dimension', build([], [tensor(0, [], 0)], 64)],
    ['five dimensions', build([], [tensor(0, [1, 1, 1, 1, 1], 0)], 64)],
    ['a dimension of zero', build([], [tensor(0, [0], 0)], 64)],
    ['half a block', build([], [tensor(8, [16], 0)], 64)],
    ['a tensor between the lines', build([], [tensor(0, [1], 7)], 64)],
    ['a size beyond any file', build([], [tensor(0, [2 ** 40, 2 ** 40], 0)], 64)],
    [
      'arrays in arrays in arrays',
      build([entry('a', 9, ...Array.from({ length: 9 }, () => concat([u32(9), u64(1)])))], [], 64),
    ],
  ])('refuses %s', async (_, file) => {
    expect(await codeOf(file)).toBe('invalid_gguf');
  });

  it.each(['GGUF is a format', 'GGUF\0\0\0\0', 'GGUF\u00ff\u00ff\u00ff\u00ff', 'GGUF<html>'])(
    'takes no text for a version: %j',
    async (content) => {
      expect(await codeOf(new Uint8Array(Buffer.from(content.padEnd(100), 'latin1')))).toBe('invalid_gguf');
    },
  );

  it('does not judge versions and tensor types that it does not know', async () => {
    expect(await codeOf(concat([Buffer.from('GGUF'), u32(4), u64(1), u64(1)]))).toBeUndefined();
    expect(await codeOf(concat([Buffer.from('GGUF'), u32(3 << 24), u64(1), u64(1)]))).toBeUndefined();
    expect(await codeOf(build([], [tensor(39, [32], 0)], 17))).toBeUndefined();
    // Where it begins is known all the same.
    expect(await codeOf(build([], [tensor(39, [32], 320)], 17))).toBe('truncated');
  });

  it('ends on any bytes, with a verdict', async () => {
    const random = randomFrom(3);
    const header = FILE.subarray(0, 4096);
    for (let turn = 0; turn < 5000; turn++) {
      const bytes = header.slice();
      for (let flips = Math.floor(random() * 4); flips >= 0; flips--)
        bytes[Math.floor(random() * 140)] = Math.floor(random() * 256);
      const code = await codeOf(bytes, FILE.length);
      expect([undefined, 'not_gguf', 'truncated', 'invalid_gguf']).toContain(code);
    }
  });
});

/** Puts the page's table in the order of the crate's. */
function order(table: unknown[][]): (a: [number, unknown], b: [number, unknown]) => number {
  const at = (code: number): number => table.findIndex(([known]) => known === code);
  return ([a], [b]) => at(a) - at(b);
}
