import { InshoreError } from '../error';
import { type WorkerLike, WorkerPort } from '../worker-port';
import type { ModelRef } from './model';
import type { DownloadProgress, StoreCalls, Stored, StoreEvent } from './protocol';

/** What {@link ModelStore.fetch} can be told. */
export interface FetchOptions {
  onProgress?: (progress: DownloadProgress) => void;
  /** Pauses the download: what arrived is kept. */
  signal?: AbortSignal;
}

/** The models that this browser keeps for this page, in OPFS. */
export class ModelStore {
  readonly #start: () => WorkerLike;
  readonly #listeners = new Map<number, (progress: DownloadProgress) => void>();
  #port: WorkerPort<StoreCalls, StoreEvent> | undefined;
  #nextDownload = 1;

  constructor(start: () => WorkerLike = startWorker) {
    this.#start = start;
  }

  /** What is there of `model`. */
  find(model: ModelRef): Promise<Stored> {
    return this.#worker().call('find', { model });
  }

  /** Downloads `model` unless it is there; resolves when it is whole, checked and kept. */
  async fetch(model: ModelRef, options: FetchOptions = {}): Promise<Stored> {
    const { onProgress, signal } = options;
    if (signal?.aborted) throw new InshoreError('cancelled', 'The download was paused before it began.');
    const download = this.#nextDownload++;
    if (onProgress !== undefined) this.#listeners.set(download, onProgress);
    const port = this.#worker();
    const cancel = (): void => {
      port.call('cancel', { download }).catch(() => {});
    };
    signal?.addEventListener('abort', cancel, { once: true });
    // Not awaited: a browser may ask its user, who need not answer.
    void askToKeep();
    try {
      return await port.call('fetch', { download, model });
    } finally {
      this.#listeners.delete(download);
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Deletes `model`, finished or not. */
  async remove(model: ModelRef): Promise<void> {
    await this.#worker().call('remove', { model });
  }

  #worker(): WorkerPort<StoreCalls, StoreEvent> {
    this.#port ??= new WorkerPort<StoreCalls, StoreEvent>(this.#start(), {
      onEvent: ({ download, progress }) => this.#listeners.get(download)?.(progress),
      // The next call starts a fresh worker.
      onCrash: () => {
        this.#port = undefined;
      },
    });
    return this.#port;
  }
}

/** Asks the browser not to evict the model when space gets short. It may refuse: the download goes on all the same. */
async function askToKeep(): Promise<void> {
  await navigator.storage?.persist?.().catch(() => false);
}

function startWorker(): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'inshore-store' });
}
