/// <reference lib="webworker" />
// The store's files in OPFS. `KEY.part` grows; only a checked file is ever renamed to `KEY.gguf`.
import { InshoreError } from '../error';
import { quotaExceeded } from './resume';
import type { PartFile } from './transfer';

const FOLDER = 'inshore-models';
const complete = (key: string): string => `${key}.gguf`;
const partial = (key: string): string => `${key}.part`;

/** Renames in place; every browser with synchronous access has it, TypeScript's library does not yet. */
interface Movable extends FileSystemFileHandle {
  move(name: string): Promise<void>;
}

async function folder(): Promise<FileSystemDirectoryHandle> {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(FOLDER, { create: true });
  } catch (error) {
    throw new InshoreError(
      'storage_unavailable',
      'This browser gives the page no file storage (OPFS), which a model needs. Open the page over https or on localhost, outside private browsing, in a current browser.',
      { cause: error },
    );
  }
}

async function find(name: string): Promise<FileSystemFileHandle | undefined> {
  const models = await folder();
  try {
    return await models.getFileHandle(name);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return undefined;
    throw error;
  }
}

async function sizeOf(name: string): Promise<number | undefined> {
  const handle = await find(name);
  return handle === undefined ? undefined : (await handle.getFile()).size;
}

/** Size of the checked model under `key`, if there is one. */
export const completeBytes = (key: string): Promise<number | undefined> => sizeOf(complete(key));

/** Bytes of an unfinished download under `key`. */
export const partialBytes = async (key: string): Promise<number> => (await sizeOf(partial(key))) ?? 0;

/** A checked model, read piece by piece as the engine asks for it. */
export async function openStored(
  key: string,
): Promise<{ size: number; read(offset: number, length: number): Promise<Uint8Array> }> {
  const handle = await find(complete(key));
  if (handle === undefined) {
    throw new InshoreError('model_not_stored', 'The model is no longer in the browser. Download it again.');
  }
  const file = await handle.getFile();
  return {
    size: file.size,
    read: async (offset, length) => new Uint8Array(await file.slice(offset, offset + length).arrayBuffer()),
  };
}

/** The part under `key`, open for this worker alone. */
export interface OpenPart extends PartFile {
  close(): void;
}

/** Opens (or begins) the part under `key`. */
export async function openPart(key: string): Promise<OpenPart> {
  const models = await folder();
  const handle = await models.getFileHandle(partial(key), { create: true });
  const access = await openAccess(handle);
  return {
    size: () => access.getSize(),
    write: (bytes, at) => writeAll(access, bytes, at),
    read: (length, at) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, access.read(bytes, { at }));
    },
    truncate: (size) => access.truncate(size),
    reserve: (totalBytes) => reserve(access, totalBytes),
    flush: () => access.flush(),
    close: () => access.close(),
  };
}

async function openAccess(handle: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  try {
    return await handle.createSyncAccessHandle();
  } catch (error) {
    throw new InshoreError(
      'store_busy',
      'Another tab is writing this model. Close it or wait, then try again.',
      {
        cause: error,
      },
    );
  }
}

function writeAll(access: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  // The bytes come from the network, never from shared memory.
  const plain = bytes as Uint8Array<ArrayBuffer>;
  const written = onDisk(() => access.write(plain, { at }), FULL);
  if (written !== bytes.length) throw quotaExceeded(FULL);
}

function reserve(access: FileSystemSyncAccessHandle, totalBytes: number): void {
  const size = access.getSize();
  if (totalBytes <= size) return;
  const needed = ((totalBytes - size) / 1e6).toFixed(1);
  onDisk(
    () => access.truncate(totalBytes),
    `The model needs ${needed} MB more, and the browser does not grant this page so much.`,
  );
  access.truncate(size);
}

const FULL = 'The storage of the browser is full.';

function onDisk<T>(work: () => T, whenFull: string): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && error.name === 'QuotaExceededError') throw quotaExceeded(whenFull);
    throw new InshoreError(
      'write_failed',
      'The browser could not write the model to disk. Free disk space and try again.',
      { cause: error },
    );
  }
}

/** Makes the checked and closed part under `key` the model: one rename, so that it is there whole or not at all. */
export async function commit(key: string): Promise<void> {
  const handle = await find(partial(key));
  if (handle === undefined)
    throw new InshoreError(
      'internal',
      'The downloaded model vanished before it was kept. Download it again.',
    );
  await (handle as Movable).move(complete(key));
}

/** Removes what is stored under `key`, finished or not. */
export async function removeStored(key: string): Promise<void> {
  const models = await folder();
  for (const name of [complete(key), partial(key)]) {
    if ((await find(name)) !== undefined) await models.removeEntry(name);
  }
}

/** Bytes that the browser still grants, if it says so. */
export async function freeBytes(): Promise<number | undefined> {
  const { quota, usage } = await navigator.storage.estimate();
  return quota === undefined || usage === undefined ? undefined : quota - usage;
}
