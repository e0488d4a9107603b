import routeWasmUrl from '#route-wasm-bytes?url';
import { EngineClient, startEngine } from '../engine/client';
import { openSession, type Session } from '../engine/session';
import { InshoreError } from '../error';
import { type ChatCompletions, createChatCompletions, createOpenAIFetch } from '../openai';
import { openRecords } from '../records';
import { defaultConfig, Router } from '../route/router';
import type { Availability, Mode, RouteConfig, Slo } from '../route/types';
import { ModelStore, startStore } from '../store/client';
import { LOST } from '../store/failures';
import type { ModelRef } from '../store/model';
import type { Stored } from '../store/protocol';
import { resolveModel } from '../store/resolve';
import { CloudEndpoint } from './cloud-leg';
import type {
  CheckedRequest,
  CloudOptions,
  Estimate,
  InshoreEvents,
  InshoreOptions,
  Progress,
  RunningAnswer,
} from './contract';
import { DeviceNames } from './device-name';
import { RouteDispatcher, type Settings } from './dispatcher';
import { Emitter } from './emitter';
import { destroyed } from './engine-lifecycle';
import { probeDevice, toEstimate } from './estimate';
import { LocalSide } from './local-side';
import { ModelDownload } from './model-download';
import { openSpeedRecords } from './speed-record';
import { type Surroundings, watchSurroundings } from './surroundings';

/** What counts as good enough where nobody says: reading speed, and a second until it begins. */
const DEFAULT_SLO: Slo = { ttft_ms: 1_000, tokens_per_second: 8 };

const NOT_STORED = { key: '', complete: false };

/** What may change while an instance lives; running requests keep what they began with. */
export interface Changes {
  mode?: Mode | undefined;
  slo?: Partial<Slo> | undefined;
  privacy?: 'local_only' | 'cloud_allowed' | undefined;
  hedge?: boolean | undefined;
  /**
   * Present and undefined: there is no endpoint any more. An endpoint that is given anew is asked at once, also at the same
   * address: a corrected token need not wait until the breaker of the wrong one closes. What was measured begins anew too.
   */
  cloud?: CloudOptions | undefined;
}

/** An instance: one model, on this device and behind at most one endpoint. */
export interface Inshore {
  /** `chat.completions.create`, as in the `openai` package. */
  readonly chat: ChatCompletions;
  /** An OpenAI-compatible `fetch`, for clients that take one. */
  readonly fetch: typeof fetch;
  /** What the model is called in answers. */
  readonly modelName: string;
  /** The loaded engine, while it is loaded. */
  readonly session: Session | undefined;
  /** Whether the device can answer. */
  availability(): Promise<Availability>;
  /** Whether the endpoint may answer now: it exists, and neither a rule nor the network forbids it. */
  cloudMayAnswer(): boolean;
  /**
   * What the device will do with the model, before a download: from measured answers, else from a probe of some
   * milliseconds, which reads the first 64 KB of the model's file (fetches them, if it is not stored) and is then remembered.
   */
  estimate(): Promise<Estimate>;
  /** Downloads the model unless it is stored, then loads it. `signal` pauses the download: what arrived is kept. */
  download(options?: {
    onProgress?: ((progress: Progress) => void) | undefined;
    signal?: AbortSignal | undefined;
  }): Promise<void>;
  /** Deletes the stored model. */
  remove(): Promise<void>;
  /** Runs a checked request: what `chat` and `fetch` are built on. */
  run(request: CheckedRequest, options?: { signal?: AbortSignal | undefined }): RunningAnswer;
  /** Listens; the function that comes back ends it. */
  on<K extends keyof InshoreEvents>(name: K, listener: (event: InshoreEvents[K]) => void): () => void;
  /** Off: nothing leaves the device from this moment on, and answers on their way from elsewhere are cut. */
  setCloudEnabled(enabled: boolean): void;
  configure(changes: Changes): void;
  /** Context of the loaded engine, or undefined. */
  contextTokens(): number | undefined;
  /** Bytes of the engine's memory, or undefined while it is not loaded. */
  memoryBytes(): Promise<number | undefined>;
  /** Every step on the device takes `factor` times as long: for demonstrations and tests. */
  slowDown(factor: number): Promise<void>;
  /** Every event of the policy with its orders, as JSON lines for `inshore route replay`. Holds no text of anyone's. */
  trace(): string;
  /** Ends everything; running answers fail with `destroyed`. */
  destroy(): void;
}

