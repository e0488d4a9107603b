import { InshoreError } from '../error';

/** A model that can be downloaded. */
export interface ModelRef {
  name: string;
  /** Absolute address of the GGUF file. */
  url: string;
  /** Exact size, where it is known beforehand. */
  bytes?: number | undefined;
  /** Lower-case hex, where it is known beforehand; without it only size and file type are checked. */
  sha256?: string | undefined;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** The models of a `manifest.json` as `inshore serve` writes it; relative addresses count from `base`. */
export function readManifest(manifest: unknown, base: string): ModelRef[] {
  const list = isRecord(manifest) ? manifest.models : undefined;
  if (!Array.isArray(list)) throw badManifest('it has no list `models`');
  return list.map((entry: unknown, index) => {
    if (!isRecord(entry)) throw badManifest(`entry ${index} is not an object`);
    const { name, url, bytes, sha256 } = entry;
    if (typeof name !== 'string' || typeof url !== 'string')
      throw badManifest(`entry ${index} lacks \`name\` or \`url\``);
    const model: ModelRef = { name, url: resolveUrl(url, base) };
    if (bytes !== undefined && bytes !== null) {
      if (!Number.isSafeInteger(bytes) || (bytes as number) <= 0)
        throw badManifest(`entry ${index} has a bad \`bytes\``);
      model.bytes = bytes as number;
    }
    if (sha256 !== undefined && sha256 !== null) model.sha256 = checkSha256(sha256);
    return model;
  });
}

/** The model that the address line names by `?model=URL` (and `&sha256=`). */
export function modelFromUrl(url: string, sha256: string | undefined, base: string): ModelRef {
  const absolute = resolveUrl(url, base);
  const file = decodeURIComponent(new URL(absolute).pathname.split('/').pop() ?? '');
  const model: ModelRef = { name: file.replace(/\.gguf$/i, '') || absolute, url: absolute };
  if (sha256 !== undefined) model.sha256 = checkSha256(sha256);
  return model;
}

/** The name under which the store keeps a model: its hash, so that what is kept can only be what was asked for. */
export async function storeKey(model: ModelRef): Promise<string> {
  if (model.sha256 !== undefined) return model.sha256;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(model.url));
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `url-${hex}`;
}

function checkSha256(value: unknown): string {
  const hex = typeof value === 'string' ? value.toLowerCase() : '';
  if (!SHA256.test(hex))
    throw new InshoreError(
      'bad_sha256',
      'A SHA-256 has 64 hexadecimal digits; correct the one given for the model.',
    );
  return hex;
}

function resolveUrl(url: string, base: string): string {
  const absolute = URL.canParse(url, base) ? new URL(url, base) : undefined;
  if (absolute === undefined || !/^https?:$/.test(absolute.protocol)) {
    throw new InshoreError('bad_url', `${JSON.stringify(url)} is not an http(s) address of a model.`);
  }
  return absolute.href;
}

function badManifest(what: string): InshoreError {
  return new InshoreError('bad_manifest', `The list of models cannot be read: ${what}. Update the server.`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
