import { InshoreError } from '../error';
import { isRecord } from '../protocol/values';

/** A piece of a model's file that has an address of its own. */
export interface Shard {
  /** Absolute address. */
  url: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** A model that can be had: downloaded, or used where it is. */
export interface ModelRef {
  name: string;
  /** Absolute address of the GGUF file; of the first shard; empty for a file of the user's. */
  url: string;
  /** Exact size, where it is known beforehand. */
  bytes?: number | undefined;
  /** Lower-case hex, where it is known beforehand; without it only size and file type are checked. */
  sha256?: string | undefined;
  /** The file in pieces, which are put together in this order. */
  shards?: Shard[] | undefined;
  /** The file is on a model hub, which is asked for size and hash before the download. Address of its Git LFS pointer. */
  pointerUrl?: string | undefined;
  /** The user's own file: read where it is, never copied, and gone with the page. */
  file?: File | undefined;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** The models of a `manifest.json` as `inshore serve` writes it; relative addresses count from `base`. */
export function readManifest(manifest: unknown, base: string): ModelRef[] {
  const list = isRecord(manifest) ? manifest.models : undefined;
  if (!Array.isArray(list)) throw badManifest('it has no list `models`');
  return list.map((entry: unknown, index) => readModel(entry, base, `entry ${index}`));
}

/**
 * One model of a manifest: `{ name, url, bytes?, sha256? }`, where `url` may be a list of shards
 * `{ url, bytes, sha256 }`. `what` names it in errors.
 *
 * @throws InshoreError `bad_manifest`, `bad_url`, `bad_sha256`
 */
export function readModel(entry: unknown, base: string, what: string): ModelRef {
  if (!isRecord(entry)) throw badManifest(`${what} is not an object`);
  const { name, url, bytes, sha256 } = entry;
  if (typeof name !== 'string') throw badManifest(`${what} lacks \`name\``);
  const model: ModelRef = { name, url: '' };
  if (Array.isArray(url)) {
    model.shards = url.map((shard: unknown, index) => readShard(shard, base, `shard ${index} of ${what}`));
    const first = model.shards[0];
    if (first === undefined) throw badManifest(`${what} has no shards`);
    model.url = first.url;
    model.bytes = model.shards.reduce((sum, shard) => sum + shard.bytes, 0);
    if (isGiven(bytes) && bytes !== model.bytes)
      throw badManifest(`${what} has not the \`bytes\` of its shards`);
  } else if (typeof url === 'string') {
    model.url = resolveUrl(url, base);
    if (isGiven(bytes)) model.bytes = readBytes(bytes, what);
  } else {
    throw badManifest(`${what} lacks \`url\``);
  }
  if (isGiven(sha256)) model.sha256 = checkSha256(sha256);
  return model;
}

function readShard(entry: unknown, base: string, what: string): Shard {
  if (!isRecord(entry) || typeof entry.url !== 'string') throw badManifest(`${what} lacks \`url\``);
  return {
    url: resolveUrl(entry.url, base),
    bytes: readBytes(entry.bytes, what),
    sha256: checkSha256(entry.sha256),
  };
}

/** The model that the address line names by `?model=URL` (and `&sha256=`). */
export function modelFromUrl(url: string, sha256: string | undefined, base: string): ModelRef {
  const absolute = resolveUrl(url, base);
  const model: ModelRef = { name: nameOfFile(fileOf(absolute)) || absolute, url: absolute };
  if (sha256 !== undefined) model.sha256 = checkSha256(sha256);
  return model;
}

/** A file's name without its ending. */
export const nameOfFile = (file: string): string => file.replace(/\.gguf$/i, '');

function fileOf(url: string): string {
  const last = new URL(url).pathname.split('/').pop() ?? '';
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** The name under which the store keeps a model: its hash, so that what is kept can only be what was asked for. */
export async function storeKey(model: ModelRef): Promise<string> {
  if (model.sha256 !== undefined) return model.sha256;
  if (model.shards !== undefined) {
    return `shards-${await hexOfSha256(model.shards.map(({ sha256 }) => sha256).join('\n'))}`;
  }
  return `url-${await hexOfSha256(model.url)}`;
}

async function hexOfSha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Whether `text` is a SHA-256 in lower-case hex. */
export const isSha256 = (text: string): boolean => SHA256.test(text);

function checkSha256(value: unknown): string {
  const hex = typeof value === 'string' ? value.toLowerCase() : '';
  if (!isSha256(hex))
    throw new InshoreError(
      'bad_sha256',
      'A SHA-256 has 64 hexadecimal digits; correct the one of the model.',
    );
  return hex;
}

function readBytes(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) <= 0)
    throw badManifest(`${what} has a bad \`bytes\``);
  return value as number;
}

function resolveUrl(url: string, base: string): string {
  const absolute = URL.canParse(url, base) ? new URL(url, base) : undefined;
  if (absolute === undefined || !/^https?:$/.test(absolute.protocol)) {
    throw new InshoreError('bad_url', `${JSON.stringify(url)} is not an http(s) address of a model.`);
  }
  return absolute.href;
}

function badManifest(what: string): InshoreError {
  return new InshoreError(
    'bad_manifest',
    `The manifest of models cannot be read: ${what}. Correct it, or update the server.`,
  );
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;
