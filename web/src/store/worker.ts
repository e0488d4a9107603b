/// <reference lib="webworker" />
// The store worker: downloads models into OPFS. A worker, for only there files can be written in place.
import { InshoreError } from '../error';
import { answerCalls } from '../worker-port';
import { download } from './download';
import { allShelves, Shelf } from './files';
import { Ledger } from './ledger';
import { type ModelRef, storeKey } from './model';
import type { DownloadProgress, StoreCalls, Stored, StoredModel, StoreEvent, StoreUsage } from './protocol';
import { checkQuota } from './quota';
import { layoutOf } from './record';
import { lockName, oneOfAllTabs } from './share';

declare const self: DedicatedWorkerGlobalScope;

const PROGRESS_MS = 100;
const running = new Map<number, AbortController>();

const post = answerCalls<StoreCalls, StoreEvent>(self, {
  find: async ({ model }) => find(await shelfOf(model)),

  async fetch({ download: number, model }) {
    const shelf = await shelfOf(model);
    const stored = await find(shelf);
    if (stored.complete) return stored;
    const controller = new AbortController();
    const { signal } = controller;
    running.set(number, controller);
    const progress = throttled((now) => post({ type: 'progress', download: number, progress: now }));
    try {
      return await oneOfAllTabs(shelf.key, signal, progress.report, (report) =>
        obtain(model, shelf, signal, report),
      );
    } finally {
      progress.end();
      running.delete(number);
    }
  },

  cancel({ download: number }) {
    running.get(number)?.abort();
    return undefined;
  },

  async remove({ key }) {
    await navigator.locks.request(lockName(key), { ifAvailable: true }, async (lock) => {
      if (lock === null) {
        throw new InshoreError(
          'store_busy',
          'This model is being downloaded. Pause that first, in every tab.',
        );
      }
      await new Shelf(key).remove();
    });
    return undefined;
  },

  list: async () => Promise.all((await allShelves()).map(describe)),
  usage,
});

const shelfOf = async (model: ModelRef): Promise<Shelf> => new Shelf(await storeKey(model));

async function find(shelf: Shelf): Promise<Stored> {
  const { complete, bytes } = await describe(shelf);
  return { key: shelf.key, complete, bytes };
}

async function describe(shelf: Shelf): Promise<StoredModel> {
  const [file, record, sums] = await Promise.all([shelf.model(), shelf.record(), shelf.sums()]);
  const totalBytes = layoutOf(record?.parts ?? []).totalBytes;
  const complete = file !== undefined && file.size === totalBytes;
  const reading = {
    size: () => sums.length,
    read: () => sums,
    write: refuse,
    truncate: refuse,
    flush: refuse,
  };
  const arrived = record === undefined ? 0 : new Ledger(reading).doneBytes(layoutOf(record.parts));
  return {
    key: shelf.key,
    name: record?.name ?? shelf.key,
    url: record?.url ?? '',
    complete,
    // Beside a model that does not fit its record nothing counts.
    bytes: complete ? totalBytes : file === undefined ? arrived : 0,
    totalBytes: Number.isFinite(totalBytes) && totalBytes > 0 ? totalBytes : undefined,
    sha256: record?.sha256,
    storedAt: complete ? record?.storedAt : undefined,
  };
}

function refuse(): never {
  throw new InshoreError('internal', 'The ledger of a model that is only looked at must not be written.');
}

async function usage(): Promise<StoreUsage> {
  const sizes = await Promise.all((await allShelves()).map((shelf) => shelf.bytesOnDisk()));
  const [{ usage: originBytes, quota: quotaBytes }, persistent] = await Promise.all([
    navigator.storage.estimate(),
    navigator.storage.persisted(),
  ]);
  return { modelBytes: sizes.reduce((sum, bytes) => sum + bytes, 0), originBytes, quotaBytes, persistent };
}

async function obtain(
  model: ModelRef,
  shelf: Shelf,
  signal: AbortSignal,
  report: (progress: DownloadProgress) => void,
): Promise<Stored> {
  const stored = await find(shelf);
  // The tab that had the lock before this one may have finished it.
  if (stored.complete) return stored;
  // A model that does not fit its record is none.
  if ((await shelf.model()) !== undefined) await shelf.remove();
  const progress = throttled(report);
  try {
    const bytes = await download(model, shelf, {
      origin: self.location.origin,
      fetch: (url, init) => fetch(url, init),
      sleep,
      now: () => Date.now(),
      checkRoom: async (neededBytes) => {
        const { quota, usage: used } = await navigator.storage.estimate();
        checkQuota(neededBytes, quota === undefined || used === undefined ? undefined : quota - used);
      },
      onProgress: progress.report,
      signal,
    });
    return { key: shelf.key, complete: true, bytes };
  } finally {
    progress.end();
  }
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
    if (signal.aborted) end();
  });
}

/** Lets a report through every {@link PROGRESS_MS}, and at once where a phase begins. */
function throttled(report: (progress: DownloadProgress) => void): {
  report(progress: DownloadProgress): void;
  end(): void;
} {
  let next: DownloadProgress | undefined;
  let phase: DownloadProgress['phase'] | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    timer = undefined;
    if (next === undefined) return;
    phase = next.phase;
    report(next);
    next = undefined;
    timer = setTimeout(flush, PROGRESS_MS);
  };
  return {
    report: (progress) => {
      next = progress;
      if (progress.phase !== phase) clearTimeout(timer);
      if (progress.phase !== phase || timer === undefined) flush();
    },
    end: () => {
      clearTimeout(timer);
      timer = undefined;
      next = undefined;
    },
  };
}
