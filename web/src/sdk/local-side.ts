import type { DeviceChoice, KvFormat } from '../engine/protocol';
import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import type { Availability, Plan, Snapshot } from '../route/types';
import type { ModelRef } from '../store/model';
import type { StoredKey } from '../store/protocol';
import type { CheckedRequest, EngineState } from './contract';
import { fitsMemory } from './device-memory';
import { expectedDevice, nameOfDevice } from './device-name';
import { engineFailure, leavesEngineSound } from './engine-failure';
import type { Leg, LegSink, LegTask } from './leg';
import { LocalLeg, STUCK } from './local-leg';
import { measured, type SpeedRecord, type SpeedRecords } from './speed-record';

/** An answer without `max_tokens` counts so much for the queue. */
const USUAL_ANSWER_TOKENS = 128;
/** Reading, unpacking and uploading a stored model, before it was measured: bytes per ms, and what does not depend on it. */
const LOAD_BYTES_PER_MS = 100_000;
const LOAD_FIXED_MS = 500;
/** A context is halved no further. */
const MIN_CONTEXT_TOKENS = 512;
/** What a context is where nobody said, before the model told its own. */
const USUAL_CONTEXT_TOKENS = 2_048;

/** How the engine is set up. */
export interface Setup {
  device: DeviceChoice;
  /** Of the CPU engine; undefined: as many as pay. */
  threads?: number | undefined;
  contextTokens: number | undefined;
  /** f32 activations in the CPU engine. */
  exact?: boolean | undefined;
  /** Of the KV cache. */
  kvCache?: KvFormat | undefined;
}

/** What a local side is made of. */
export interface LocalParts {
  model: ModelRef;
  setup: Setup;
  /** What the store has. */
  find(): Promise<{ key: StoredKey; complete: boolean; bytes: number }>;
  open(key: StoredKey, setup: Setup, onProgress: (done: number, total: number) => void): Promise<Session>;
  records: SpeedRecords;
  onEngine(state: EngineState): void;
  /** Progress of loading the stored model onto the device. */
  onLoading(doneBytes: number, totalBytes: number): void;
}

/**
 * The engine's life on this device. It is opened when first needed, runs one answer at a time and keeps the others
 * waiting in order. After a crash the next leg gets a fresh worker; a smaller plan stays, for what failed once would fail
 * again.
 */
export class LocalSide {
  /** Hash of the model's file, where it is known: other hosts compare it before they go on from token ids. */
  modelSha256: string | undefined;
  readonly #parts: LocalParts;
  readonly #legs = new Set<LocalLeg>();
  #setup: Setup;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  #downloading = false;
  #turn: Promise<void> = Promise.resolve();
  #slowness = 1;
  #losses = 0;
  #closed = false;

  constructor(parts: LocalParts) {
    this.#parts = parts;
    this.modelSha256 = parts.model.sha256;
    this.#setup = parts.setup;
  }

  /** The loaded engine, if it is loaded. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Engines that were lost so far. Tabs that share one lose it together, and then share the next. */
  get losses(): number {
    return this.#losses;
  }

  /** How the engine is, or will be, set up. */
  get setup(): Setup {
    return this.#setup;
  }

  /** A download begins or ends. */
  set downloading(now: boolean) {
    this.#downloading = now;
  }

