import type { ModelRef } from './model';

/** What the store has of a model. */
export interface Stored {
  /** Name under which the engine finds it. */
  key: string;
  /** Whether it is whole and checked. */
  complete: boolean;
  /** Bytes on disk, of the whole or of the part. */
  bytes: number;
}

/** How far a download is. `waiting`: another tab has the same download under way. */
export interface DownloadProgress {
  phase: 'waiting' | 'downloading' | 'verifying';
  doneBytes: number;
  totalBytes: number | undefined;
}

/** The calls of the store worker. */
export type StoreCalls = {
  find: { in: { model: ModelRef }; out: Stored };
  /** Downloads, checks and keeps; at once where it is there already. `download`: the page's number, for events and `cancel`. */
  fetch: { in: { download: number; model: ModelRef }; out: Stored };
  cancel: { in: { download: number }; out: undefined };
  remove: { in: { model: ModelRef }; out: undefined };
};

/** What the store worker posts by itself. */
export type StoreEvent = { type: 'progress'; download: number; progress: DownloadProgress };
