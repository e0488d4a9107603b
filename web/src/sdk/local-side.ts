import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import type { Availability, Plan, Snapshot } from '../route/types';
import type { ModelRef } from '../store/model';
import { within } from '../within';
import { fitsMemory } from './device-memory';
import { type DeviceNames, nameOfDevice } from './device-name';
import { engineFailure, leavesEngineSound } from './engine-failure';
import { EngineLifecycle, type EngineSetup, type LifecycleParts } from './engine-lifecycle';
import type { Probed } from './estimate';
import type { Leg, LegSink, LegTask } from './leg';
import { LocalLeg, STUCK } from './local-leg';
import type { ModelDownload } from './model-download';
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
/** Longest wait for the file storage; afterwards the request can go elsewhere. */
const STORE_TIMEOUT_MS = 5_000;

/** What a local side is made of. */
export interface LocalParts extends Omit<LifecycleParts, 'onReady'> {
  model: ModelRef;
  records: SpeedRecords;
  devices: DeviceNames;
  download: ModelDownload;
}

/**
 * The device's side of an instance. The engine is opened when first needed, runs one answer at a time and keeps the others
 * waiting in order. After a crash the next leg gets a fresh worker; a smaller plan stays, for what failed once would fail
 * again.
 */
export class LocalSide {
  /** Hash of the model's file, where it is known: other hosts compare it before they go on from token ids. */
  modelSha256: string | undefined;
  readonly #parts: LocalParts;
  readonly #engine: EngineLifecycle;
  readonly #legs = new Set<LocalLeg>();
  #turn: Promise<void> = Promise.resolve();
  /** The leg whose turn it is. */
  #current: LocalLeg | undefined;
  #slowness = 1;
  #updates: Promise<unknown> = Promise.resolve();

