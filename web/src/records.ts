import { within } from './within';

/** Values kept between sessions by their keys. They never leave the device. */
export interface Records<T> {
  get(key: string): Promise<T | undefined>;
  put(key: string, value: T): Promise<void>;
}

/** Longest wait for the database. Its records only save a measurement, so the page can go on without them. */
const DATABASE_TIMEOUT_MS = 1_000;

/**
 * Opens a table of IndexedDB. Values are also kept in memory, so they last as long as the page even if there is no database
 * (Node, some private windows), if it fails, or if it does not answer in time.
 */
export function openRecords<T>(database: string, table: string): Records<T> {
  const memory = new Map<string, T>();
  let opened: Promise<IDBDatabase | undefined> | undefined;
  let isUsable = true;
  const inTime = async <R>(work: (rows: IDBObjectStore) => IDBRequest<R>, mode: IDBTransactionMode) => {
    if (!isUsable) return undefined;
    opened ??= openDatabase(database, table);
    const done = opened.then((db) => db && result(work(db.transaction(table, mode).objectStore(table))));
    return within(DATABASE_TIMEOUT_MS, done.catch(nothing), () => {
      // One wait is enough: later calls do not try again.
      isUsable = false;
    });
  };
  return {
    async get(key) {
      return memory.get(key) ?? (await inTime<T | undefined>((rows) => rows.get(key), 'readonly'));
    },
    async put(key, value) {
      memory.set(key, value);
      await inTime((rows) => rows.put(value, key), 'readwrite');
    },
  };
}

async function openDatabase(name: string, table: string): Promise<IDBDatabase | undefined> {
  if (typeof indexedDB === 'undefined') return undefined;
  // Throws where storage is forbidden, for example in a sandboxed frame.
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(table);
  return result(request);
}

const result = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// What cannot be kept costs another measurement next time, nothing else.
const nothing = (): undefined => undefined;