/**
 * Creates an instance. Compiles the policy, which is small; the engine and the model come when they are needed.
 *
 * @throws InshoreError for options that make no sense: `bad_cloud`, `bad_url`, `bad_reference`, `invalid_policy` …
 */
export async function createInshore(options: InshoreOptions): Promise<Inshore> {
  const base = typeof document === 'undefined' ? 'http://localhost/' : document.baseURI;
  const routeWasm = options.assets?.routeWasm ?? routeWasmUrl;
  const model = await resolveModel(
    options.model,
    base,
    options.hub === undefined ? {} : { hub: options.hub },
  );
  const config = { ...(await defaultConfig(routeWasm)), ...options.policy };
  const inshore = new Instance(options, model, await Router.create(routeWasm, config), config);
  if (options.download === 'background') void inshore.prefetch();
  return inshore;
}

class Instance implements Inshore {
  readonly chat: ChatCompletions;
  readonly fetch: typeof fetch;
  readonly modelName: string;
  readonly #model: ModelRef;
  readonly #events = new Emitter<InshoreEvents>();
  readonly #gate = { cloudEnabled: true };
  readonly #settings: Settings;
  readonly #store: ModelStore;
  readonly #local: LocalSide;
  readonly #dispatcher: RouteDispatcher;
  readonly #surroundings: Surroundings;
  readonly #engineWorker: string | URL | undefined;
  readonly #download: ModelDownload;
  /** Aborted by {@link destroy}. */
  readonly #life = new AbortController();
  #stored: Stored | undefined;
  #clouds = 0;

