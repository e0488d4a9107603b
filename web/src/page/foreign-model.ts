import { parseCount } from '../store/content-range';
import type { ModelRef } from '../store/model';

/**
 * Host of the first file of `model` that does not come from `origin`; undefined where all of them do. An address line can
 * name any server, so such a model waits for a click.
 */
export function foreignHost(model: ModelRef, origin: string): string | undefined {
  // A file of the visitor's own is here already.
  if (model.file !== undefined) return undefined;
  const urls = [
    model.url,
    ...(model.pointerUrl === undefined ? [] : [model.pointerUrl]),
    ...(model.shards ?? []).map(({ url }) => url),
  ];
  return urls.map((url) => new URL(url)).find((url) => url.origin !== origin)?.host;
}

/** Asks the server how large the file is, without its body; undefined where it does not say. */
export async function askSize(
  url: string,
  fetcher: typeof fetch = (input, init) => fetch(input, init),
): Promise<number | undefined> {
  try {
    const response = await fetcher(url, { method: 'HEAD', credentials: 'omit', cache: 'no-store' });
    const length = response.headers.get('content-length');
    // A compressed answer is shorter than its file.
    if (!response.ok || response.headers.has('content-encoding')) return undefined;
    return parseCount(length) || undefined;
  } catch {
    return undefined;
  }
}
