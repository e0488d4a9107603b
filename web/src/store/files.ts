/// <reference lib="webworker" />
// The store's files in OPFS. Per model: `KEY.part` (its bytes while they arrive), `KEY.sums` (the ledger), `KEY.json`
// (the record). Only a checked file is ever renamed to `KEY.gguf`, and only that is ever opened.
import { InshoreError } from '../error';
import { CheckedFile, type OpenedModel, UserFile } from './checked';
import { BROKEN, damaged, notStored } from './failures';
import { checkGguf } from './gguf-header';
import type { DiskFile } from './ledger';
import type { StoredKey } from './protocol';
import { quotaExceeded } from './quota';
import { CHECKS, layoutOf, parseRecord, type StoreRecord } from './record';
import { lockName } from './share';

const FOLDER = 'inshore-models';
const ENDINGS = ['gguf', 'part', 'sums', 'json', 'json-new'] as const;
type Ending = (typeof ENDINGS)[number];

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

/** Results of {@link ModelDir.isSound}. */
const checkedNow = new Map<string, boolean>();

/** A model's files while they are written, open for this worker alone. */
export interface OpenPart {
  data: DiskFile;
  sums: DiskFile;
  close(): void;
}

/** The files of one model on disk. */
export class ModelDir {
  readonly key: string;
  #written: Promise<void> = Promise.resolve();

  constructor(key: string) {
    this.key = key;
  }

  /** The checked model, if it is here. */
  model(): Promise<File | undefined> {
    return this.#file('gguf');
  }

  /**
   * Whether `file`, the model's file, passes the current checks. If an older version wrote the record, the file is checked now,
   * once in the life of this worker.
   */
  async isSound(file: File, record: StoreRecord): Promise<boolean> {
    if (record.checks === CHECKS) return true;
    const version = `${this.key} ${file.size} ${file.lastModified}`;
    const known = checkedNow.get(version);
    if (known !== undefined) return known;
    const read = async (at: number, length: number): Promise<Uint8Array> =>
      new Uint8Array(await file.slice(at, at + length).arrayBuffer());
    const sound = await checkGguf(read, file.size, record.name).then(
      () => true,
      (error: unknown) => {
        if (InshoreError.is(error) && BROKEN.has(error.code)) return false;
        throw error;
      },
    );
    checkedNow.set(version, sound);
    return sound;
  }

  /** What is known of it; `undefined` where nothing is, or the record is damaged. */
  async record(): Promise<StoreRecord | undefined> {
    const file = await this.#file('json');
    return file === undefined ? undefined : parseRecord(await file.text());
  }

  /** Replaces the record: at every moment the old or the new one is there. */
  writeRecord(record: StoreRecord): Promise<void> {
    // One after the other, each with what is true when it is called: shards are learned about at the same time.
    const text = JSON.stringify(record);
    const written = this.#written.then(() => this.#writeRecord(text));
    this.#written = written.catch(() => {});
    return written;
  }

