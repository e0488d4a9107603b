/// <reference lib="webworker" />
// The store worker: downloads models into OPFS. A worker, for only there files can be written in place.
import { InshoreError } from '../error';
import { answerCalls } from '../worker-port';
import { download } from './download';
import { cancelled } from './failures';
import { allModelDirs, ModelDir } from './files';
import { Ledger } from './ledger';
import { type ModelRef, storeKey } from './model';
import type { DownloadProgress, StoreCalls, Stored, StoredModel, StoreEvent, StoreUsage } from './protocol';
import { checkQuota } from './quota';
import { layoutOf } from './record';
import { RunningDownloads } from './running-downloads';
import { lockName, oneOfAllTabs } from './share';

declare const self: DedicatedWorkerGlobalScope;

const PROGRESS_MS = 100;
const running = new RunningDownloads();

const post = answerCalls<StoreCalls, StoreEvent>(self, {
  find: async ({ model }) => find(await dirOf(model)),

  async fetch({ download: number, model }) {
    // Registered before anything else, because the page may cancel while the folder is still being opened.
    const signal = running.begin(number);
    const progress = throttled((now) => post({ type: 'progress', download: number, progress: now }));
    try {
      const dir = await dirOf(model);
      const stored = await find(dir);
      if (signal.aborted) throw cancelled();
      if (stored.complete) return stored;
      return await oneOfAllTabs(dir.key, signal, progress.report, (report) =>
        obtain(model, dir, signal, report),
      );
    } finally {
      progress.end();
      running.end(number);
    }
  },

  cancel({ download: number }) {
    running.cancel(number);
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
      await new ModelDir(key).remove();
    });
    return undefined;
  },

  list: async () => Promise.all((await allModelDirs()).map(describe)),
  usage,
});

const dirOf = async (model: ModelRef): Promise<ModelDir> => new ModelDir(await storeKey(model));

async function find(dir: ModelDir): Promise<Stored> {
  const { complete, bytes } = await describe(dir);
  return { key: dir.key, complete, bytes };
}

async function describe(dir: ModelDir): Promise<StoredModel> {
  const [file, record, sums] = await Promise.all([dir.model(), dir.record(), dir.sums()]);
  const totalBytes = layoutOf(record?.parts ?? []).totalBytes;
  const complete =
    file !== undefined &&
    record !== undefined &&
    file.size === totalBytes &&
    (await dir.isSound(file, record));
  const reading = {
    size: () => sums.length,
    read: () => sums,
    write: refuse,
    truncate: refuse,
    flush: refuse,
  };
  const arrived = record === undefined ? 0 : new Ledger(reading).doneBytes(layoutOf(record.parts));
  return {
    key: dir.key,
    name: record?.name ?? dir.key,
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
  const sizes = await Promise.all((await allModelDirs()).map((dir) => dir.bytesOnDisk()));
  const [{ usage: originBytes, quota: quotaBytes }, persistent] = await Promise.all([
    navigator.storage.estimate(),
    navigator.storage.persisted(),
  ]);
  return { modelBytes: sizes.reduce((sum, bytes) => sum + bytes, 0), originBytes, quotaBytes, persistent };
}

async function obtain(
  model: ModelRef,
  dir: ModelDir,
  signal: AbortSignal,
  report: (progress: DownloadProgress) => void,
): Promise<Stored> {
  const stored = await find(dir);
  // The tab that had the lock before this one may have finished it.
  if (stored.complete) return stored;
  // A file that does not match its record or its own header does not count as a model.
  if ((await dir.model()) !== undefined) await dir.remove();
  const progress = throttled(report);
  try {
    const bytes = await download(model, dir, {
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
    return { key: dir.key, complete: true, bytes };
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
