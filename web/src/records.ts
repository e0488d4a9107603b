/** Values kept between sessions by their keys. They never leave the device. */
export interface Records<T> {
  get(key: string): Promise<T | undefined>;
  put(key: string, value: T): Promise<void>;
}

/** A table of IndexedDB; in memory where there is none (Node, some private windows). */
export function openRecords<T>(database: string, table: string): Records<T> {
  const memory = new Map<string, T>();
  let opened: Promise<IDBDatabase | undefined> | undefined;
  const rows = async (mode: IDBTransactionMode): Promise<IDBObjectStore | undefined> => {
    opened ??= openDatabase(database, table);
    return (await opened)?.transaction(table, mode).objectStore(table);
  };
  return {
    async get(key) {
      const known = memory.get(key);
      if (known !== undefined) return known;
      return rows('readonly').then((all) => all && settled<T | undefined>(all.get(key)), nothing);
    },
    async put(key, value) {
      memory.set(key, value);
      await rows('readwrite').then((all) => all && settled(all.put(value, key)), nothing);
    },
  };
}

function openDatabase(name: string, table: string): Promise<IDBDatabase | undefined> {
  if (typeof indexedDB === 'undefined') return Promise.resolve(undefined);
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(table);
  return settled(request).catch(nothing);
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// What cannot be kept costs another measurement next time, nothing else.
const nothing = (): undefined => undefined;
