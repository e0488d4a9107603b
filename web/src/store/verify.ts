import { createSHA256 } from 'hash-wasm';
import { InshoreError } from '../error';
import { cancelled } from './failures';
import type { Layout } from './layout';
import { type DiskFile, digestOf, type Ledger, sameDigest } from './ledger';

/** What {@link Verifier} checks against. */
export interface Expected {
  /** Of the whole file. */
  sha256?: string | undefined;
  /** Of each part, where they are known. */
  partSha256?: readonly (string | undefined)[] | undefined;
}

/** What the check found. */
export type Finding =
  | { kind: 'sound' }
  /** These chunks on disk are not what arrived. */
  | { kind: 'damaged'; chunks: number[] }
  /** What arrived is not what was asked for; `part` where one part alone is to blame. */
  | { kind: 'wrong_hash'; part: number | undefined; actual: string; expected: string };

/**
 * Checks what lies on disk, not what came over the line: each chunk against the ledger, and the whole and its parts
 * against the hashes that are known beforehand. It goes through the file once, from the first chunk to the last, and
 * can begin while later chunks are still on their way: a hash of gigabytes takes many seconds.
 */
export class Verifier {
  readonly #data: DiskFile;
  readonly #ledger: Ledger;
  readonly #expected: Expected;
  #state: State | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(data: DiskFile, ledger: Ledger, expected: Expected) {
    this.#data = data;
    this.#ledger = ledger;
    this.#expected = expected;
  }

  /** Goes on, by itself, through the chunks that are there up to the first that is not. Cheap to call often. */
  advance(layout: Layout): void {
    if (layout.totalBytes === Number.POSITIVE_INFINITY || this.#stopped) return;
    // A failure is met again, and told, by {@link finish}.
    this.#advance(layout, () => {}).catch(() => {});
  }

  /** Ends what {@link advance} began. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => {});
    this.#stopped = false;
  }

  /** Checks the rest of a file of which all chunks are there. @throws InshoreError `cancelled` */
  async finish(
    layout: Layout,
    onProgress: (doneBytes: number) => void,
    signal: AbortSignal,
  ): Promise<Finding> {
    await this.stop();
    const stop = (): void => {
      this.#stopped = true;
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    await this.#advance(layout, onProgress).finally(() => signal.removeEventListener('abort', stop));
    if (this.#stopped) throw cancelled();
    const state = this.#state;
    if (state === undefined || state.next < layout.count) {
      throw new InshoreError(
        'internal',
        'A download was checked before all of it was there. Please report this.',
      );
    }
    // With a damaged chunk no hash can be right: that is for the next check to say.
    if (state.damaged.length > 0) return { kind: 'damaged', chunks: state.damaged };
    if (state.wrong !== undefined) return state.wrong;
    const actual = state.whole?.digest('hex');
    const expected = this.#expected.sha256;
    if (actual === undefined || expected === undefined || actual === expected) return { kind: 'sound' };
    // Digested once; whatever follows begins at the start.
    this.#state = undefined;
    return { kind: 'wrong_hash', part: undefined, actual, expected };
  }

  #advance(layout: Layout, onProgress: (doneBytes: number) => void): Promise<void> {
    this.#running ??= this.#check(layout, onProgress).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #check(layout: Layout, onProgress: (doneBytes: number) => void): Promise<void> {
    // What was cleared since may have been checked here before it was fetched anew.
    if (this.#state === undefined || this.#state.epoch !== this.#ledger.epoch)
      this.#state = await this.#begin();
    const state = this.#state;
    while (state.next < layout.count && !this.#stopped) {
      const digest = this.#ledger.digest(state.next);
      if (digest === undefined) return;
      const { offset, length, part } = layout.chunk(state.next);
      const { first, end } = layout.chunksOf(part);
      const wanted = this.#expected.partSha256?.[part];
      if (state.next === first && wanted !== undefined) state.part = await createSHA256();
      const bytes = this.#data.read(length, offset);
      const sound = sameDigest(await digestOf(bytes), digest);
      if (state.epoch !== this.#ledger.epoch) return;
      if (!sound) state.damaged.push(state.next);
      state.whole?.update(bytes);
      state.part?.update(bytes);
      state.next += 1;
      if (state.next === end && state.part !== undefined && wanted !== undefined) {
        const actual = state.part.digest('hex');
        state.part = undefined;
        if (actual !== wanted) state.wrong ??= { kind: 'wrong_hash', part, actual, expected: wanted };
      }
      onProgress(offset + length);
    }
  }

  async #begin(): Promise<State> {
    const { epoch } = this.#ledger;
    const whole = this.#expected.sha256 === undefined ? undefined : await createSHA256();
    return { epoch, next: 0, whole, part: undefined, damaged: [], wrong: undefined };
  }
}

type Hasher = Awaited<ReturnType<typeof createSHA256>>;

interface State {
  epoch: number;
  /** The chunk that is checked next. */
  next: number;
  whole: Hasher | undefined;
  part: Hasher | undefined;
  damaged: number[];
  wrong: Finding | undefined;
}
