import { InshoreError } from '../error';
import { parseRetryAfter } from '../protocol/retry-after';
import { isWholeFile, parseContentRange, parseCount, parseUnsatisfiedRange } from './content-range';
import { compareValidators, isValidator, type Validator } from './record';

/** Failures in a row, without a byte between them, after which a download gives up. */
export const MAX_FAILURES = 6;
/** The longest that a server may ask us to wait, in milliseconds. */
export const MAX_RETRY_AFTER_MS = 120_000;

/** The head of a server's answer, as far as a download needs it. */
export interface ServerAnswer {
  status: number;
  contentRange: string | null;
  contentLength: string | null;
  /** Set where the body is compressed: then lengths and ranges are not those of the file. */
  contentEncoding: string | null;
  retryAfter: string | null;
  etag: string | null;
  lastModified: string | null;
}

/** What is asked for and known of a file before the answer. */
export interface Asked {
  url: string;
  /** First byte asked for; `undefined`: the whole file, without a range. */
  start: number | undefined;
  /** Size of the file where it is known for sure: another one is refused. */
  expectedBytes: number | undefined;
  /** Size of the version that is stored in part. */
  knownBytes?: number | undefined;
  /** Of the version that is here in part. */
  validator: Validator | undefined;
  /** A hash of the file is known: pieces may be put together without a validator, for the hash tells in the end. */
  hashed: boolean;
}

/** What an answer is good for. */
export type Verdict =
  /** The bytes from `start` up to and without `end`, of a file of `totalBytes`. */
  | { kind: 'range'; start: number; end: number; totalBytes: number; validator: Validator | undefined }
  /** The file from its first byte. */
  | { kind: 'whole'; totalBytes: number | undefined }
  /** The server has another version than the one that is here in part. */
  | { kind: 'changed' }
  /** Ranges cannot be had, or not be trusted: only one answer from the first byte to the last will do. */
  | { kind: 'no_ranges' };

/** A failure that another attempt may mend. */
export class Interrupted extends Error {
  /** How long the server asks us to wait, and that it has enough of us; `undefined` where it asks nothing. */
  readonly retryAfterMs: number | undefined;
  /** The server says that it is asked too much: fewer requests at once. */
  readonly overloaded: boolean;

  constructor(
    message: string,
    options: { cause?: unknown; retryAfterMs?: number; overloaded?: boolean } = {},
  ) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.overloaded = options.overloaded ?? false;
  }
}

/** The head of `response`. A server of another origin hides what its `Access-Control-Expose-Headers` does not name. */
export function readAnswer({ status, headers, type }: Response): ServerAnswer {
  return {
    status,
    contentRange: headers.get('content-range'),
    // Always shown, unlike the encoding: across origins it may be the length of compressed bytes.
    contentLength: type === 'cors' ? null : headers.get('content-length'),
    contentEncoding: headers.get('content-encoding'),
    retryAfter: headers.get('retry-after'),
    etag: headers.get('etag'),
    lastModified: headers.get('last-modified'),
  };
}

/**
 * Judges an answer.
 *
 * @throws Interrupted for what may pass, InshoreError for what will not.
 */
export function judge(answer: ServerAnswer, asked: Asked, nowMs: number): Verdict {
  const validator = validatorOf(answer);
  const changed = compareValidators(asked.validator, validator) === 'changed';
  const encoded = isEncoded(answer.contentEncoding);
  switch (answer.status) {
    case 200: {
      if (changed) return { kind: 'changed' };
      return judgeWhole(answer, asked, encoded);
    }
    case 206: {
      // A range of compressed bytes is not a range of the file.
      const range = encoded ? undefined : parseContentRange(answer.contentRange ?? '');
      // No part was requested, but a range that covers the whole file is acceptable.
      if (asked.start === undefined && range !== undefined && isWholeFile(range))
        return judgeWhole(answer, asked, encoded);
      if (
        range === undefined ||
        range.start !== asked.start ||
        !fits(answer.contentLength, range.end - range.start)
      )
        return refuseRange(answer, asked);
      if (changed) return { kind: 'changed' };
      checkSize(range.totalBytes, asked.expectedBytes);
      const totalBytes = range.totalBytes ?? asked.expectedBytes ?? asked.knownBytes;
      if (totalBytes === undefined || !isTrusted(asked, validator)) return { kind: 'no_ranges' };
      return { kind: 'range', start: range.start, end: range.end, totalBytes, validator };
    }
    case 416: {
      if (asked.start === undefined) throw refusal(answer, asked.url, nowMs);
      checkSize(parseUnsatisfiedRange(answer.contentRange ?? ''), asked.expectedBytes);
      return { kind: asked.start === 0 ? 'no_ranges' : 'changed' };
    }
    default:
      throw refusal(answer, asked.url, nowMs);
  }
}

