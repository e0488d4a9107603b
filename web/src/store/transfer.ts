import { InshoreError } from '../error';
import {
  backoffMs,
  checkQuota,
  checkSize,
  continueFrom,
  Interrupted,
  MAX_FAILURES,
  startsLikeGguf,
} from './resume';

/** The file that a download grows, in place, so that what arrived survives a reload. */
export interface PartFile {
  size(): number;
  /** @throws InshoreError `quota_exceeded` if the disk or the quota is full. */
  write(bytes: Uint8Array, offset: number): void;
  read(length: number, offset: number): Uint8Array;
  truncate(size: number): void;
  /** Asks for room up to `totalBytes` without keeping it. @throws InshoreError `quota_exceeded` */
  reserve(totalBytes: number): void;
  flush(): void;
}

/** What a download is about. */
export interface TransferJob {
  url: string;
  part: PartFile;
  expectedBytes?: number | undefined;
}

/** The world around a download; tests bring their own. */
export interface TransferWorld {
  fetch(url: string, init: RequestInit): Promise<Response>;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  freeBytes(): Promise<number | undefined>;
  onProgress(doneBytes: number, totalBytes: number | undefined): void;
  signal: AbortSignal;
}

const FLUSH_BYTES = 8 * 1024 * 1024;
const STALL_MS = 30_000;

/**
 * Brings `job.part` to the whole file and returns its size. Goes on where the part ends, tries again after a broken
 * connection as long as bytes keep coming, and gives up after {@link MAX_FAILURES} attempts without one.
 */
export async function transfer(job: TransferJob, world: TransferWorld): Promise<number> {
  const { part, expectedBytes } = job;
  if (expectedBytes !== undefined && part.size() > expectedBytes) part.truncate(0);
  const state: TransferState = { totalBytes: expectedBytes, roomChecked: false, etag: undefined };
  for (let failures = 0; ; ) {
    const before = part.size();
    if (before === state.totalBytes) return before;
    try {
      await attempt(job, world, state);
      return part.size();
    } catch (error) {
      part.flush();
      if (world.signal.aborted) throw cancelled();
      if (!(error instanceof Interrupted)) throw error;
      failures = part.size() > before ? 1 : failures + 1;
      if (failures > MAX_FAILURES) throw networkFailed(error);
      await world.sleep(backoffMs(failures), world.signal);
      if (world.signal.aborted) throw cancelled();
    }
  }
}

interface TransferState {
  totalBytes: number | undefined;
  roomChecked: boolean;
  /** Of the version that the part belongs to, as far as this run knows. */
  etag: string | null | undefined;
}

async function attempt(job: TransferJob, world: TransferWorld, state: TransferState): Promise<void> {
  const { part, url } = job;
  await ensureRoom(part, world, state);
  const offset = part.size();
  const watchdog = new StallWatchdog(world.signal);
  try {
    const response = await connect(url, offset, world, watchdog);
    const { headers } = response;
    const answer = {
      status: response.status,
      contentRange: headers.get('content-range'),
      contentLength: headers.get('content-length'),
      contentEncoding: headers.get('content-encoding'),
    };
    const next = continueFrom(answer, offset, url);
    const etag = headers.get('etag');
    const changed = offset > 0 && state.etag !== undefined && state.etag !== etag;
    state.etag = etag;
    if (next.kind === 'restart' || (changed && next.start > 0)) {
      part.truncate(0);
      throw new Interrupted('the file on the server changed meanwhile');
    }
    checkSize(next.totalBytes, job.expectedBytes);
    state.totalBytes = next.totalBytes ?? state.totalBytes;
    if (next.start < offset) part.truncate(next.start);
    await ensureRoom(part, world, state);
    await receive(response, part, world, watchdog, state.totalBytes);
  } finally {
    watchdog.end();
  }
}

/** Before the download where the size is known by then, else as soon as the server has said it. */
async function ensureRoom(part: PartFile, world: TransferWorld, state: TransferState): Promise<void> {
  if (state.totalBytes === undefined || state.roomChecked) return;
  checkQuota(state.totalBytes - part.size(), await world.freeBytes());
  // Chromium's estimate names 10 GB whatever the truth is; only asking for the room tells.
  part.reserve(state.totalBytes);
  state.roomChecked = true;
}

async function connect(
  url: string,
  offset: number,
  world: TransferWorld,
  watchdog: StallWatchdog,
): Promise<Response> {
  // `no-store`: the model is kept once, by us, not a second time in the HTTP cache.
  const init: RequestInit = { signal: watchdog.signal, cache: 'no-store' };
  if (offset > 0) init.headers = { Range: `bytes=${offset}-` };
  try {
    return await world.fetch(url, init);
  } catch (error) {
    throw new Interrupted('the server cannot be reached', { cause: error });
  }
}

async function receive(
  response: Response,
  part: PartFile,
  world: TransferWorld,
  watchdog: StallWatchdog,
  totalBytes: number | undefined,
): Promise<void> {
  if (response.body === null) throw new Interrupted('the answer has no body');
  const reader = response.body.getReader();
  let size = part.size();
  let flushed = size;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new Interrupted('the connection broke', { cause: error });
      });
      if (done) break;
      watchdog.touch();
      part.write(value, size);
      size += value.length;
      if (size - value.length < 4) checkMagic(part, size);
      if (totalBytes !== undefined && size > totalBytes) {
        part.truncate(0);
        checkSize(size, totalBytes);
      }
      if (size - flushed >= FLUSH_BYTES) {
        part.flush();
        flushed = size;
      }
      world.onProgress(size, totalBytes);
    }
  } finally {
    // Frees the connection where we stop before the body does; it may be broken already.
    reader.cancel().catch(() => {});
  }
  part.flush();
  if (totalBytes !== undefined && size < totalBytes) throw new Interrupted('the answer ended too early');
  if (size < 4) throw notGguf();
}

function checkMagic(part: PartFile, size: number): void {
  if (startsLikeGguf(part.read(Math.min(4, size), 0))) return;
  part.truncate(0);
  throw notGguf();
}

/** Turns silence on the line into an abort of the attempt, and passes the caller's abort on. */
class StallWatchdog {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #abort = (): void => this.#controller.abort();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#abort();
    outer.addEventListener('abort', this.#abort);
    this.touch();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#abort, STALL_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#abort);
  }
}

const notGguf = (): InshoreError =>
  new InshoreError(
    'not_gguf',
    'The file at this address is not a GGUF model. Check the address, or ask whoever runs the server.',
  );

const cancelled = (): InshoreError =>
  new InshoreError('cancelled', 'The download was paused. What arrived is kept; start it again to go on.');

function networkFailed(why: Interrupted): InshoreError {
  return new InshoreError(
    'network_failed',
    `The download broke off: ${why.message}. Check the connection, then go on with it.`,
    { cause: why.cause ?? why },
  );
}