  constructor(options: InshoreOptions, model: ModelRef, router: Router, config: RouteConfig) {
    this.#model = model;
    this.modelName = model.name;
    this.#store = new ModelStore(() => startStore(options.assets?.storeWorker));
    this.#engineWorker = options.assets?.engineWorker;
    this.#settings = {
      mode: options.mode ?? 'auto',
      slo: { ...DEFAULT_SLO, ...options.slo },
      privacy: options.privacy ?? 'cloud_allowed',
      hedge: options.hedge ?? false,
      cloudTokens: options.budget?.cloudTokens,
      cloud: options.cloud === undefined ? undefined : new CloudEndpoint(options.cloud, this.#gate),
    };
    this.#download = new ModelDownload({
      policy: options.download ?? 'on_demand',
      fetch: async (fetching) => this.#learn(await this.#store.fetch(model, fetching)),
      onProgress: (progress) => this.#events.emit('progress', progress),
    });
    this.#local = this.#openLocal(options);
    this.#surroundings = watchSurroundings((event) => this.#dispatcher.report(event));
    this.#dispatcher = new RouteDispatcher({
      policy: router,
      config,
      local: this.#local,
      settings: this.#settings,
      events: this.#events,
      gate: this.#gate,
      surroundings: this.#surroundings,
    });
    this.chat = createChatCompletions(this.#dispatcher, model.name);
    this.fetch = createOpenAIFetch(this.#dispatcher, model.name);
  }

  get session(): Session | undefined {
    return this.#local.session;
  }

  async availability(): Promise<Availability> {
    this.#checkAlive();
    return this.#local.availability();
  }

  cloudMayAnswer(): boolean {
    return !this.#life.signal.aborted && this.#dispatcher.mayLeave();
  }

  async estimate(): Promise<Estimate> {
    this.#checkAlive();
    let record = await this.#local.record();
    if (record === undefined || !(record.prefillTps > 0 && record.decodeTps > 0)) {
      record = await this.#local.keepProbe(await this.#probe());
    }
    this.#checkAlive();
    const { memory_fits } = await this.#local.snapshot();
    return toEstimate(record, this.#settings.slo, memory_fits);
  }

  async download({ onProgress, signal }: Parameters<Inshore['download']>[0] = {}): Promise<void> {
    this.#checkAlive();
    const unlisten = this.#events.on('progress', (progress) => {
      if (progress.phase === 'loading') onProgress?.(progress);
    });
    try {
      await this.#download.run({ onProgress, signal });
      await unlessAborted(this.#local.load(), signal);
    } finally {
      unlisten();
    }
  }

  async remove(): Promise<void> {
    this.#checkAlive();
    await this.#download.stop();
    this.#local.unload();
    this.#stored = undefined;
    await this.#store.remove(this.#model);
  }

  /** Starts the background download before the first request, if the device can hold the model. */
  async prefetch(): Promise<void> {
    // A failure is not reported here: the first request that needs the model meets and reports it.
    await this.#local.prepare(false).catch(() => {});
  }

  run(request: CheckedRequest, options: { signal?: AbortSignal | undefined } = {}): RunningAnswer {
    return this.#dispatcher.run(request, options);
  }

  on<K extends keyof InshoreEvents>(name: K, listener: (event: InshoreEvents[K]) => void): () => void {
    return this.#events.on(name, listener);
  }

  setCloudEnabled(enabled: boolean): void {
    this.#dispatcher.setCloudEnabled(enabled);
  }

  configure(changes: Changes): void {
    const { mode, slo, privacy, hedge, cloud } = changes;
    const settings = this.#settings;
    if (mode !== undefined) settings.mode = mode;
    if (slo !== undefined) settings.slo = { ...settings.slo, ...slo };
    if (privacy !== undefined) settings.privacy = privacy;
    if (hedge !== undefined) settings.hedge = hedge;
    if (!('cloud' in changes)) return;
    settings.cloud = cloud === undefined ? undefined : new CloudEndpoint(cloud, this.#gate, ++this.#clouds);
  }

  contextTokens(): number | undefined {
    return this.session?.info.contextTokens;
  }

  async memoryBytes(): Promise<number | undefined> {
    return this.session?.engine.memoryBytes();
  }

  async slowDown(factor: number): Promise<void> {
    this.#checkAlive();
    return this.#local.slowDown(factor);
  }

  trace(): string {
    return this.#dispatcher.trace.toJsonl();
  }

  destroy(): void {
    this.#life.abort();
    this.#dispatcher.destroy();
    this.#download.destroy();
    this.#surroundings.stop();
    this.#local.destroy();
    this.#store.close();
    this.#events.clear();
  }

  #openLocal(options: InshoreOptions): LocalSide {
    const { device, threads, contextTokens, exact, kvCache, shareEngine, assets } = options;
    return new LocalSide({
      model: this.#model,
      setup: { device: device ?? 'auto', threads, contextTokens, exact, kvCache },
      records: openSpeedRecords(),
      devices: new DeviceNames(
        openRecords('inshore-devices', 'opened'),
        this.#model.sha256?.slice(0, 16) ?? this.#model.name,
      ),
      download: this.#download,
      find: () => this.#find(),
      open: (key, setup, opening) =>
        openSession(key, setup.device, {
          ...opening,
          worker: assets?.engineWorker,
          ...(shareEngine && { share: `life${this.#local.losses}` }),
          threads: setup.threads,
          contextTokens: setup.contextTokens,
          exact: setup.exact,
          kvCache: setup.kvCache,
        }),
      onState: (state) => {
        // The store may have lost it (evicted, another tab) or found it damaged: look again next time.
        if (state.state === 'closed' && LOST.has(state.error?.code ?? '')) this.#stored = undefined;
        this.#events.emit('engine', state);
      },
      onLoading: (doneBytes, totalBytes) =>
        this.#events.emit('progress', { phase: 'loading', doneBytes, totalBytes }),
    });
  }

  /** Measures a new engine with the model's shape. The device that opens may differ from the expected one. */
  async #probe() {
    // A browser without file storage can still be measured.
    const { key, complete } = await this.#find().catch(() => NOT_STORED);
    this.#checkAlive();
    const engine = new EngineClient(startEngine(this.#engineWorker));
    const end = (): void => engine.close();
    this.#life.signal.addEventListener('abort', end, { once: true });
    try {
      const stored = complete ? key : undefined;
      return await probeDevice({ engine, url: this.#model.url, stored, setup: this.#local.setup });
    } catch (error) {
      this.#checkAlive();
      throw error;
    } finally {
      this.#life.signal.removeEventListener('abort', end);
    }
  }

  #checkAlive(): void {
    if (this.#life.signal.aborted) throw destroyed();
  }

  async #find(): Promise<Stored> {
    this.#checkAlive();
    if (this.#stored !== undefined) return this.#stored;
    const stored = await this.#store.find(this.#model);
    if (stored.complete) await this.#learn(stored);
    return stored;
  }

  /** A hub's model tells its hash only once it is stored; with it, an answer can go on elsewhere from token ids. */
  async #learn(stored: Stored): Promise<void> {
    this.#stored = stored;
    if (this.#local.modelSha256 !== undefined || typeof stored.key !== 'string') return;
    const models = await this.#store.list();
    this.#local.modelSha256 = models.find(({ key }) => key === stored.key)?.sha256;
  }
}

/** Rejects with `cancelled` when `signal` aborts. The work goes on, because other callers may share it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () =>
      reject(new InshoreError('cancelled', 'The download was cancelled while the model was loading.'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
