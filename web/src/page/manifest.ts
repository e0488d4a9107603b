import { InshoreError } from '../error';
import type { ModelSource } from '../sdk/contract';
import { type ModelRef, readManifest } from '../store/model';
import { resolveModel } from '../store/resolve';
import type { PageQuery } from './query';

/** A model that the page offers: as the package takes it, and what the store knows it by. */
export interface OfferedModel {
  source: ModelSource;
  ref: ModelRef;
}

/** The models that the page offers: the server's list, or the one of the address line. */
export async function listModels(query: PageQuery): Promise<OfferedModel[]> {
  const { model, sha256 } = query;
  if (model !== undefined) {
    // The package resolves it again; here it gives the name.
    const { name } = await resolveModel(model, location.href);
    return [await offer(sha256 === undefined ? model : { name, url: model, sha256 })];
  }
  const url = new URL('/models/manifest.json', location.href).href;
  const models = readManifest(await fetchJson(url), url);
  if (models.length === 0) {
    throw new InshoreError(
      'no_models',
      'The server offers no model. Start it with one: inshore serve --model FILE.gguf.',
    );
  }
  return models.map((ref) => {
    const { name, shards, bytes, sha256 } = ref;
    return { ref, source: { name, url: shards ?? ref.url, bytes, sha256 } };
  });
}

/** A model that can be offered. Makes no request. */
export async function offer(source: ModelSource): Promise<OfferedModel> {
  return { source, ref: await resolveModel(source, location.href) };
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
