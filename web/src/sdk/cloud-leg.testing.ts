import { afterEach, beforeEach } from 'vitest';
import { CloudEndpoint } from './cloud-leg';
import type { CloudOptions } from './contract';
import { answer, type Handler, serveHttp } from './http-server.testing';
import type { LegTask } from './leg';
import { cloudTask, collector } from './leg.testing';

/** For tests: a real endpoint for each test of a file, and legs that ask it. */
export function cloudSite() {
  const here = {} as { site: Awaited<ReturnType<typeof serveHttp>> };
  beforeEach(async () => {
    here.site = await serveHttp((response) => answer(response, ['a', 'b']));
  });
  afterEach(() => here.site.close());

  const endpoint = (options: Partial<CloudOptions> = {}, gates = { cloudEnabled: true }): CloudEndpoint =>
    new CloudEndpoint({ baseURL: here.site.url, model: 'remote', ...options }, gates);

  async function outcome(handler: Handler, task: Partial<LegTask> = {}, options: Partial<CloudOptions> = {}) {
    here.site.handler = handler;
    const seen = collector();
    endpoint(options).start(cloudTask(task), seen.sink, 'ff00');
    return { ...(await seen.over), text: seen.text(), pieces: seen.pieces };
  }
  return { here, endpoint, outcome };
}
