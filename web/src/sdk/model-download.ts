import { InshoreError } from '../error';
import type { Progress } from './contract';
import { destroyed } from './engine-lifecycle';

/** When the model is downloaded: see `InshoreOptions.download`. */
export type DownloadPolicy = 'background' | 'on_demand' | 'manual';

/** Pause after a failed automatic download; it doubles with each failure up to {@link LONGEST_REST_MS}. */
const FIRST_REST_MS = 60_000;
const LONGEST_REST_MS = 3_600_000;

/** Options of a download. */
export interface DownloadOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Removes this caller. The download pauses when the last caller of `download()` has left. */
  signal?: AbortSignal | undefined;
}

/** Dependencies of {@link ModelDownload}. */
export interface DownloadParts {
  policy: DownloadPolicy;
  /** Fetches the model unless it is stored. */
  fetch(options: { onProgress(progress: Progress): void; signal: AbortSignal }): Promise<void>;
  onProgress(progress: Progress): void;
  now?: () => number;
  /** Whether the user wants to save data. */
  savesData?: () => boolean;
}

interface Job {
  readonly abort: AbortController;
  /** Callers of `download()` with the listeners they gave. */
  readonly callers: Set<{ onProgress?: ((progress: Progress) => void) | undefined }>;
  done: Promise<void>;
}

/**
 * The download of an instance's model. At most one runs at a time, and all callers share it. A paused download counts as over
 * at once: the next caller starts another one, even while the first is still closing its files.
 */
export class ModelDownload {
  readonly #parts: DownloadParts;
  #job: Job | undefined;
  /** The user paused the download or deleted the model, so no automatic download starts until `download()` is called. */
  #isHeld = false;
  #failure: { error: InshoreError; until: number; restMs: number } | undefined;
  #isDestroyed = false;

  constructor(parts: DownloadParts) {
    this.#parts = parts;
  }

  /** Whether bytes are being fetched. */
  get isRunning(): boolean {
    return this.#job !== undefined;
  }

  /** Whether a request may start a download. */
  get isAutomatic(): boolean {
    return this.#parts.policy !== 'manual';
  }

  /** Downloads the model for a caller who asked for it. */
  async run({ onProgress, signal }: DownloadOptions = {}): Promise<void> {
    if (this.#isDestroyed) throw destroyed();
    if (signal?.aborted) throw paused();
    this.#isHeld = false;
    const job = this.#job ?? this.#begin();
    const caller = { onProgress };
    job.callers.add(caller);
    let leave = (): void => {};
    const left = new Promise<never>((_, reject) => {
      leave = () => {
        job.callers.delete(caller);
        if (job.callers.size === 0) this.#pause(job);
        reject(paused());
      };
      signal?.addEventListener('abort', leave, { once: true });
    });
    try {
      await Promise.race([job.done, left]);
    } finally {
      job.callers.delete(caller);
      signal?.removeEventListener('abort', leave);
    }
  }

  /**
   * Downloads the model because a request needs it.
   *
   * @throws InshoreError `not_downloaded` where the user pauses it, saves data or deleted the model; the error of the last
   * try while that is recent
   */
  async automatic(): Promise<void> {
    if (this.#isDestroyed) throw destroyed();
    if (this.#job === undefined) {
      if (this.#isHeld || (this.#parts.savesData ?? savesData)()) throw held();
      if (this.#failure !== undefined && this.#now() < this.#failure.until) throw this.#failure.error;
    }
    const job = this.#job ?? this.#begin();
    try {
      await job.done;
    } catch (error) {
      throw InshoreError.from(error).code === 'cancelled' ? held() : error;
    }
  }

  /** Pauses the download and waits until its files are closed. No automatic download starts afterwards. */
  async stop(): Promise<void> {
    this.#isHeld = true;
    const job = this.#job;
    if (job === undefined) return;
    this.#pause(job);
    await job.done.catch(() => {});
  }

  /** Ends the download for good. */
  destroy(): void {
    this.#isDestroyed = true;
    if (this.#job !== undefined) this.#pause(this.#job);
  }

  #begin(): Job {
    const abort = new AbortController();
    const job: Job = { abort, callers: new Set(), done: Promise.resolve() };
    const onProgress = (progress: Progress): void => {
      if (this.#job !== job) return;
      this.#parts.onProgress(progress);
      for (const caller of job.callers) caller.onProgress?.(progress);
    };
    this.#job = job;
    job.done = this.#parts
      .fetch({ onProgress, signal: abort.signal })
      .then(
        () => {
          this.#failure = undefined;
        },
        (error: unknown) => {
          this.#note(InshoreError.from(error));
          throw error;
        },
      )
      .finally(() => {
        if (this.#job === job) this.#job = undefined;
      });
    // The error is reported to the callers; without any, it must not count as unhandled.
    job.done.catch(() => {});
    return job;
  }

  #pause(job: Job): void {
    if (this.#job === job) this.#job = undefined;
    this.#isHeld = true;
    job.abort.abort();
  }

  #note(error: InshoreError): void {
    if (error.code === 'cancelled') return;
    const restMs = Math.min(
      LONGEST_REST_MS,
      this.#failure === undefined ? FIRST_REST_MS : 2 * this.#failure.restMs,
    );
    this.#failure = { error, until: this.#now() + restMs, restMs };
  }

  #now(): number {
    return (this.#parts.now ?? Date.now)();
  }
}

/** Whether the user asked the browser to save data, or has a metered connection. */
function savesData(): boolean {
  const { connection } = (globalThis.navigator ?? {}) as {
    connection?: { saveData?: boolean; type?: string };
  };
  return connection?.saveData === true || connection?.type === 'cellular';
}

const paused = (): InshoreError =>
  new InshoreError('cancelled', 'The download was paused. What arrived is kept; start it again to go on.');

const held = (): InshoreError =>
  new InshoreError(
    'not_downloaded',
    'The model is not on this device, and no automatic download starts: the download was paused, the model was deleted, or the browser saves data. Call download() first.',
  );
