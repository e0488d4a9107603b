import { InshoreError } from '../error';
import { type ModelRef, modelFromUrl, readManifest } from '../store/model';
import type { PageQuery } from './query';

/** The models that the page offers: the server's list, or the one of the address line. */
export async function listModels(query: PageQuery): Promise<ModelRef[]> {
  if (query.model !== undefined) return [modelFromUrl(query.model, query.sha256, location.href)];
  const url = new URL('/models/manifest.json', location.href).href;
  const models = readManifest(await fetchJson(url), url);
  if (models.length === 0) {
    throw new InshoreError(
      'no_models',
      'The server offers no model. Start it with one: inshore serve --model FILE.gguf.',
    );
  }
  return models;
}

async function fetchJson(url: string): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { cache: 'no-cache' });
  } catch (error) {
    throw new InshoreError(
      'network_failed',
      'The list of models cannot be fetched. Check the connection and reload the page.',
      {
        cause: error,
      },
    );
  }
  const missing =
    'The server has no list of models. Serve the page with `inshore serve`, or name a model in the address: ?model=URL.';
  if (!response.ok) throw new InshoreError('no_manifest', missing);
  try {
    return await response.json();
  } catch (error) {
    // A static server may answer every path with its index page.
    throw new InshoreError('no_manifest', missing, { cause: error });
  }
}
