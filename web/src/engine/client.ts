import { InshoreError } from '../error';
import type { StoredKey } from '../store/protocol';
import { startTrusted } from '../trusted-worker';
import { type WorkerLike, WorkerPort } from '../worker-port';
import { Answer } from './answer';
import type {
  DeviceChoice,
  DeviceReport,
  EngineCalls,
  EngineEvent,
  EngineRequest,
  KvFormat,
  LoadSettings,
  ModelInfo,
  ModelShape,
  Probe,
} from './protocol';

/** What {@link EngineClient.load} can be told. */
export interface LoadOptions extends LoadSettings {
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** The page's handle on one engine worker. A worker has one device for life; for another, open a new client. */
export class EngineClient {
  readonly #port: WorkerPort<EngineCalls, EngineEvent>;
  readonly #answers = new Map<number, Answer>();
  #nextGeneration = 1;
  #onLoadProgress: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Called once if the worker dies; open answers have failed with the same error by then. */
  onCrash: ((error: InshoreError) => void) | undefined;

  constructor(worker: WorkerLike = startEngine()) {
    this.#port = new WorkerPort(worker, {
      onEvent: (event) => this.#receive(event),
      onCrash: (error) => {
        this.#failAll(error);
        this.onCrash?.(error);
      },
    });
  }

  /** Opens the device, once per client; the CPU with so many `threads` where the page can have them. */
  open(device: DeviceChoice, threads?: number): Promise<DeviceReport> {
    return this.#port.call('open', { device, threads });
  }

  /** Loads a model that lies complete in the store under `key`. */
  async load(key: StoredKey, options: LoadOptions = {}): Promise<ModelInfo> {
    this.#onLoadProgress = options.onProgress;
    try {
      return await this.#port.call('load', {
        key,
        contextTokens: options.contextTokens,
        exact: options.exact,
        kvCache: options.kvCache,
        gpuPlan: options.gpuPlan,
        tune: options.tune,
      });
    } finally {
      this.#onLoadProgress = undefined;
    }
  }

  /** Starts an answer; one at a time. `signal` stops it, as {@link Answer.stop} does. */
  generate(request: EngineRequest, options: { signal?: AbortSignal } = {}): Answer {
    const generation = this.#nextGeneration++;
    const stop = (): void => {
      // A worker that is gone has failed the answer already.
      this.#port.call('stop', { generation }).catch(() => {});
    };
    const answer = new Answer(stop);
    this.#answers.set(generation, answer);
    this.#port.call('start', { generation, request }).then(
      ({ promptIds }) => {
        answer.promptIds = promptIds;
      },
      (error: unknown) => this.#close(generation)?.fail(InshoreError.from(error)),
    );
    const { signal } = options;
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    const forget = (): void => signal?.removeEventListener('abort', stop);
    answer.done.then(forget, forget);
    return answer;
  }

  /** The loaded model. */
  info(): Promise<ModelInfo> {
    return this.#port.call('info', undefined);
  }

  /** The shape of a model: of a stored one by its key, of another by the first bytes of its file. */
  shape(of: StoredKey | Uint8Array): Promise<ModelShape> {
    return this.#port.call('shape', { of });
  }

  /** Predicts the open device's speed with a model of `shape`; not while an answer is generated. */
  probe(shape: ModelShape, contextTokens: number, kvCache?: KvFormat): Promise<Probe> {
    return this.#port.call('probe', { shape, contextTokens, kvCache });
  }

  /** Makes every step take `factor` times as long, for demonstrations and tests; 1 is the device's own speed. */
  slowDown(factor: number): Promise<undefined> {
    return this.#port.call('slowDown', { factor });
  }

  /** Bytes of wasm memory: the peak, for it never shrinks. */
  memoryBytes(): Promise<number> {
    return this.#port.call('memory', undefined);
  }

  /** Ends the worker. */
  close(): void {
    this.#port.close();
    this.#failAll(new InshoreError('closed', 'The engine was closed.'));
  }

  #receive(event: EngineEvent): void {
    switch (event.type) {
      case 'load_progress':
        this.#onLoadProgress?.(event.doneBytes, event.totalBytes);
        return;
      case 'prefill':
        this.#answers.get(event.generation)?.onPrefill?.(event.progress);
        return;
      case 'step':
        this.#answers.get(event.generation)?.push(event.step);
        return;
      case 'finished':
        this.#close(event.generation)?.finish(event.end);
        return;
      case 'failed':
        this.#close(event.generation)?.fail(InshoreError.from(event.error));
    }
  }

  #close(generation: number): Answer | undefined {
    const answer = this.#answers.get(generation);
    this.#answers.delete(generation);
    return answer;
  }

  #failAll(error: InshoreError): void {
    for (const generation of [...this.#answers.keys()]) this.#close(generation)?.fail(error);
  }
}

/** A fresh engine worker: the file at `url`, or the package's own beside this module. */
export function startEngine(url?: string | URL): Worker {
  // Two calls, for bundlers look for this very form.
  return startTrusted('Worker', () =>
    url === undefined
      ? new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'inshore-engine' })
      : new Worker(url, { type: 'module', name: 'inshore-engine' }),
  );
}
