import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, Layout } from './layout';

describe('Layout', () => {
  it('divides one file; the last chunk may be shorter', () => {
    const layout = new Layout([2 * CHUNK_BYTES + 1]);
    expect([layout.count, layout.totalBytes, layout.parts]).toEqual([3, 2 * CHUNK_BYTES + 1, 1]);
    expect(layout.chunk(2)).toEqual({ offset: 2 * CHUNK_BYTES, length: 1, part: 0 });
  });

  it('lets no chunk cross from one part to the next', () => {
    const layout = new Layout([CHUNK_BYTES + 10, 5, CHUNK_BYTES]);
    expect(layout.count).toBe(4);
    expect([0, 1, 2, 3].map((index) => layout.chunk(index))).toEqual([
      { offset: 0, length: CHUNK_BYTES, part: 0 },
      { offset: CHUNK_BYTES, length: 10, part: 0 },
      { offset: CHUNK_BYTES + 10, length: 5, part: 1 },
      { offset: CHUNK_BYTES + 15, length: CHUNK_BYTES, part: 2 },
    ]);
    expect(layout.chunksOf(1)).toEqual({ first: 2, end: 3 });
  });

  it('finds the chunk of every byte', () => {
    const layout = new Layout([CHUNK_BYTES + 3, 1, 7, 2 * CHUNK_BYTES]);
    for (let index = 0; index < layout.count; index++) {
      const { offset, length } = layout.chunk(index);
      expect([layout.indexAt(offset), layout.indexAt(offset + length - 1)]).toEqual([index, index]);
    }
  });

  it('goes on without end while the size is unknown', () => {
    const layout = new Layout([Number.POSITIVE_INFINITY]);
    expect(layout.totalBytes).toBe(Number.POSITIVE_INFINITY);
    expect(layout.chunk(1000)).toEqual({ offset: 1000 * CHUNK_BYTES, length: CHUNK_BYTES, part: 0 });
    expect(layout.indexAt(1000 * CHUNK_BYTES + 1)).toBe(1000);
  });
});
