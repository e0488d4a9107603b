import type { ModelRef } from './model';

/** What the engine opens: the name of a stored model, or the user's own file, which is read where it is. */
export type StoredKey = string | File;

/** What the store has of a model. */
export interface Stored {
  /** Name under which the engine finds it. */
  key: StoredKey;
  /** Whether it is whole and checked. */
  complete: boolean;
  /** Bytes that are here, of the whole or of the part. */
  bytes: number;
}

/** How far a download is. `waiting`: another tab does it, and this is how far that one is. */
export interface DownloadProgress {
  phase: 'waiting' | 'downloading' | 'verifying';
  doneBytes: number;
  totalBytes: number | undefined;
}

/** A model that takes up room in this browser, whole or in part. */
export interface StoredModel {
  key: string;
  name: string;
  /** Where it came from, without query. */
  url: string;
  complete: boolean;
  /** Bytes that are here. */
  bytes: number;
  totalBytes: number | undefined;
  sha256: string | undefined;
  /** ISO 8601; absent where it is not whole. */
  storedAt: string | undefined;
}

/** Room in the browser. */
export interface StoreUsage {
  /** Of all models, whole or in part; room that a download has reserved counts. */
  modelBytes: number;
  /** Of everything that this origin keeps; absent where the browser does not say. */
  originBytes: number | undefined;
  /** What the browser grants this origin. */
  quotaBytes: number | undefined;
  /** Whether the browser has promised not to evict it by itself. */
  persistent: boolean;
}

/** The calls of the store worker. */
export type StoreCalls = {
  find: { in: { model: ModelRef }; out: Stored };
  /** Downloads, checks and keeps; at once where it is there already. `download`: the page's number, for events and `cancel`. */
  fetch: { in: { download: number; model: ModelRef }; out: Stored };
  cancel: { in: { download: number }; out: undefined };
  remove: { in: { key: string }; out: undefined };
  list: { in: undefined; out: StoredModel[] };
  usage: { in: undefined; out: StoreUsage };
};

/** What the store worker posts by itself. */
export type StoreEvent = { type: 'progress'; download: number; progress: DownloadProgress };
