import { InshoreError } from '../error';
import {
  type Asked,
  backoffMs,
  checkSize,
  Interrupted,
  ifRange,
  judge,
  MAX_FAILURES,
  readAnswer,
  type Verdict,
} from './answers';
import { ChunkWriter } from './chunk-writer';
import { cancelled, networkFailed } from './failures';
import type { Layout } from './layout';
import { layoutOf } from './record';
import { type RangeSupport, Schedule, type Segment } from './schedule';
import type { TransferJob, TransferWorld } from './transfer';
import { StallWatchdog } from './watchdog';

/** Parallel requests. A browser allows six connections to a server, and the page needs some of them. */
const LANES = 4;

/** Thrown when a part must be fetched again from its first byte. */
export class Restart extends Error {
  constructor(
    readonly part: number,
    /** Whether it must be fetched in one stream, because ranges cannot be used. */
    readonly noRanges: boolean,
  ) {
    super('the part must be fetched again');
  }
}

/** A segment that is being downloaded. */
interface SegmentDownload {
  segment: Segment;
  writer: ChunkWriter;
}

/** One attempt at a file, until it is complete or a part must start again ({@link Restart}). */
export class TransferRun {
  readonly #job: TransferJob;
  readonly #world: TransferWorld;
  readonly #schedule: Schedule;
  readonly #stop = new AbortController();
  #layout: Layout;
  #failure: unknown;
  #lanes = LANES;
  #notBeforeMs = 0;
  #ifRange = true;
  #doneBytes: number;

  /** `support` says for each part what is known of its server. */
  constructor(job: TransferJob, world: TransferWorld, support: RangeSupport[]) {
    this.#job = job;
    this.#world = world;
    this.#schedule = new Schedule(support, LANES);
    this.#layout = layoutOf(job.parts);
    this.#doneBytes = job.ledger.doneBytes(this.#layout);
  }

  /** Fetches what is missing and returns the size of the file. */
  async finish(): Promise<number> {
    const { signal } = this.#world;
    const abort = (): void => this.#stop.abort();
    if (signal.aborted) throw cancelled();
    signal.addEventListener('abort', abort);
    try {
      await Promise.all(Array.from({ length: LANES }, (_, lane) => this.#runLane(lane)));
    } finally {
      signal.removeEventListener('abort', abort);
      this.#job.ledger.flush();
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#layout.totalBytes;
  }

  async #runLane(lane: number): Promise<void> {
    try {
      // Lanes above the server's limit end after their segment; the first lane never does.
      while (lane < this.#lanes) {
        const next = this.#schedule.take(this.#layout, this.#job.ledger);
        if (next === undefined) return;
        if ('later' in next) await this.#unlessStopped(next.later);
        else await this.#fetch(next);
      }
    } catch (error) {
      // The first failure ends all lanes; their later errors only follow from it.
      this.#failure ??= this.#world.signal.aborted ? cancelled() : error;
      this.#stop.abort();
    }
  }

  async #fetch(segment: Segment): Promise<void> {
    const download: SegmentDownload = { segment, writer: this.#writerAt(segment) };
    let furthest = segment.start;
    for (let failures = 0; ; ) {
      try {
        await this.#untilAllowed();
        await this.#attempt(download);
        if (segment.stream || download.writer.position >= segment.end) return;
        failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted || !(error instanceof Interrupted)) throw error;
        const { position } = download.writer;
        failures = position > furthest ? 1 : failures + 1;
        furthest = Math.max(furthest, position);
        if (failures > MAX_FAILURES) throw networkFailed(error);
        await this.#backOff(error, failures);
      }
    }
  }

  async #attempt(download: SegmentDownload): Promise<void> {
    const { part } = download.segment;
    const watchdog = new StallWatchdog(this.#stop.signal);
    let body: Body | undefined;
    try {
      const asked = this.#asked(download);
      const response = await this.#connect(asked, download.segment, watchdog);
      body = response.body?.getReader();
      const verdict = judge(readAnswer(response), asked, this.#world.now());
      if (verdict.kind === 'changed') throw new Restart(part, false);
      if (verdict.kind === 'no_ranges') throw new Restart(part, true);
      if (body === undefined) throw new Interrupted('the answer has no body');
      if (verdict.kind === 'range') {
        const range = await this.#acceptRange(download, verdict);
        await this.#receiveRange(body, download, range, watchdog);
      } else {
        const end = await this.#acceptStream(download, verdict);
        await this.#receiveStream(body, download, end, watchdog);
      }
    } finally {
      watchdog.end();
      // Closes the connection if we stop before the body ends; it may already be broken.
      body?.cancel().catch(() => {});
    }
  }

  #asked({ segment, writer }: SegmentDownload): Asked {
    const source = this.#job.sources[segment.part];
    if (source === undefined) throw new InshoreError('internal', 'A part of the model has no address.');
    const start = segment.stream ? undefined : writer.position - this.#layout.bytesOf(segment.part).start;
    return {
      ...source,
      start,
      expectedBytes: source.expectedBytes,
      knownBytes: this.#job.parts[segment.part]?.bytes,
      validator: this.#job.parts[segment.part]?.validator,
    };
  }

  async #connect(
    { url, start, validator }: Asked,
    segment: Segment,
    watchdog: StallWatchdog,
  ): Promise<Response> {
    const headers: Record<string, string> = {};
    if (start !== undefined) {
      const last = segment.end - this.#layout.bytesOf(segment.part).start - 1;
      headers.Range = `bytes=${start}-${last}`;
    }
    // Another origin would have to allow this header in CORS, so there the validators of the answers are compared instead.
    const condition =
      this.#ifRange && new URL(url).origin === this.#world.origin ? ifRange(validator) : undefined;
    if (start !== undefined && condition !== undefined) headers['If-Range'] = condition;
    try {
      // `no-store` avoids a second copy of the model in the HTTP cache.
      return await this.#world.fetch(url, { headers, signal: watchdog.signal, cache: 'no-store' });
    } catch (error) {
      // The header may be the cause: a redirect can lead to another origin.
      if (condition !== undefined) this.#ifRange = false;
      throw new Interrupted('the server cannot be reached', { cause: error });
    }
  }

