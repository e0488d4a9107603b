import { parseCount } from '../store/content-range';
import type { ModelRef } from '../store/model';

/**
 * Returns the host of the first file of `model` that does not come from `origin`; undefined if all of them do. A link can name
 * any server, so the page asks before it fetches such a model.
 */
export function foreignHost(model: ModelRef, origin: string): string | undefined {
  // A local file of the visitor is not fetched.
  if (model.file !== undefined) return undefined;
  const urls = [
    model.url,
    ...(model.pointerUrl === undefined ? [] : [model.pointerUrl]),
    ...(model.shards ?? []).map(({ url }) => url),
  ];
  return urls.map((url) => new URL(url)).find((url) => url.origin !== origin)?.host;
}

/** Asks the server for the size of the file with HEAD; returns undefined if it does not say. */
export async function askSize(
  url: string,
  fetcher: typeof fetch = (input, init) => fetch(input, init),
): Promise<number | undefined> {
  try {
    const response = await fetcher(url, { method: 'HEAD', credentials: 'omit', cache: 'no-store' });
    const length = response.headers.get('content-length');
    // The length of a compressed answer is not that of the file.
    if (!response.ok || response.headers.has('content-encoding')) return undefined;
    return parseCount(length) || undefined;
  } catch {
    return undefined;
  }
}
