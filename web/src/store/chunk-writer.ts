import { HEAD_BYTES, notGguf, startsLikeGguf } from './first-bytes';
import { CHUNK_BYTES, type Layout } from './layout';
import { type DiskFile, digestOf, type Ledger } from './ledger';

/** Target of a download. */
export interface ChunkTarget {
  /** Address of the bytes, for errors. */
  url: string;
  data: DiskFile;
  ledger: Ledger;
  /** The current layout; its size may become known during the download. */
  layout(): Layout;
}

/** Takes the bytes of one stretch of the file in order; writes and records each complete chunk. */
export class ChunkWriter {
  readonly #target: ChunkTarget;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  /** Start of the chunk that is being filled. */
  #chunkStart: number;
  #filled = 0;

  /** `start` is the start of a chunk. */
  constructor(target: ChunkTarget, start: number) {
    this.#target = target;
    this.#chunkStart = start;
  }

  /** Offset of the next byte in the file. */
  get position(): number {
    return this.#chunkStart + this.#filled;
  }

  /** @throws InshoreError `not_gguf` as soon as the first bytes show it, `quota_exceeded`, `write_failed`. */
  async push(bytes: Uint8Array): Promise<void> {
    const layout = this.#target.layout();
    for (let rest = bytes; rest.length > 0; ) {
      const { length } = layout.chunk(layout.indexAt(this.#chunkStart));
      const taken = rest.subarray(0, length - this.#filled);
      this.#buffer.set(taken, this.#filled);
      this.#filled += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#filled >= HEAD_BYTES || this.#filled === length) this.#checkHead();
      if (this.#filled === length) await this.#keep();
    }
  }

  /** Writes a last, shorter chunk if the size of the file was not known before its end. */
  async finish(): Promise<void> {
    this.#checkHead();
    if (this.position < 4) throw notGguf(this.#buffer.subarray(0, this.#filled), this.#target.url);
    if (this.#filled > 0) await this.#keep();
  }

  #checkHead(): void {
    const head = this.#buffer.subarray(0, Math.min(this.#filled, HEAD_BYTES));
    if (this.#chunkStart === 0 && !startsLikeGguf(head)) throw notGguf(head, this.#target.url);
  }

  async #keep(): Promise<void> {
    const { data, ledger } = this.#target;
    const index = this.#target.layout().indexAt(this.#chunkStart);
    const chunk = this.#buffer.subarray(0, this.#filled);
    data.write(chunk, this.#chunkStart);
    // The buffer is reused only after this.
    ledger.set(index, await digestOf(chunk));
    this.#chunkStart += this.#filled;
    this.#filled = 0;
  }
}
