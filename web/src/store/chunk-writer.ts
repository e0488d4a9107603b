import { HEAD_BYTES, notGguf, startsLikeGguf } from './first-bytes';
import { CHUNK_BYTES, type Layout } from './layout';
import { type DiskFile, digestOf, type Ledger } from './ledger';

/** Where arriving bytes go. */
export interface ChunkTarget {
  /** Address that the bytes come from, for errors. */
  url: string;
  data: DiskFile;
  ledger: Ledger;
  /** The layout as it is known now: the size may be learned meanwhile. */
  layout(): Layout;
}

/** Takes the bytes of one stretch of the file in order, and writes and notes each chunk that is whole. */
export class ChunkWriter {
  readonly #target: ChunkTarget;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  /** Where the chunk begins that is being filled. */
  #chunkStart: number;
  #filled = 0;

  /** `start`: where a chunk begins. */
  constructor(target: ChunkTarget, start: number) {
    this.#target = target;
    this.#chunkStart = start;
  }

  /** The next byte that is wanted, counted from the start of the file. */
  get position(): number {
    return this.#chunkStart + this.#filled;
  }

  /** @throws InshoreError `not_gguf` as soon as the first bytes tell, `quota_exceeded`, `write_failed`. */
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

  /** Keeps a last chunk that is shorter than others, where the size of the file was not known before its end. */
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
    // The buffer is filled again only after this.
    ledger.set(index, await digestOf(chunk));
    this.#chunkStart += this.#filled;
    this.#filled = 0;
  }
}
