import { Layout } from './layout';

/** What tells one version of a file on a server from another. */
export interface Validator {
  etag?: string | undefined;
  lastModified?: string | undefined;
}

/** Version of the checks that a model passes before it is kept. 1: first bytes, hashes, and the length its header needs. */
export const CHECKS = 1;

/** A part (shard) of a stored file. */
export interface RecordedPart {
  /** Absent until the server or the list of models has said it. */
  bytes?: number | undefined;
  /** Of the version to which the chunks belong. Absent where the server sends none, or answers without ranges. */
  validator?: Validator | undefined;
}

/**
 * What is known of a stored or half-downloaded model, as JSON beside its bytes. Nothing here is trusted when the model
 * is used: sizes and chunks that do not fit are found by their digests.
 */
export interface StoreRecord {
  version: 1;
  name: string;
  /** Without query, which may hold a signature. */
  url: string;
  /** Of the whole file, where somebody has said it. */
  sha256?: string | undefined;
  parts: RecordedPart[];
  /** Version of the checks that the model has passed ({@link CHECKS}); absent in records of older versions. */
  checks?: number | undefined;
  /** When the model was checked and kept, ISO 8601. Absent while it is downloaded. */
  storedAt?: string | undefined;
}

/** The chunks of a recorded file. */
export function layoutOf(parts: readonly RecordedPart[]): Layout {
  return new Layout(parts.map(({ bytes }) => bytes ?? Number.POSITIVE_INFINITY));
}

/** Reads a record; `undefined` if it is damaged. */
export function parseRecord(text: string): StoreRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const record = value as StoreRecord | null;
  const sound =
    typeof record === 'object' &&
    record !== null &&
    record.version === 1 &&
    typeof record.name === 'string' &&
    typeof record.url === 'string' &&
    isText(record.sha256) &&
    isText(record.storedAt) &&
    (record.checks === undefined || Number.isSafeInteger(record.checks)) &&
    Array.isArray(record.parts) &&
    record.parts.length > 0 &&
    record.parts.every(isPart) &&
    // Only a file that is one part may be of unknown size.
    (record.parts.length === 1 || record.parts.every(({ bytes }) => bytes !== undefined));
  return sound ? record : undefined;
}

function isPart(part: RecordedPart | null): boolean {
  if (typeof part !== 'object' || part === null) return false;
  const { bytes, validator } = part;
  if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes > 0)) return false;
  if (validator === undefined) return true;
  return (
    typeof validator === 'object' &&
    validator !== null &&
    isText(validator.etag) &&
    isText(validator.lastModified)
  );
}

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';

/**
 * Returns `same`, `changed`, or `unknown` if the server did not send enough. Equal weak ETags do not guarantee equal bytes, so
 * then the date decides.
 */
export function compareValidators(
  a: Validator | undefined,
  b: Validator | undefined,
): 'same' | 'changed' | 'unknown' {
  if (a?.etag !== undefined && b?.etag !== undefined) {
    if (a.etag !== b.etag) return 'changed';
    if (!a.etag.startsWith('W/')) return 'same';
  }
  if (a?.lastModified !== undefined && b?.lastModified !== undefined)
    return a.lastModified === b.lastModified ? 'same' : 'changed';
  return 'unknown';
}

/** Whether a validator says anything. */
export const isValidator = (validator: Validator | undefined): validator is Validator =>
  validator?.etag !== undefined || validator?.lastModified !== undefined;