  async #writeRecord(text: string): Promise<void> {
    const handle = await (await folder()).getFileHandle(this.#name('json-new'), { create: true });
    const access = await openAccess(handle);
    try {
      access.truncate(0);
      writeAll(access, new TextEncoder().encode(text), 0);
      access.flush();
    } finally {
      access.close();
    }
    await (handle as Movable).move(this.#name('json'));
  }

  /** The ledger's bytes. */
  async sums(): Promise<Uint8Array> {
    const file = await this.#file('sums');
    return new Uint8Array((await file?.arrayBuffer()) ?? new ArrayBuffer(0));
  }

  /** Bytes on disk, with what is reserved. */
  async bytesOnDisk(): Promise<number> {
    const files = await Promise.all(ENDINGS.map((ending) => this.#file(ending)));
    return files.reduce((sum, file) => sum + (file?.size ?? 0), 0);
  }

  /** Opens (or begins) the part and its ledger. @throws InshoreError `store_busy` */
  async open(): Promise<OpenPart> {
    const data = await this.#access('part');
    try {
      const sums = await this.#access('sums');
      return {
        data: diskFile(data),
        sums: diskFile(sums),
        close: () => {
          data.close();
          sums.close();
        },
      };
    } catch (error) {
      data.close();
      throw error;
    }
  }

  /** Makes the checked and closed part the model: one rename, so that it is there whole or not at all. */
  async commit(): Promise<void> {
    const handle = await this.#handle('part');
    if (handle === undefined) throw notStored();
    await (handle as Movable).move(this.#name('gguf'));
  }

  /**
   * Takes the model out of use: what remains is a download of which all has arrived. The next one checks it, and
   * fetches what is damaged. Nothing is written, for a shared worker cannot.
   */
  async demote(): Promise<void> {
    const handle = await this.#handle('gguf');
    await (handle as Movable | undefined)?.move(this.#name('part'));
  }

  /** Removes all of it. The model goes first: what a crash leaves behind is not a model. */
  async remove(): Promise<void> {
    const models = await folder();
    for (const ending of ENDINGS) {
      if ((await this.#handle(ending)) !== undefined) await models.removeEntry(this.#name(ending));
    }
  }

  #name(ending: Ending): string {
    return `${this.key}.${ending}`;
  }

  async #handle(ending: Ending): Promise<FileSystemFileHandle | undefined> {
    try {
      return await (await folder()).getFileHandle(this.#name(ending));
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return undefined;
      throw error;
    }
  }

  async #file(ending: Ending): Promise<File | undefined> {
    return (await this.#handle(ending))?.getFile();
  }

  async #access(ending: Ending): Promise<FileSystemSyncAccessHandle> {
    return openAccess(await (await folder()).getFileHandle(this.#name(ending), { create: true }));
  }
}

/** Everything that is kept here, whole or not. */
export async function allModelDirs(): Promise<ModelDir[]> {
  const keys = new Set<string>();
  for await (const name of (await folder()).keys()) {
    const [, key, ending] = /^(.*)\.([a-z-]+)$/.exec(name) ?? [];
    if (key !== undefined && (ENDINGS as readonly string[]).includes(ending ?? '')) keys.add(key);
  }
  return [...keys].sort().map((key) => new ModelDir(key));
}

/**
 * A complete model, to be read piece by piece as the engine asks for it.
 *
 * @throws InshoreError `model_not_stored`, `model_damaged`; reading too. A damaged model is out of use from then on;
 * another `fetch` brings what is damaged.
 */
export async function openStored(key: StoredKey): Promise<OpenedModel> {
  if (typeof key !== 'string') return new UserFile(key);
  const dir = new ModelDir(key);
  const file = await dir.model();
  if (file === undefined) throw notStored();
  const record = await dir.record();
  const layout = layoutOf(record?.parts ?? []);
  if (record === undefined || layout.totalBytes !== file.size) {
    await alone(key, () => dir.remove());
    throw damaged();
  }
  return new CheckedFile(file, layout, await dir.sums(), async (cause) => {
    if ((await dir.model()) === undefined) return notStored(cause);
    await alone(key, () => dir.demote());
    return damaged(cause);
  });
}

/** Not while another tab downloads this model again. */
async function alone(key: string, work: () => Promise<void>): Promise<void> {
  await navigator.locks.request(lockName(key), work);
}

const BUSY_TRIES = 30;
const BUSY_MS = 100;

async function openAccess(handle: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  for (let tries = 1; ; tries++) {
    try {
      return await handle.createSyncAccessHandle();
    } catch (error) {
      const busy = error instanceof DOMException && error.name === 'NoModificationAllowedError';
      if (!busy) throw error;
      // The lock of a tab that died is free a little earlier than its files are.
      if (tries === BUSY_TRIES) {
        throw new InshoreError(
          'store_busy',
          'Another tab is writing this model. Close it or wait, then try again.',
          { cause: error },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    }
  }
}

function diskFile(access: FileSystemSyncAccessHandle): DiskFile {
  return {
    size: () => access.getSize(),
    write: (bytes, at) => writeAll(access, bytes, at),
    read: (length, at) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, access.read(bytes, { at }));
    },
    truncate: (size) => {
      const needed = ((size - access.getSize()) / 1e6).toFixed(1);
      onDisk(
        () => access.truncate(size),
        `The model needs ${needed} MB more, and the browser does not grant this page so much.`,
      );
    },
    flush: () => onDisk(() => access.flush(), FULL),
  };
}

function writeAll(access: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  // The bytes come from the network, never from shared memory.
  const plain = bytes as Uint8Array<ArrayBuffer>;
  const written = onDisk(() => access.write(plain, { at }), FULL);
  if (written !== bytes.length) throw quotaExceeded(FULL);
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
