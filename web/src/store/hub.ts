import { Interrupted, isTransient, readAnswer, refusal } from './answers';
import { isSha256 } from './model';

/** The hub's address where the caller names no other. */
export const DEFAULT_HUB = 'https://huggingface.co';
const DEFAULT_REVISION = 'main';
const MOST_POINTER_BYTES = 1024;
/** Longest part of a reference, and longest reference: the same limits as in the native host, set by file systems. */
const MAX_PART_CHARS = 200;
const MAX_REFERENCE_CHARS = 800;
const NOT_IMPLEMENTED = 501;

/** A file of a repository on a model hub. */
export interface HubFile {
  owner: string;
  repo: string;
  /** Path in the repository. */
  file: string;
  revision: string;
}

/** Reads `owner/repo/file.gguf[@revision]`; `undefined` if it is not that. Each part becomes part of an address. */
export function parseHubFile(text: string): HubFile | undefined {
  const at = text.lastIndexOf('@');
  const [path, revision] = at < 0 ? [text, DEFAULT_REVISION] : [text.slice(0, at), text.slice(at + 1)];
  const [owner, repo, ...folders] = path.split('/');
  if (owner === undefined || repo === undefined) return undefined;
  const sound = [owner, repo, ...folders, ...revision.split('/')].every(
    (part) => /^[\w\-+][\w\-.+]*$/.test(part) && part.length <= MAX_PART_CHARS,
  );
  const file = folders.join('/');
  return sound && text.length <= MAX_REFERENCE_CHARS && /\.gguf$/i.test(file)
    ? { owner, repo, file, revision }
    : undefined;
}

/** Where `file` and its Git LFS pointer are. */
export function hubAddresses(file: HubFile, hub: string): { url: string; pointerUrl: string } {
  const repository = `${hub.replace(/\/+$/, '')}/${file.owner}/${file.repo}`;
  // A revision may hold a slash (refs/pr/1), which must not count as a path separator.
  const path = `${encodeURIComponent(file.revision)}/${file.file}`;
  return { url: `${repository}/resolve/${path}`, pointerUrl: `${repository}/raw/${path}` };
}

/** Dependencies of {@link askHub}. */
export interface HubWorld {
  fetch(url: string, init: RequestInit): Promise<Response>;
  now(): number;
  signal: AbortSignal;
}

/** What the hub says of a file. */
export interface HubAnswer {
  bytes?: number | undefined;
  sha256?: string | undefined;
}

/**
 * Asks the hub for size and hash. First its Git LFS pointer: the headers (`X-Linked-Etag`, `X-Linked-Size`) stand on
 * a redirect, which no script in a browser gets to see; hubs that answer without one are asked for them after that.
 * Any other refusal is ignored: the download asks for the file itself, and that answer decides.
 *
 * @throws Interrupted if the hub cannot be reached or fails, InshoreError `server_busy`
 */
export async function askHub(
  { url, pointerUrl }: { url: string; pointerUrl: string },
  { fetch, now, signal }: HubWorld,
): Promise<HubAnswer> {
  const ask = async (address: string, method: string): Promise<Response> => {
    const response = await fetch(address, { method, signal, cache: 'no-store' }).catch((error: unknown) => {
      throw new Interrupted('the hub cannot be reached', { cause: error });
    });
    if (isTransient(response.status) && response.status !== NOT_IMPLEMENTED) {
      response.body?.cancel().catch(() => {});
      throw refusal(readAnswer(response), address, now());
    }
    return response;
  };
  const pointer = await ask(pointerUrl, 'GET');
  if (pointer.ok) {
    const answer = parsePointer(await readStart(pointer));
    if (answer.sha256 !== undefined) return answer;
  } else {
    pointer.body?.cancel().catch(() => {});
  }
  const head = await ask(url, 'HEAD');
  if (!head.ok) return {};
  const hash = head.headers.get('x-linked-etag')?.replace(/^W\//, '').replaceAll('"', '').toLowerCase() ?? '';
  const size = Number(head.headers.get('x-linked-size') ?? Number.NaN);
  return {
    ...(isSha256(hash) ? { sha256: hash } : {}),
    ...(Number.isSafeInteger(size) && size > 0 ? { bytes: size } : {}),
  };
}

/** Reads a Git LFS pointer; anything else says nothing. */
export function parsePointer(text: string): HubAnswer {
  if (!text.startsWith('version https://git-lfs.github.com/spec/')) return {};
  const sha256 = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const bytes = Number(/^size (\d+)$/m.exec(text)?.[1]);
  return { sha256, ...(Number.isSafeInteger(bytes) && bytes > 0 ? { bytes } : {}) };
}

/** The first bytes of a body as text; a hub may send the whole model in place of a pointer. */
async function readStart(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  let text = '';
  const decoder = new TextDecoder();
  while (reader !== undefined && text.length < MOST_POINTER_BYTES) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new Interrupted('the connection broke', { cause: error });
    });
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader?.cancel().catch(() => {});
  return text.slice(0, MOST_POINTER_BYTES);
}