  async availability(): Promise<Availability> {
    if (this.#session !== undefined) return 'available';
    if (typeof WebAssembly === 'undefined') return 'unavailable';
    try {
      if ((await this.#parts.find()).complete) return 'available';
    } catch (error) {
      // Without file storage there is no place for a model; any other trouble shows when it is downloaded.
      if (InshoreError.is(error) && error.code === 'storage_unavailable') return 'unavailable';
    }
    return this.#downloading ? 'downloading' : 'downloadable';
  }

  /** What the policy must know of the device when a request begins. */
  async snapshot(_request?: CheckedRequest): Promise<Snapshot['local']> {
    const [availability, record, key] = await Promise.all([this.availability(), this.record(), this.key()]);
    const contextTokens =
      this.#session?.info.contextTokens ?? this.#setup.contextTokens ?? record?.contextTokens;
    const speeds = record !== undefined && record.decodeTps > 0 && record.prefillTps > 0;
    return {
      availability,
      key,
      context_tokens: contextTokens,
      memory_fits: this.#session !== undefined ? true : fitsMemory(record?.memoryBytes),
      load_ms: this.#session !== undefined ? 0 : this.#loadMs(record),
      queue_ms: this.#queueMs(record),
      estimate: speeds ? { prefill_tps: record.prefillTps, decode_tps: record.decodeTps } : undefined,
    };
  }

  /** Engine, adapter and model: what breaker, history and records go by. */
  async key(): Promise<string> {
    const { model } = this.#parts;
    const device =
      this.#session === undefined
        ? await expectedDevice(this.#setup.device)
        : nameOfDevice(this.#session.device);
    return `${device} | ${model.sha256?.slice(0, 16) ?? model.name}`;
  }

  /** What is known of this model on this device. */
  async record(): Promise<SpeedRecord | undefined> {
    return this.#parts.records.get(await this.key());
  }

  /** Keeps what became known. */
  async keep(record: SpeedRecord): Promise<void> {
    await this.#parts.records.put(await this.key(), record);
  }

  /** Starts a leg; it waits until those before it are through. */
  start(task: LegTask, sink: LegSink): Leg {
    const leg = new LocalLeg(task, sink);
    this.#legs.add(leg);
    const before = this.#turn;
    this.#turn = before.then(() => this.#run(leg));
    return leg;
  }

  /** Loads the stored model, if it is not loaded. */
  async load(): Promise<Session> {
    return this.#open(this.#setup);
  }

  /** Every step takes `factor` times as long, now and after a restart: for demonstrations and tests. */
  async slowDown(factor: number): Promise<void> {
    this.#slowness = factor;
    await this.#session?.engine.slowDown(factor);
  }

  /** Ends the engine; the next leg opens it again. */
  unload(): void {
    this.#close(undefined);
  }

  /** Ends the engine for good. */
  destroy(): void {
    this.#closed = true;
    for (const leg of this.#legs) leg.abort();
    this.unload();
  }

  async #run(leg: LocalLeg): Promise<void> {
    try {
      if (leg.isAborted) return;
      const session = await this.#open(this.#planned(leg.task.plan));
      if (leg.isAborted) return;
      const end = await leg.run(session.engine);
      if (end === undefined) return;
      const { finishReason, timings } = end;
      if (finishReason === 'cancelled')
        throw new InshoreError('cancelled', 'The engine was stopped from elsewhere.');
      const { promptTokens, cachedTokens, completionTokens, prefillTps, decodeTps } = timings;
      // Before the end is told: whoever asks then finds the queue as it is.
      this.#leave(leg);
      leg.sink.finished({
        finishReason,
        promptTokens,
        cachedTokens,
        completionTokens,
        // A rate that was not measured is 0.
        prefillTps: prefillTps > 0 ? prefillTps : undefined,
        decodeTps: decodeTps > 0 ? decodeTps : undefined,
      });
      if (decodeTps > 0) await this.keep(measured(await this.record(), prefillTps, decodeTps));
    } catch (thrown) {
      if (thrown === STUCK) return this.#lose(undefined);
      const error = engineFailure(thrown);
      if (!leavesEngineSound(error)) this.#lose(error);
      this.#leave(leg);
      leg.sink.failed(error);
    } finally {
      this.#leave(leg);
    }
  }

  #leave(leg: LocalLeg): void {
    this.#legs.delete(leg);
  }

  /** The set-up that a plan asks for. */
  #planned(plan: Plan): Setup {
    if (plan === 'cpu') return { ...this.#setup, device: 'cpu' };
    if (plan === 'same') return this.#setup;
    const now = this.#session?.info.contextTokens ?? this.#setup.contextTokens ?? USUAL_CONTEXT_TOKENS;
    return { ...this.#setup, contextTokens: Math.max(MIN_CONTEXT_TOKENS, Math.floor(now / 2)) };
  }

  /** The engine in this set-up; one that is set up differently is ended first. */
  #open(setup: Setup): Promise<Session> {
    if (this.#closed)
      return Promise.reject(new InshoreError('destroyed', 'This instance of inshore was destroyed.'));
    if (setup !== this.#setup && !same(setup, this.#setup)) {
      this.#close(undefined);
      this.#setup = setup;
    }
    if (this.#session !== undefined) return Promise.resolve(this.#session);
    this.#opening ??= this.#openFresh(setup).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openFresh(setup: Setup): Promise<Session> {
    const { find, open, onEngine, onLoading } = this.#parts;
    const began = performance.now();
    onEngine({ state: 'opening' });
    try {
      const { key, complete } = await find();
      if (!complete)
        throw new InshoreError(
          'not_downloaded',
          'The model is not on this device yet. Call download() first.',
        );
      const session = await open(key, setup, onLoading);
      if (this.#closed) {
        session.engine.close();
        throw new InshoreError('destroyed', 'This instance of inshore was destroyed.');
      }
      session.engine.onCrash = (error) => this.#lose(error, session);
      this.#session = session;
      if (this.#slowness !== 1) await session.engine.slowDown(this.#slowness);
      onEngine({ state: 'ready', device: session.device, info: session.info });
      await this.#keepLoad(session, performance.now() - began);
      return session;
    } catch (error) {
      onEngine({ state: 'closed', error: InshoreError.from(error) });
      throw error;
    }
  }

  async #keepLoad({ info }: Session, loadMs: number): Promise<void> {
    const unknown = { prefillTps: 0, decodeTps: 0, from: 'probe' as const, answers: 0 };
    const memoryBytes = info.weightBytes + info.kvBytes;
    const { contextTokens, backend, device } = info;
    const known = { ...unknown, ...(await this.record()) };
    await this.keep({ ...known, loadMs, contextTokens, memoryBytes, backend, device });
  }

  /** The engine is broken: nobody shall join it any more. */
  #lose(error: InshoreError | undefined, session = this.#session): void {
    if (session !== undefined && session === this.#session) this.#losses += 1;
    this.#close(error, session);
  }

  #close(error: InshoreError | undefined, session = this.#session): void {
    if (session === undefined || session !== this.#session) return;
    this.#session = undefined;
    session.engine.onCrash = undefined;
    session.engine.close();
    this.#parts.onEngine({ state: 'closed', error });
  }

  #loadMs(record: SpeedRecord | undefined): number {
    return record?.loadMs ?? LOAD_FIXED_MS + (this.#parts.model.bytes ?? 0) / LOAD_BYTES_PER_MS;
  }

  #queueMs(record: SpeedRecord | undefined): number {
    if (record === undefined || record.decodeTps <= 0) return 0;
    const waiting = [...this.#legs].filter((leg) => !leg.isAborted);
    const tokens = waiting.reduce((sum, { task }) => sum + (task.maxTokens ?? USUAL_ANSWER_TOKENS), 0);
    return (tokens * 1000) / record.decodeTps;
  }
}

const same = (a: Setup, b: Setup): boolean => a.device === b.device && a.contextTokens === b.contextTokens;
