import { InshoreError } from '../error';
import { startTrusted } from '../trusted-worker';
import { type WorkerLike, WorkerPort } from '../worker-port';
import type { ModelRef } from './model';
import type { DownloadProgress, StoreCalls, Stored, StoredModel, StoreEvent, StoreUsage } from './protocol';

/** Options of {@link ModelStore.fetch}. */
export interface FetchOptions {
  onProgress?: (progress: DownloadProgress) => void;
  /** Pauses the download: what arrived is kept. */
  signal?: AbortSignal;
}

/** The models that this browser keeps for this origin, in OPFS; its tabs share them. */
export class ModelStore {
  readonly #start: () => WorkerLike;
  readonly #listeners = new Map<number, (progress: DownloadProgress) => void>();
  #port: WorkerPort<StoreCalls, StoreEvent> | undefined;
  #isClosed = false;
  #nextDownload = 1;

  constructor(start: () => WorkerLike = startStore) {
    this.#start = start;
  }

  /** What there is of `model`. Makes no request. */
  async find(model: ModelRef): Promise<Stored> {
    // The user's own file is used where it is.
    if (model.file !== undefined) return { key: model.file, complete: true, bytes: model.file.size };
    return this.#worker().call('find', { model });
  }

  /**
   * Downloads `model` unless it is there; resolves when it is whole, checked and kept. While another tab downloads it,
   * waits for that one and takes over where it dies. Of a damaged model only what is damaged is fetched.
   *
   * @throws InshoreError `cancelled`, `network_failed`, `server_busy`, `model_not_found`, `access_denied`,
   * `http_status`, `bad_range`, `wrong_size`, `wrong_hash`, `not_gguf`, `truncated`, `invalid_gguf`, `model_changed`,
   * `quota_exceeded`, `write_failed`, `store_busy`, `storage_unavailable`
   */
  async fetch(model: ModelRef, options: FetchOptions = {}): Promise<Stored> {
    const { onProgress, signal } = options;
    if (signal?.aborted) throw new InshoreError('cancelled', 'The download was paused before it began.');
    if (model.file !== undefined) return this.find(model);
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

  /**
   * Deletes a model, finished or not. A key is that of {@link list}.
   *
   * @throws InshoreError `store_busy` while it is being downloaded in any tab
   */
  async remove(model: ModelRef | string): Promise<void> {
    const key = typeof model === 'string' ? model : (await this.find(model)).key;
    if (typeof key === 'string') await this.#worker().call('remove', { key });
  }

  /** All models that take up room here, whole or in part. */
  async list(): Promise<StoredModel[]> {
    return this.#worker().call('list', undefined);
  }

  /** How much room the models take up, and how much there is. */
  async usage(): Promise<StoreUsage> {
    return this.#worker().call('usage', undefined);
  }

  /**
   * Ends the worker for good. Downloads stop where they are, as if the tab were closed. They and all later calls reject with
   * `closed`.
   */
  close(): void {
    this.#isClosed = true;
    this.#port?.close();
    this.#port = undefined;
  }

  #worker(): WorkerPort<StoreCalls, StoreEvent> {
    if (this.#isClosed) throw new InshoreError('closed', 'The store of models was closed.');
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
  await globalThis.navigator?.storage?.persist?.().catch(() => false);
}

/** A fresh store worker: the file at `url`, or the package's own beside this module. */
export function startStore(url?: string | URL): Worker {
  // Two calls, for bundlers look for this very form.
  return startTrusted('Worker', () =>
    url === undefined
      ? new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'inshore-store' })
      : new Worker(url, { type: 'module', name: 'inshore-store' }),
  );
}