/** A 200 is the whole file. One that carries `Content-Range` contradicts itself unless the range is the whole file. */
function judgeWhole(answer: ServerAnswer, asked: Asked, encoded: boolean): Verdict {
  let totalBytes = encoded ? undefined : parseCount(answer.contentLength);
  if (answer.contentRange !== null) {
    const range = parseContentRange(answer.contentRange);
    const sound = range !== undefined && isWholeFile(range);
    if (!sound || (!encoded && !fits(answer.contentLength, range.end))) return refuseRange(answer, asked);
    totalBytes = encoded ? undefined : range.end;
  }
  checkSize(totalBytes, asked.expectedBytes);
  return { kind: 'whole', totalBytes };
}

/** Handles a part that does not fit the request. @throws InshoreError `bad_range` if the request already had no range */
function refuseRange({ status, contentRange }: ServerAnswer, { start, url }: Asked): Verdict {
  if (start !== undefined) return { kind: 'no_ranges' };
  throw new InshoreError(
    'bad_range',
    `The server sent only a part of ${url} although the whole file was requested (HTTP ${status}, Content-Range ${JSON.stringify(contentRange)}). The server or a proxy is misconfigured: try another network, or ask the operator of the server.`,
  );
}

/** Whether the bytes of an answer may be joined with earlier ones: a hash will be checked, or the version is the same. */
function isTrusted({ hashed, validator: known }: Asked, validator: Validator | undefined): boolean {
  if (hashed) return true;
  return isValidator(known) ? compareValidators(known, validator) === 'same' : isValidator(validator);
}

const fits = (contentLength: string | null, bytes: number): boolean =>
  contentLength === null || parseCount(contentLength) === bytes;

function isEncoded(encoding: string | null): boolean {
  return (encoding ?? '').split(',').some((name) => !['', 'identity'].includes(name.trim().toLowerCase()));
}

function validatorOf({ etag, lastModified }: ServerAnswer): Validator | undefined {
  const validator: Validator = { etag: etag ?? undefined, lastModified: lastModified ?? undefined };
  return isValidator(validator) ? validator : undefined;
}

/** The value of `If-Range` for `validator`; a weak ETag is not allowed there. */
export function ifRange(validator: Validator | undefined): string | undefined {
  const { etag, lastModified } = validator ?? {};
  return etag !== undefined && !etag.startsWith('W/') ? etag : lastModified;
}

/**
 * Creates the error for an answer that is not a file: {@link Interrupted} if another attempt may succeed.
 */
export function refusal(answer: ServerAnswer, url: string, nowMs: number): Error {
  const { status } = answer;
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
  if (isTransient(status)) {
    const retryAfterMs = parseRetryAfter(answer.retryAfter, nowMs);
    if (retryAfterMs !== undefined && retryAfterMs > MAX_RETRY_AFTER_MS) {
      return new InshoreError(
        'server_busy',
        `The server of the model asks to come back in ${Math.ceil(retryAfterMs / 60_000)} minutes (HTTP ${status}). What arrived is kept; go on then.`,
      );
    }
    const overloaded = status === 429 || status === 503;
    return new Interrupted(`the server answered HTTP ${status}`, {
      overloaded,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  return new InshoreError('http_status', `The server answered HTTP ${status} for ${url}. Check the address.`);
}

/** Whether another attempt may succeed after this status. */
export const isTransient = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status < 600);

/** Pause before attempt number `failures + 1`, in milliseconds: doubles from a quarter of a second to 8 s. */
export function backoffMs(failures: number): number {
  return Math.min(8000, 250 * 2 ** (failures - 1));
}

/** @throws InshoreError `wrong_size` if the server's file is not the one that was asked for. */
export function checkSize(actual: number | undefined, expected: number | undefined): void {
  if (actual === undefined || expected === undefined || actual === expected) return;
  throw new InshoreError(
    'wrong_size',
    `The file on the server has ${actual} bytes, the model has ${expected}. It is cut off or another version: ask whoever runs the server to replace it.`,
  );
}
