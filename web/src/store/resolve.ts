import { InshoreError } from '../error';
import type { ModelSource } from '../sdk/contract';
import { HEAD_BYTES, notGguf, startsLikeGguf } from './first-bytes';
import { DEFAULT_HUB, hubAddresses, parseHubFile } from './hub';
import { type ModelRef, modelFromUrl, nameOfFile, readModel } from './model';

const HUB = 'hf:';

/** Options of {@link resolveModel}. */
export interface ResolveOptions {
  /** Address of the model hub for `hf:` references. */
  hub?: string | undefined;
}

/**
 * What a `source` means: an address (relative ones count from `base`), `hf:owner/repo/file.gguf[@revision]`, a file of
 * the user's, or a manifest. Makes no request: a model that is stored starts offline, and a hub is asked for the hash
 * only when the download begins.
 *
 * A `File` is used where it is: not a byte is copied, and it is gone with the page.
 *
 * @throws InshoreError `bad_url`, `bad_reference`, `bad_manifest`, `bad_sha256`, `not_gguf`, `file_unreadable`
 */
export async function resolveModel(
  source: ModelSource,
  base: string,
  { hub = DEFAULT_HUB }: ResolveOptions = {},
): Promise<ModelRef> {
  if (typeof source === 'string')
    return source.startsWith(HUB) ? fromHub(source, hub) : modelFromUrl(source, undefined, base);
  if (source instanceof Blob) return fromFile(source);
  // A manifest may name a hub too: its hash then stands here, and no one needs to be asked.
  if (typeof source.url === 'string' && source.url.startsWith(HUB)) {
    const { url, pointerUrl } = fromHub(source.url, hub);
    const model = readModel({ ...source, url }, base, 'the manifest');
    return model.sha256 === undefined ? { ...model, pointerUrl } : model;
  }
  return readModel(source, base, 'the manifest');
}

function fromHub(reference: string, hub: string): ModelRef {
  const file = parseHubFile(reference.slice(HUB.length));
  if (file === undefined) {
    throw new InshoreError(
      'bad_reference',
      `${JSON.stringify(reference)} names no file of a hub: write hf:owner/repo/file.gguf, with @revision if need be.`,
    );
  }
  const name = nameOfFile(file.file.split('/').at(-1) ?? file.file);
  return { name, ...hubAddresses(file, hub) };
}

async function fromFile(file: File): Promise<ModelRef> {
  let head: Uint8Array;
  try {
    head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch (error) {
    throw new InshoreError(
      'file_unreadable',
      `The file ${JSON.stringify(file.name)} cannot be read. It was moved or changed: choose it again.`,
      { cause: error },
    );
  }
  if (head.length < 4 || !startsLikeGguf(head)) {
    throw notGguf(head, `The file ${JSON.stringify(file.name)}`);
  }
  return { name: nameOfFile(file.name), url: '', bytes: file.size, file };
}
