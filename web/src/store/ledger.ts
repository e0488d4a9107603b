import type { Layout } from './layout';

/** A file on disk, open for one worker alone. */
export interface DiskFile {
  size(): number;
  /** @throws InshoreError `quota_exceeded` if the disk or the quota is full, `write_failed`. */
  write(bytes: Uint8Array, offset: number): void;
  /** At most `length` bytes; fewer at the end of the file. */
  read(length: number, offset: number): Uint8Array;
  truncate(size: number): void;
  flush(): void;
}

/** Bytes of a SHA-256. */
export const DIGEST_BYTES = 32;

/**
 * The journal of a download and, later, what the model is checked against whenever it is read: the SHA-256 of each
 * chunk, taken of the bytes as they arrived. All zeros: the chunk is not there.
 *
 * An entry needs no flush and no order on disk: one that does not fit its bytes (torn, lost or flipped, on either
 * side) is found when the file is checked, and its chunk is fetched again.
 */
export class Ledger {
  readonly #file: DiskFile;
  #table: Uint8Array;
  #epoch = 0;

  constructor(file: DiskFile) {
    this.#file = file;
    this.#table = file.read(file.size(), 0).slice();
  }

  /** The SHA-256 that chunk `index` must have; `undefined` where the chunk is not there. */
  digest(index: number): Uint8Array | undefined {
    return digestIn(this.#table, index);
  }

  /** Notes that chunk `index` has arrived. */
  set(index: number, digest: Uint8Array): void {
    this.#put(digest, index * DIGEST_BYTES);
  }

  /** Grows with every {@link clear}: what was concluded from chunks before it may not hold any more. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Forgets the chunks from `first` up to and without `end`. */
  clear(first: number, end: number): void {
    this.#epoch += 1;
    const from = first * DIGEST_BYTES;
    const until = Math.min(end * DIGEST_BYTES, this.#table.length);
    if (until > from) this.#put(new Uint8Array(until - from), from);
  }

  /** Bytes of the chunks that are there. */
  doneBytes(layout: Layout): number {
    let bytes = 0;
    const known = Math.min(layout.count, Math.ceil(this.#table.length / DIGEST_BYTES));
    for (let index = 0; index < known; index++) {
      if (this.digest(index) !== undefined) bytes += layout.chunk(index).length;
    }
    return bytes;
  }

  flush(): void {
    this.#file.flush();
  }

  #put(bytes: Uint8Array, at: number): void {
    // The disk first: what is remembered here must be there.
    this.#file.write(bytes, at);
    if (at + bytes.length > this.#table.length) {
      const grown = new Uint8Array(Math.max(at + bytes.length, 2 * this.#table.length));
      grown.set(this.#table);
      this.#table = grown;
    }
    this.#table.set(bytes, at);
  }
}

/** Entry `index` of a ledger's bytes. */
export function digestIn(table: Uint8Array, index: number): Uint8Array | undefined {
  const entry = table.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
  return entry.length === DIGEST_BYTES && entry.some((byte) => byte !== 0) ? entry : undefined;
}

/** SHA-256 of a chunk. */
export async function digestOf(bytes: Uint8Array): Promise<Uint8Array> {
  // Never of shared memory.
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
}

/** Whether two digests are the same. */
export function sameDigest(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && a.every((byte, index) => byte === b[index]);
}
