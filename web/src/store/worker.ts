/// <reference lib="webworker" />
// The store worker: downloads models into OPFS. A worker, for only there files can be written in place.
import { InshoreError } from '../error';
import { answerCalls } from '../worker-port';
import { commit, completeBytes, freeBytes, openPart, partialBytes, removeStored } from './files';
import { type ModelRef, storeKey } from './model';
import type { DownloadProgress, StoreCalls, Stored, StoreEvent } from './protocol';
import { transfer } from './transfer';
import { verify } from './verify';

declare const self: DedicatedWorkerGlobalScope;

const PROGRESS_MS = 100;
const running = new Map<number, AbortController>();

const post = answerCalls<StoreCalls, StoreEvent>(self, {
  find: ({ model }) => find(model),

  async fetch({ download, model }) {
    const stored = await find(model);
    if (stored.complete) return stored;
    const controller = new AbortController();
    const progress = throttled((now) => post({ type: 'progress', download, progress: now }));
    running.set(download, controller);
    try {
      return await alone(stored, controller.signal, progress.report, () =>
        obtain(model, stored.key, controller.signal, progress.report),
      );
    } finally {
      progress.end();
      running.delete(download);
    }
  },

  cancel({ download }) {
    running.get(download)?.abort();
    return undefined;
  },

  async remove({ model }) {
    await removeStored(await storeKey(model));
    return undefined;
  },
});

/** Without a hash nothing would tell that an older part belongs to another version of the file. */
const canResume = (model: ModelRef): boolean => model.sha256 !== undefined;

type Report = (progress: DownloadProgress) => void;

async function find(model: ModelRef): Promise<Stored> {
  const key = await storeKey(model);
  const bytes = await completeBytes(key);
  if (bytes !== undefined) return { key, complete: true, bytes };
  return { key, complete: false, bytes: canResume(model) ? await partialBytes(key) : 0 };
}

/** Runs `work` in one tab at a time per model; the others wait and then find it done. */
async function alone<T>(
  stored: Stored,
  signal: AbortSignal,
  report: Report,
  work: () => Promise<T>,
): Promise<T> {
  if (navigator.locks === undefined) return work();
  const name = `inshore-model-${stored.key}`;
  const waiting = setTimeout(
    () => report({ phase: 'waiting', doneBytes: stored.bytes, totalBytes: undefined }),
    PROGRESS_MS,
  );
  try {
    return await navigator.locks.request(name, { signal }, () => {
      clearTimeout(waiting);
      return work();
    });
  } catch (error) {
    if (signal.aborted && !InshoreError.is(error))
      throw new InshoreError('cancelled', 'The download was paused.');
    throw error;
  } finally {
    clearTimeout(waiting);
  }
}

async function obtain(model: ModelRef, key: string, signal: AbortSignal, report: Report): Promise<Stored> {
  const stored = await find(model);
  // The tab that had the lock before this one may have finished it.
  if (stored.complete) return stored;
  const resumed = stored.bytes > 0;
  try {
    return await download(model, key, signal, report);
  } catch (error) {
    // A part of an older visit may belong to another version of the file: once more from the start.
    if (!resumed || !InshoreError.is(error) || error.code !== 'wrong_hash') throw error;
    return await download(model, key, signal, report);
  }
}

async function download(model: ModelRef, key: string, signal: AbortSignal, report: Report): Promise<Stored> {
  const part = await openPart(key);
  let bytes: number;
  try {
    if (!canResume(model)) part.truncate(0);
    const onProgress = (doneBytes: number, totalBytes: number | undefined): void =>
      report({ phase: 'downloading', doneBytes, totalBytes });
    bytes = await transfer(
      { url: model.url, part, expectedBytes: model.bytes },
      { fetch: (url, init) => fetch(url, init), sleep, freeBytes, onProgress, signal },
    );
    if (model.sha256 !== undefined) {
      await verify(part, model.sha256, (doneBytes) =>
        report({ phase: 'verifying', doneBytes, totalBytes: bytes }),
      ).catch((error: unknown) => {
        part.truncate(0);
        throw error;
      });
    }
    part.flush();
  } finally {
    part.close();
  }
  await commit(key);
  return { key, complete: true, bytes };
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** Lets a report through every {@link PROGRESS_MS}; the last one always gets through, if late. */
function throttled(report: Report): { report: Report; end(): void } {
  let next: DownloadProgress | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    timer = undefined;
    if (next === undefined) return;
    report(next);
    next = undefined;
    timer = setTimeout(flush, PROGRESS_MS);
  };
  return {
    report: (progress) => {
      next = progress;
      if (timer === undefined) flush();
    },
    end: () => {
      clearTimeout(timer);
      timer = undefined;
      next = undefined;
    },
  };
}