  /** Evaluates the answer to a range. Returns its end in the file, and how much of it is wanted. */
  async #acceptRange(
    { segment }: SegmentDownload,
    verdict: Verdict & { kind: 'range' },
  ): Promise<{ end: number; wantedEnd: number }> {
    const { parts } = this.#job;
    const known = parts[segment.part];
    if (known?.bytes !== undefined && known.bytes !== verdict.totalBytes)
      throw new Restart(segment.part, false);
    if (known?.bytes === undefined || (known.validator === undefined && verdict.validator !== undefined)) {
      parts[segment.part] = { bytes: verdict.totalBytes, validator: known?.validator ?? verdict.validator };
      this.#layout = layoutOf(parts);
      await this.#world.record();
      await this.#world.reserve(this.#layout.totalBytes);
    }
    const { start, end } = this.#layout.bytesOf(segment.part);
    segment.end = Math.min(segment.end, end);
    this.#schedule.ranges(segment.part);
    return { end: start + verdict.end, wantedEnd: Math.min(segment.end, start + verdict.end) };
  }

  /** Prepares for a whole part in one answer. Returns its end in the file, if it is known. */
  async #acceptStream(download: SegmentDownload, verdict: Verdict & { kind: 'whole' }): Promise<number> {
    const { segment } = download;
    const { parts, ledger } = this.#job;
    // Other requests for this part are running or some of it is on disk, so the server's behaviour has changed.
    if (!segment.stream && this.#schedule.support(segment.part) === 'yes')
      throw new Restart(segment.part, true);
    const { first, end } = this.#layout.chunksOf(segment.part);
    ledger.clear(first, end);
    const known = parts[segment.part];
    if (known?.validator !== undefined) {
      // A broken stream starts again, because its bytes must never be joined with those of another answer.
      parts[segment.part] = { bytes: known.bytes };
      await this.#world.record();
    }
    this.#doneBytes = ledger.doneBytes(this.#layout);
    this.#schedule.stream(segment.part, this.#layout);
    Object.assign(segment, { stream: true, ...this.#layout.bytesOf(segment.part) });
    download.writer = this.#writerAt(segment);
    const streamEnd = Math.min(segment.end, segment.start + (verdict.totalBytes ?? Number.POSITIVE_INFINITY));
    const fileEnd = Math.min(this.#layout.totalBytes, streamEnd);
    if (parts.length === 1 && fileEnd !== Number.POSITIVE_INFINITY) await this.#world.reserve(fileEnd);
    return streamEnd;
  }

  /** Takes bytes until `wantedEnd`. A body that continues after the `end` of its range is not the range that it claims to be. */
  async #receiveRange(
    body: Body,
    { writer, segment }: SegmentDownload,
    { end, wantedEnd }: { end: number; wantedEnd: number },
    watchdog: StallWatchdog,
  ): Promise<void> {
    let excess = 0;
    while (writer.position < wantedEnd) {
      const bytes = await read(body);
      if (bytes === undefined) {
        // An answer that ends without an error before the end of its range is not that range; only a hash would detect it.
        if (!this.#job.sources[segment.part]?.hashed) throw new Restart(segment.part, true);
        throw new Interrupted('the answer ended too early');
      }
      watchdog.touch();
      excess = Math.max(0, writer.position + bytes.length - end);
      await this.#push(writer, bytes.subarray(0, wantedEnd - writer.position));
    }
    if (wantedEnd === end && excess === 0) excess = await bytesBehind(body);
    if (excess > 0) throw new Restart(segment.part, true);
  }

  /** Takes bytes until the answer ends, which must be at `end` unless `end` is unknown (`Infinity`). */
  async #receiveStream(
    body: Body,
    { writer, segment }: SegmentDownload,
    end: number,
    watchdog: StallWatchdog,
  ): Promise<void> {
    for (let bytes = await read(body); bytes !== undefined; bytes = await read(body)) {
      watchdog.touch();
      if (writer.position + bytes.length > end) {
        checkSize(writer.position + bytes.length - segment.start, end - segment.start);
      }
      await this.#push(writer, bytes);
    }
    if (writer.position < end && end !== Number.POSITIVE_INFINITY)
      throw new Interrupted('the answer ended too early');
    await writer.finish();
    this.#job.parts[segment.part] = { bytes: writer.position - segment.start };
    this.#layout = layoutOf(this.#job.parts);
    await this.#world.record();
  }

  async #push(writer: ChunkWriter, bytes: Uint8Array): Promise<void> {
    await writer.push(bytes);
    this.#doneBytes += bytes.length;
    const { totalBytes } = this.#layout;
    this.#world.onProgress(this.#doneBytes, totalBytes === Number.POSITIVE_INFINITY ? undefined : totalBytes);
  }

  #writerAt({ part, start }: Segment): ChunkWriter {
    const { data, ledger, sources } = this.#job;
    const url = sources[part]?.url ?? '';
    return new ChunkWriter({ url, data, ledger, layout: () => this.#layout }, start);
  }

  /** Waits until the server allows requests again; this applies to all lanes. */
  async #untilAllowed(): Promise<void> {
    const waitMs = this.#notBeforeMs - this.#world.now();
    if (waitMs > 0) await this.#world.sleep(waitMs, this.#stop.signal);
    if (this.#stop.signal.aborted) throw cancelled();
  }

  async #backOff(error: Interrupted, failures: number): Promise<void> {
    if (error.overloaded) this.#lanes = Math.max(1, this.#lanes >> 1);
    if (error.retryAfterMs !== undefined) {
      this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#world.now() + error.retryAfterMs);
    }
    await this.#world.sleep(backoffMs(failures), this.#stop.signal);
    if (this.#stop.signal.aborted) throw cancelled();
  }

  #unlessStopped(work: Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(cancelled()), { once: true });
      work.then(resolve, reject);
    });
  }
}

type Body = ReadableStreamDefaultReader<Uint8Array>;

/** Returns the bytes of the next piece of a body that should have ended; 0 if it ends or fails. */
async function bytesBehind(body: Body): Promise<number> {
  const bytes = await read(body).catch(() => undefined);
  return bytes?.length ?? 0;
}

async function read(body: Body): Promise<Uint8Array | undefined> {
  try {
    const { done, value } = await body.read();
    return done ? undefined : value;
  } catch (error) {
    throw new Interrupted('the connection broke', { cause: error });
  }
}
