/** What is known of a model on a device: measured over answers, or predicted by the probe before the first. */
export interface SpeedRecord {
  prefillTps: number;
  decodeTps: number;
  from: 'probe' | 'history';
  /** Answers behind it. */
  answers: number;
  /** Time to open the device and load the stored model; absent until it was loaded once. */
  loadMs?: number | undefined;
  contextTokens?: number | undefined;
  memoryBytes?: number | undefined;
  probeMs?: number | undefined;
  backend?: 'wgpu' | 'flex' | undefined;
  /** The engine's own name of the device. */
  device?: string | undefined;
}

/** Weight of the newest answer. */
const NEWEST = 0.3;

/** The record after one more answer; the first answer overrules the probe. */
export function measured(old: SpeedRecord | undefined, prefillTps: number, decodeTps: number): SpeedRecord {
  const mean = (before: number | undefined, now: number): number => {
    if (!(now > 0)) return before ?? 0;
    return old?.from !== 'history' || !before ? now : before + NEWEST * (now - before);
  };
  return {
    ...old,
    prefillTps: mean(old?.prefillTps, prefillTps),
    decodeTps: mean(old?.decodeTps, decodeTps),
    from: 'history',
    answers: (old?.answers ?? 0) + 1,
  };
}

/** Where records are kept between sessions, by device and model. They never leave the device. */
export interface SpeedRecords {
  get(key: string): Promise<SpeedRecord | undefined>;
  put(key: string, record: SpeedRecord): Promise<void>;
}

const DATABASE = 'inshore-speeds';
const TABLE = 'speeds';

/** Records in IndexedDB; in memory where there is none (Node, some private windows). */
export function openSpeedRecords(): SpeedRecords {
  const memory = new Map<string, SpeedRecord>();
  let database: Promise<IDBDatabase | undefined> | undefined;
  const table = async (mode: IDBTransactionMode): Promise<IDBObjectStore | undefined> => {
    database ??= openDatabase();
    return (await database)?.transaction(TABLE, mode).objectStore(TABLE);
  };
  return {
    async get(key) {
      const known = memory.get(key);
      if (known !== undefined) return known;
      const stored = await table('readonly').then((rows) => rows && settled(rows.get(key)), nothing);
      return stored as SpeedRecord | undefined;
    },
    async put(key, record) {
      memory.set(key, record);
      await table('readwrite').then((rows) => rows && settled(rows.put(record, key)), nothing);
    },
  };
}

function openDatabase(): Promise<IDBDatabase | undefined> {
  if (typeof indexedDB === 'undefined') return Promise.resolve(undefined);
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
  return settled(request).catch(nothing);
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// A record that cannot be kept costs a probe next time, nothing else.
const nothing = (): undefined => undefined;
