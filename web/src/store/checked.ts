import { InshoreError } from '../error';
import { damaged } from './failures';
import type { Layout } from './layout';
import { digestIn, digestOf, sameDigest } from './ledger';

/** A model's bytes as the engine reads them. */
export interface OpenedModel {
  readonly size: number;
  /** The bytes from `offset` on; fewer than `length` at the end of the file. Each has been checked. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Waits for `work`, which reads; where reading failed, its own error counts and not what `work` makes of it. */
  guard<T>(work: Promise<T>): Promise<T>;
}

const MOST_RECENT = 4;

/**
 * A stored model that checks what it reads: whole chunks, each against its digest of when the model was downloaded.
 * A byte that changed on disk since then is never given out. The check costs no pass of its own.
 */
export class CheckedFile implements OpenedModel {
  readonly #file: Blob;
  readonly #layout: Layout;
  readonly #digests: Uint8Array;
  readonly #onDamage: (cause: unknown) => Promise<InshoreError>;
  /** Chunks read last: neighbouring tensors share one. */
  readonly #recent = new Map<number, Uint8Array>();
  #failure: InshoreError | undefined;

  /** `onDamage` takes the model out of use and says what to throw. */
  constructor(
    file: Blob,
    layout: Layout,
    digests: Uint8Array,
    onDamage: (cause: unknown) => Promise<InshoreError>,
  ) {
    this.#file = file;
    this.#layout = layout;
    this.#digests = digests;
    this.#onDamage = onDamage;
  }

  get size(): number {
    return this.#layout.totalBytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#failure !== undefined) throw this.#failure;
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return new Uint8Array(0);
    const bytes = new Uint8Array(end - offset);
    const place = (chunkOffset: number, chunk: Uint8Array): void => {
      const from = Math.max(0, offset - chunkOffset);
      bytes.set(chunk.subarray(from, end - chunkOffset), chunkOffset + from - offset);
    };
    const last = this.#layout.indexAt(end - 1);
    let index = this.#layout.indexAt(offset);
    for (; index <= last; index++) {
      const known = this.#recent.get(index);
      if (known === undefined) break;
      place(this.#layout.chunk(index).offset, known);
    }
    if (index <= last) {
      for (const [at, chunk] of await this.#readChunks(index, last))
        place(this.#layout.chunk(at).offset, chunk);
    }
    return bytes;
  }

  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  async #readChunks(first: number, last: number): Promise<[number, Uint8Array][]> {
    const indices = Array.from({ length: last - first + 1 }, (_, at) => first + at);
    const start = this.#layout.chunk(first).offset;
    const { offset, length } = this.#layout.chunk(last);
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await this.#file.slice(start, offset + length).arrayBuffer());
    } catch (error) {
      return this.#fail(error);
    }
    const chunks = indices.map((index): [number, Uint8Array] => {
      const chunk = this.#layout.chunk(index);
      return [index, bytes.subarray(chunk.offset - start, chunk.offset - start + chunk.length)];
    });
    const sound = await Promise.all(
      chunks.map(async ([index, chunk]) => sameDigest(await digestOf(chunk), digestIn(this.#digests, index))),
    );
    if (sound.includes(false)) return this.#fail(undefined);
    const tail = chunks.at(-1);
    // A copy: the view would hold all that was read with it.
    if (tail !== undefined) this.#remember(tail[0], tail[1].slice());
    return chunks;
  }

  async #fail(cause: unknown): Promise<never> {
    this.#failure ??= damaged(cause);
    this.#failure = await this.#onDamage(cause);
    throw this.#failure;
  }

  #remember(index: number, chunk: Uint8Array): void {
    this.#recent.set(index, chunk);
    const oldest = this.#recent.keys().next().value;
    if (this.#recent.size > MOST_RECENT && oldest !== undefined) this.#recent.delete(oldest);
  }
}

/** The user's own file, read where it is. The browser refuses to read it once it was changed or moved. */
export class UserFile implements OpenedModel {
  readonly #file: File;
  #failure: InshoreError | undefined;

  constructor(file: File) {
    this.#file = file;
  }

  get size(): number {
    return this.#file.size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.#file.slice(offset, offset + length).arrayBuffer());
    } catch (error) {
      this.#failure = new InshoreError(
        'file_unreadable',
        `The file ${JSON.stringify(this.#file.name)} cannot be read. It was moved or changed: choose it again.`,
        { cause: error },
      );
      throw this.#failure;
    }
  }

  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }
}
