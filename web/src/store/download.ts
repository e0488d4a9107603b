import { InshoreError } from '../error';
import { backoffMs, Interrupted, MAX_FAILURES } from './answers';
import { BROKEN, cancelled, networkFailed } from './failures';
import { checkGguf } from './gguf-header';
import { askHub } from './hub';
import { type DiskFile, Ledger } from './ledger';
import type { ModelRef } from './model';
import type { DownloadProgress } from './protocol';
import { CHECKS, isValidator, layoutOf, type RecordedPart, type StoreRecord } from './record';
import { type PartSource, type TransferWorld, transfer } from './transfer';
import { type Finding, Verifier } from './verify';

/** Where one model is kept; OPFS in the browser. */
export interface ModelStorage {
  record(): Promise<StoreRecord | undefined>;
  writeRecord(record: StoreRecord): Promise<void>;
  open(): Promise<{ data: DiskFile; sums: DiskFile; close(): void }>;
  commit(): Promise<void>;
  remove(): Promise<void>;
}

/** The world around a download; tests bring their own. */
export interface DownloadWorld extends Pick<TransferWorld, 'origin' | 'fetch' | 'sleep' | 'now' | 'signal'> {
  /** Checks that `neededBytes` more may be kept. @throws InshoreError `quota_exceeded` */
  checkRoom(neededBytes: number): Promise<void>;
  onProgress(progress: DownloadProgress): void;
}

/** Chunks that the disk gives back changed are fetched again so many times in one download. */
const MAX_REPAIRS = 3;
/** After these nothing that arrived is of use. */
const HOPELESS = new Set([...BROKEN, 'wrong_size', 'wrong_hash', 'bad_range']);

/**
 * Brings `model` to `storage`: goes on with what is there, fetches the rest, checks all of it on disk, and only then
 * commits. Returns the size. Ended at any moment, it leaves a model that is not there or one that is whole.
 *
 * @throws InshoreError of {@link transfer}, and `wrong_hash`, `truncated`, `invalid_gguf`
 */
export async function download(
  model: ModelRef,
  storage: ModelStorage,
  world: DownloadWorld,
): Promise<number> {
  const part = await storage.open();
  const job = new DownloadJob(model, storage, part.data, new Ledger(part.sums), world);
  let bytes: number;
  try {
    bytes = await job.run();
  } catch (error) {
    part.close();
    const hopeless = InshoreError.is(error) && HOPELESS.has(error.code);
    if (job.doneBytes === 0 || (hopeless && !job.keepsRest)) await storage.remove();
    throw error;
  }
  part.close();
  await job.writeRecord(new Date(world.now()).toISOString());
  await storage.commit();
  return bytes;
}

class DownloadJob {
  readonly #model: ModelRef;
  readonly #storage: ModelStorage;
  readonly #data: DiskFile;
  readonly #ledger: Ledger;
  readonly #world: DownloadWorld;
  #record: StoreRecord;
  /** Nothing but the hash at the end tells whether what is here is of one version. */
  #unproven = false;
  /** The failure concerns a shard: the others are sound. */
  keepsRest = false;

  constructor(model: ModelRef, storage: ModelStorage, data: DiskFile, ledger: Ledger, world: DownloadWorld) {
    this.#model = model;
    this.#storage = storage;
    this.#data = data;
    this.#ledger = ledger;
    this.#world = world;
    this.#record = freshRecord(model);
  }

  /** Bytes that are here. */
  get doneBytes(): number {
    return this.#ledger.doneBytes(layoutOf(this.#record.parts));
  }

