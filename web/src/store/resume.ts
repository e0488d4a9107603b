import { InshoreError } from '../error';

/** Failures in a row, without a byte between them, after which a download gives up. */
export const MAX_FAILURES = 6;

/** What a server answered to a request for the bytes from `offset` on. */
export interface ServerAnswer {
  status: number;
  contentRange: string | null;
  contentLength: string | null;
  /** Set where the body is compressed: then the length is not that of the file. */
  contentEncoding: string | null;
}

/** How to go on: write the body from `start`, or throw the part away and begin again. */
export type Continuation =
  | { kind: 'body'; start: number; totalBytes: number | undefined }
  | { kind: 'restart' };

/** A failure that another attempt may mend. */
export class Interrupted extends Error {}

/**
 * Reads an answer to `Range: bytes={offset}-` (no range where `offset` is 0). A server may ignore the range and send
 * everything: then writing starts at 0.
 *
 * @throws Interrupted for what may pass, InshoreError for what will not.
 */
export function continueFrom(answer: ServerAnswer, offset: number, url: string): Continuation {
  const { status } = answer;
  if (status === 200) {
    const length = answer.contentEncoding === null ? parseCount(answer.contentLength) : undefined;
    return { kind: 'body', start: 0, totalBytes: length };
  }
  if (status === 206) {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.contentRange ?? '');
    // A range that starts elsewhere would leave a hole.
    if (range === null || Number(range[1]) !== offset) return { kind: 'restart' };
    return { kind: 'body', start: offset, totalBytes: parseCount(range[3] ?? null) };
  }
  if (status === 416 && offset > 0) return { kind: 'restart' };
  throw refusal(status, url);
}

function refusal(status: number, url: string): Error {
  if (status === 404 || status === 410) {
    return new InshoreError(
      'model_not_found',
      `There is no model at ${url} (HTTP ${status}). Check the address.`,
    );
  }
  if (status === 401 || status === 403) {
    return new InshoreError(
      'access_denied',
      `The server denies access to ${url} (HTTP ${status}). Use a public address.`,
    );
  }
  if (status === 408 || status === 429 || status >= 500)
    return new Interrupted(`the server answered HTTP ${status}`);
  return new InshoreError('http_status', `The server answered HTTP ${status} for ${url}. Check the address.`);
}

/** Pause before attempt number `failures + 1`, in milliseconds: doubles from half a second to 8 s. */
export function backoffMs(failures: number): number {
  return Math.min(8000, 500 * 2 ** (failures - 1));
}

/** @throws InshoreError `wrong_size` if the server's file is not the one that was asked for. */
export function checkSize(actual: number | undefined, expected: number | undefined): void {
  if (actual === undefined || expected === undefined || actual === expected) return;
  throw new InshoreError(
    'wrong_size',
    `The file on the server has ${actual} bytes, the model has ${expected}. It is cut off or another version: ask whoever runs the server to replace it.`,
  );
}

/** @throws InshoreError `quota_exceeded` if `neededBytes` more do not fit. */
export function checkQuota(neededBytes: number | undefined, freeBytes: number | undefined): void {
  if (neededBytes === undefined || freeBytes === undefined || neededBytes <= freeBytes) return;
  throw quotaExceeded(
    `The model needs ${megabytes(neededBytes)} more, the browser grants this page ${megabytes(Math.max(0, freeBytes))}.`,
  );
}

/** The one error for storage that is full, before or while writing. */
export function quotaExceeded(what: string): InshoreError {
  return new InshoreError(
    'quota_exceeded',
    `${what} Free disk space, delete other models or site data, leave private browsing, then try again.`,
  );
}

const MAGIC = [0x47, 0x47, 0x55, 0x46];

/** Whether the first bytes can be those of a GGUF file; fewer than four are judged as far as they go. */
export function startsLikeGguf(head: Uint8Array): boolean {
  return MAGIC.every((byte, index) => index >= head.length || head[index] === byte);
}

function parseCount(text: string | null): number | undefined {
  if (text === null || !/^\d+$/.test(text)) return undefined;
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : undefined;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