  constructor(parts: LocalParts) {
    this.#parts = parts;
    this.modelSha256 = parts.model.sha256;
    const onReady = (session: Session, openMs: number): void => {
      if (this.#slowness !== 1) session.engine.slowDown(this.#slowness).catch(() => {});
      // The records only help later predictions, so a failure to write them is ignored.
      this.#keepLoad(session, openMs, this.setup).catch(() => {});
    };
    const onLoading = (doneBytes: number, totalBytes: number): void => {
      // A large model loads for longer than the policy waits for a silent leg.
      this.#current?.alive();
      parts.onLoading(doneBytes, totalBytes);
    };
    this.#engine = new EngineLifecycle({ ...parts, onReady, onLoading });
  }

  /** The loaded engine, if it is loaded. */
  get session(): Session | undefined {
    return this.#engine.session;
  }

  /** Number of engines that were lost so far. */
  get losses(): number {
    return this.#engine.losses;
  }

  /** How the engine is, or will be, set up. */
  get setup(): EngineSetup {
    return this.#engine.setup;
  }

  async availability(): Promise<Availability> {
    if (this.session !== undefined) return 'available';
    if (typeof WebAssembly === 'undefined') return 'unavailable';
    try {
      const stored = await within(STORE_TIMEOUT_MS, this.#parts.find());
      if (stored === undefined) return 'unavailable';
      if (stored.complete) return 'available';
    } catch (error) {
      // Without file storage there is no place for a model; any other trouble shows when it is downloaded.
      if (InshoreError.is(error) && error.code === 'storage_unavailable') return 'unavailable';
    }
    return this.#parts.download.isRunning ? 'downloading' : 'downloadable';
  }

  /**
   * Starts the automatic download of a missing model, if the instance has one. Waits for it unless the request `mayLeave` the
   * device and can be answered elsewhere.
   */
  async prepare(mayLeave: boolean): Promise<void> {
    const { download } = this.#parts;
    if (!download.isAutomatic || this.session !== undefined) return;
    const availability = await this.availability();
    if (availability !== 'downloadable' && availability !== 'downloading') return;
    const downloading = download.automatic();
    if (mayLeave) downloading.catch(() => {});
    else await downloading;
  }

  /** What the policy must know of the device when a request begins. */
  async snapshot(): Promise<Snapshot['local']> {
    const [availability, key] = await Promise.all([this.availability(), this.key()]);
    const record = await this.#parts.records.get(key);
    const { session } = this;
    const contextTokens = session?.info.contextTokens ?? this.setup.contextTokens ?? record?.contextTokens;
    const speeds = record !== undefined && record.decodeTps > 0 && record.prefillTps > 0;
    return {
      availability,
      key,
      context_tokens: contextTokens,
      memory_fits: session !== undefined ? true : fitsMemory(record?.memoryBytes),
      load_ms: session !== undefined ? 0 : this.#loadMs(record),
      queue_ms: this.#queueMs(record),
      estimate: speeds ? { prefill_tps: record.prefillTps, decode_tps: record.decodeTps } : undefined,
    };
  }

  /** Engine, adapter and model: what breaker, history and records go by. */
  async key(): Promise<string> {
    const { session } = this;
    if (session !== undefined) return this.#keyOf(nameOfDevice(session.device));
    return this.#keyOf(await this.#parts.devices.expected(this.setup.device));
  }

  /** What is known of this model on this device. */
  async record(): Promise<SpeedRecord | undefined> {
    return this.#parts.records.get(await this.key());
  }

  /** Stores a probe's measurement for the device that it opened, and returns the device's whole record. */
  async keepProbe({ device, record }: Probed): Promise<SpeedRecord> {
    await this.#parts.devices.noteOpened(this.setup.device, device);
    return this.#update(device, (known) => ({ ...known, ...record }));
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
  load(): Promise<Session> {
    return this.#engine.open();
  }

  /** Every step takes `factor` times as long, now and after a restart: for demonstrations and tests. */
  async slowDown(factor: number): Promise<void> {
    this.#slowness = factor;
    await this.session?.engine.slowDown(factor);
  }

  /** Ends the engine; the next leg opens it again. */
  unload(): void {
    this.#engine.close();
  }

  /** Ends the engine for good. */
  destroy(): void {
    for (const leg of this.#legs) leg.abort();
    this.#engine.destroy();
  }

  async #run(leg: LocalLeg): Promise<void> {
    let session: Session | undefined;
    this.#current = leg;
    try {
      if (leg.isAborted) return;
      // An opening that hangs must not block later legs, which may use another plan.
      const opened = await Promise.race([this.#engine.open(this.#planned(leg.task.plan)), leg.aborted]);
      if (opened === undefined || leg.isAborted) return;
      session = opened;
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
      if (decodeTps > 0) this.#measure(session, prefillTps, decodeTps).catch(() => {});
    } catch (thrown) {
      const error = thrown === STUCK ? undefined : engineFailure(thrown);
      const isSound = error !== undefined && leavesEngineSound(error);
      if (session !== undefined && !isSound) this.#engine.lose(session, error);
      this.#leave(leg);
      if (error !== undefined) leg.sink.failed(error);
    } finally {
      this.#leave(leg);
    }
  }

  #leave(leg: LocalLeg): void {
    if (this.#current === leg) this.#current = undefined;
    this.#legs.delete(leg);
  }

  /** The setup that a plan asks for. */
  #planned(plan: Plan): EngineSetup {
    const { setup } = this;
    if (plan === 'same') return setup;
    if (plan === 'cpu') return { ...setup, device: 'cpu' };
    const now = this.session?.info.contextTokens ?? setup.contextTokens ?? USUAL_CONTEXT_TOKENS;
    return { ...setup, contextTokens: Math.max(MIN_CONTEXT_TOKENS, Math.floor(now / 2)) };
  }

  /** Records the speed for the session that answered; another one may be open by now. */
  async #measure({ device }: Session, prefillTps: number, decodeTps: number): Promise<void> {
    await this.#update(nameOfDevice(device), (record) => measured(record, prefillTps, decodeTps));
  }

  async #keepLoad(session: Session, loadMs: number, setup: EngineSetup): Promise<void> {
    const { info } = session;
    const name = nameOfDevice(session.device);
    await this.#parts.devices.noteOpened(setup.device, name);
    const unknown = { prefillTps: 0, decodeTps: 0, from: 'probe' as const, answers: 0 };
    const memoryBytes = info.weightBytes + info.kvBytes;
    const { contextTokens, backend, device } = info;
    const loaded = { loadMs, contextTokens, memoryBytes, backend, device };
    await this.#update(name, (record) => ({ ...unknown, ...record, ...loaded }));
  }

  /** Updates the record of a device. Updates run one after another, so that none is lost. */
  #update(device: string, change: (record: SpeedRecord | undefined) => SpeedRecord): Promise<SpeedRecord> {
    const { records } = this.#parts;
    const key = this.#keyOf(device);
    const updated = this.#updates.then(async () => {
      const record = change(await records.get(key));
      await records.put(key, record);
      return record;
    });
    this.#updates = updated.catch(() => {});
    return updated;
  }

  #keyOf(device: string): string {
    const { model } = this.#parts;
    return `${device} | ${model.sha256?.slice(0, 16) ?? model.name}`;
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