  async run(): Promise<number> {
    await this.#resume();
    try {
      return await this.#obtain();
    } catch (error) {
      // Perhaps a mix of two versions of the file: once more from the start.
      const again = this.#unproven && InshoreError.is(error) && error.code === 'wrong_hash';
      if (!again || this.keepsRest) throw error;
      await this.#beginAnew();
      if (this.#model.pointerUrl !== undefined) await this.#askHub();
      return this.#obtain();
    }
  }

  async writeRecord(storedAt: string): Promise<void> {
    await this.#storage.writeRecord({ ...this.#record, checks: CHECKS, storedAt });
  }

  /** Takes up what an earlier visit left, as far as it is of the same file. */
  async #resume(): Promise<void> {
    const found = await this.#storage.record();
    if (found === undefined || !sameShape(found, this.#record)) {
      await this.#beginAnew();
    } else {
      const moved = found.url !== this.#record.url;
      const { sha256 = found.sha256 } = this.#record;
      this.#record = { ...this.#record, sha256, parts: found.parts };
      // Another server's validators say nothing about this one's file.
      if (moved) this.#record.parts = found.parts.map(({ bytes }) => ({ bytes }));
    }
    const whole = this.doneBytes === layoutOf(this.#record.parts).totalBytes;
    if (this.#model.pointerUrl !== undefined && !whole) await this.#askHub();
    await this.#storage.writeRecord(this.#record);
  }

  async #beginAnew(): Promise<void> {
    // The ledger first: what it lists must never be older than the record.
    this.#ledger.clear(0, Number.POSITIVE_INFINITY);
    this.#ledger.flush();
    this.#record = freshRecord(this.#model);
    await this.#storage.writeRecord(this.#record);
  }

  async #askHub(): Promise<void> {
    const { url, pointerUrl = '' } = this.#model;
    const { signal, fetch, now } = this.#world;
    const { bytes, sha256 } = await this.#patiently(() =>
      askHub({ url, pointerUrl }, { fetch, now, signal }),
    );
    const known = this.#record;
    const moved = sha256 !== undefined && known.sha256 !== undefined && sha256 !== known.sha256;
    if (moved || (bytes !== undefined && (known.parts[0]?.bytes ?? bytes) !== bytes)) await this.#beginAnew();
    // A hub that says nothing today does not take back the hash that it said before.
    this.#record.sha256 = sha256 ?? this.#record.sha256;
    const [part] = this.#record.parts;
    if (part !== undefined && bytes !== undefined) part.bytes = bytes;
    await this.#storage.writeRecord(this.#record);
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { signal, sleep } = this.#world;
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) throw cancelled();
        if (!(error instanceof Interrupted)) throw error;
        if (failures > MAX_FAILURES) throw networkFailed(error);
        await sleep(Math.max(backoffMs(failures), error.retryAfterMs ?? 0), signal);
      }
    }
  }

  async #obtain(): Promise<number> {
    const partSha256 = this.#model.shards?.map((shard) => shard.sha256);
    const verifier = new Verifier(this.#data, this.#ledger, { sha256: this.#record.sha256, partSha256 });
    for (let repairs = 0; ; repairs++) {
      // Nothing may read on when the file is closed.
      const totalBytes = await this.#transfer(verifier).finally(() => verifier.stop());
      this.#data.truncate(totalBytes);
      const onProgress = (doneBytes: number): void =>
        this.#world.onProgress({ phase: 'verifying', doneBytes, totalBytes });
      onProgress(0);
      const finding = await verifier.finish(layoutOf(this.#record.parts), onProgress, this.#world.signal);
      if (finding.kind === 'sound') {
        await checkGguf(
          (at, length) => this.#data.read(length, at),
          totalBytes,
          withoutQuery(this.#model.url),
        );
        this.#data.flush();
        this.#ledger.flush();
        return totalBytes;
      }
      if (finding.kind === 'wrong_hash') throw this.#refuse(finding);
      for (const chunk of finding.chunks) this.#ledger.clear(chunk, chunk + 1);
      if (repairs === MAX_REPAIRS) throw diskFails();
    }
  }

  async #transfer(verifier: Verifier): Promise<number> {
    const sources = this.#sources();
    const { parts } = this.#record;
    const layout = layoutOf(parts);
    if (this.doneBytes === layout.totalBytes) return layout.totalBytes;
    for (const [index, { hashed }] of sources.entries()) {
      const { first, end } = layout.chunksOf(index);
      // Nothing would tell whether what comes fits to what is here.
      if (!hashed && !isValidator(parts[index]?.validator)) this.#ledger.clear(first, end);
    }
    if (layout.totalBytes !== Number.POSITIVE_INFINITY) await this.#reserve(layout.totalBytes);
    if (this.doneBytes > 0 && !parts.every(({ validator }) => isValidator(validator))) this.#unproven = true;
    const bytes = await transfer(
      { sources, parts, data: this.#data, ledger: this.#ledger },
      {
        ...this.#world,
        reserve: (totalBytes) => this.#reserve(totalBytes),
        record: () => this.#storage.writeRecord(this.#record),
        onProgress: (doneBytes, totalBytes) => {
          verifier.advance(layoutOf(parts));
          this.#world.onProgress({ phase: 'downloading', doneBytes, totalBytes });
        },
      },
    );
    if (!parts.every(({ validator }) => isValidator(validator))) this.#unproven = true;
    return bytes;
  }

  #sources(): PartSource[] {
    const { shards, url, bytes } = this.#model;
    if (shards !== undefined)
      return shards.map((shard) => ({ url: shard.url, expectedBytes: shard.bytes, hashed: true }));
    const hashed = this.#record.sha256 !== undefined;
    const fromHub = this.#model.pointerUrl !== undefined && hashed ? this.#record.parts[0]?.bytes : undefined;
    return [{ url, expectedBytes: bytes ?? fromHub, hashed }];
  }

  /** Makes the file as long as it will be. Only that tells whether there is room: an estimate need not be true. */
  async #reserve(totalBytes: number): Promise<void> {
    const neededBytes = totalBytes - this.#data.size();
    if (neededBytes <= 0) return;
    await this.#world.checkRoom(neededBytes);
    this.#data.truncate(totalBytes);
  }

  #refuse({ part, actual, expected }: Finding & { kind: 'wrong_hash' }): InshoreError {
    const layout = layoutOf(this.#record.parts);
    const { first, end } = part === undefined ? { first: 0, end: layout.count } : layout.chunksOf(part);
    this.#ledger.clear(first, end);
    this.keepsRest = part !== undefined;
    const what =
      part === undefined ? 'The downloaded file' : `Shard ${part + 1} of ${layout.parts} of the file`;
    return new InshoreError(
      'wrong_hash',
      `${what} is not the model that was asked for: its SHA-256 is ${actual}, not ${expected}. It was deleted. Try again; if it stays so, the server has the wrong file.`,
    );
  }
}

function freshRecord({ name, url, sha256, shards, bytes }: ModelRef): StoreRecord {
  const parts: RecordedPart[] = shards?.map((shard) => ({ bytes: shard.bytes })) ?? [{ bytes }];
  return { version: 1, name, url: withoutQuery(url), sha256, parts };
}

/** Whether the chunks of one record are chunks of the other too. */
function sameShape(a: StoreRecord, b: StoreRecord): boolean {
  const sha = a.sha256 === undefined || b.sha256 === undefined || a.sha256 === b.sha256;
  const same = (part: RecordedPart, index: number): boolean => {
    const other = b.parts[index]?.bytes;
    return part.bytes === undefined || other === undefined || part.bytes === other;
  };
  return sha && a.parts.length === b.parts.length && a.parts.every(same);
}

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

const diskFails = (): InshoreError =>
  new InshoreError(
    'write_failed',
    'The browser does not give back the bytes that were written to disk. Free disk space, check the disk, and try again.',
  );
