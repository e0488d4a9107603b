/** A model is fetched, remembered and checked in pieces of this size; the last one of a part may be shorter. */
export const CHUNK_BYTES = 256 * 1024;

/** One piece of the file: where it is, and of which part (shard) it is. */
export interface Chunk {
  offset: number;
  length: number;
  part: number;
}

/**
 * How a file divides into chunks. A file consists of parts (its shards; usually one); no chunk crosses the border
 * between two, so that each part can be thrown away and fetched anew by itself.
 */
export class Layout {
  readonly #starts: number[] = [0];
  readonly #firstChunks: number[] = [0];

  /** `partBytes`: sizes of the parts in order. A file of one part may be of unknown size: `Infinity`. */
  constructor(partBytes: readonly number[]) {
    let start = 0;
    let chunk = 0;
    for (const bytes of partBytes) {
      start += bytes;
      chunk += Math.ceil(bytes / CHUNK_BYTES);
      this.#starts.push(start);
      this.#firstChunks.push(chunk);
    }
  }

  /** Bytes of the file; `Infinity` where nobody has said yet. */
  get totalBytes(): number {
    return this.#starts.at(-1) ?? 0;
  }

  /** Number of chunks of the file. */
  get count(): number {
    return this.#firstChunks.at(-1) ?? 0;
  }

  /** Number of parts. */
  get parts(): number {
    return this.#starts.length - 1;
  }

  /** Where part `part` lies in the file, in bytes. */
  bytesOf(part: number): { start: number; end: number } {
    return { start: this.#starts[part] ?? 0, end: this.#starts[part + 1] ?? 0 };
  }

  /** The chunks of part `part`: from `first` up to and without `end`. */
  chunksOf(part: number): { first: number; end: number } {
    return { first: this.#firstChunks[part] ?? 0, end: this.#firstChunks[part + 1] ?? 0 };
  }

  /** Chunk number `index`, which the file must have. */
  chunk(index: number): Chunk {
    const part = segmentOf(this.#firstChunks, index);
    const { start, end } = this.bytesOf(part);
    const offset = start + (index - this.chunksOf(part).first) * CHUNK_BYTES;
    return { offset, length: Math.min(CHUNK_BYTES, end - offset), part };
  }

  /** Number of the chunk that holds the byte at `offset`. */
  indexAt(offset: number): number {
    const part = segmentOf(this.#starts, offset);
    return this.chunksOf(part).first + Math.floor((offset - this.bytesOf(part).start) / CHUNK_BYTES);
  }
}

/** The segment of ascending `bounds` in which `value` lies: the last one that begins at or before it. */
function segmentOf(bounds: readonly number[], value: number): number {
  let low = 0;
  let high = bounds.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((bounds[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
