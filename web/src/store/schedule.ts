import { CHUNK_BYTES, type Layout } from './layout';
import type { Ledger } from './ledger';

/** A stretch of one part of the file, fetched by one request where nothing goes wrong. Bytes from the file's start. */
export interface Segment {
  part: number;
  start: number;
  end: number;
  /** The whole part in one answer, from its first byte. */
  stream: boolean;
}

/** What is known of how the server of a part answers. `asking`: the first request for it is under way. */
export type RangeSupport = 'unknown' | 'asking' | 'yes' | 'no';

const LEAST_CHUNKS = 4;
const MOST_CHUNKS = 64;

/** Hands out what is missing of a file, to several lanes at once, nothing twice. */
export class Schedule {
  readonly #support: RangeSupport[];
  readonly #claimed = new Set<number>();
  readonly #lanes: number;
  #waiting: (() => void)[] = [];

  constructor(support: RangeSupport[], lanes: number) {
    this.#support = support;
    this.#lanes = lanes;
  }

  /** How the server of `part` answers, as far as it is known. */
  support(part: number): RangeSupport {
    return this.#support[part] ?? 'unknown';
  }

  /** Notes that ranges of `part` can be had; those who waited for that go on. */
  ranges(part: number): void {
    this.#learned(part, 'yes');
  }

  /** Notes that `part` comes in one stream, to the lane that says so. */
  stream(part: number, layout: Layout): void {
    this.#claimed.add(layout.chunksOf(part).first);
    this.#learned(part, 'no');
  }

  #learned(part: number, support: RangeSupport): void {
    this.#support[part] = support;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** The next stretch to fetch. `later`: come back when that resolves; `undefined`: nothing is left to hand out. */
  take(layout: Layout, ledger: Ledger): Segment | { later: Promise<void> } | undefined {
    let asking = false;
    for (let part = 0; part < layout.parts; part++) {
      const support = this.support(part);
      if (support === 'asking') {
        // One request first: its answer says how large the file is, and whether ranges can be had.
        asking = true;
        continue;
      }
      const segment = this.#missing(part, layout, ledger);
      if (segment === undefined) continue;
      if (support === 'unknown') this.#support[part] = 'asking';
      return segment;
    }
    if (!asking) return undefined;
    return { later: new Promise((go) => this.#waiting.push(go)) };
  }

  #missing(part: number, layout: Layout, ledger: Ledger): Segment | undefined {
    const { first, end } = layout.chunksOf(part);
    const free = (index: number): boolean =>
      index < end && !this.#claimed.has(index) && ledger.digest(index) === undefined;
    let from = first;
    while (from < end && !free(from)) from++;
    if (from >= end) return undefined;
    if (this.support(part) === 'no') {
      // Claimed by its first chunk: there is one stretch only.
      if (this.#claimed.has(first)) return undefined;
      this.#claimed.add(first);
      return { part, ...layout.bytesOf(part), stream: true };
    }
    let until = from;
    for (const most = from + this.#segmentChunks(layout); until < most && free(until); until++) {
      this.#claimed.add(until);
    }
    const last = layout.chunk(until - 1);
    return { part, start: layout.chunk(from).offset, end: last.offset + last.length, stream: false };
  }

  /** Large enough to be worth a request, small enough that all lanes end about together. */
  #segmentChunks({ totalBytes }: Layout): number {
    if (totalBytes === Number.POSITIVE_INFINITY) return LEAST_CHUNKS;
    const share = Math.ceil(totalBytes / CHUNK_BYTES / (4 * this.#lanes));
    return Math.min(MOST_CHUNKS, Math.max(LEAST_CHUNKS, share));
  }
}
