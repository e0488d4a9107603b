import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Reason } from '../route/types';
import { routeWasm } from './dispatcher.testing';
import { answer, serveHttp } from './http-server.testing';
import { createInshore, type Inshore } from './inshore';

let site: Awaited<ReturnType<typeof serveHttp>>;
let inshore: Inshore;
beforeEach(async () => {
  // An endpoint that knows one token.
  site = await serveHttp((response, { headers }) => {
    if (headers.authorization === 'Bearer right') return answer(response, ['from ', 'the ', 'cloud']);
    response.writeHead(401).end('{}');
  });
  inshore = await createInshore({
    model: 'https://models.test/m.gguf',
    mode: 'only_in_cloud',
    cloud: cloud('wrong'),
    // Node fetches no files: the module's bytes, which it takes as well.
    assets: { routeWasm: routeWasm() as unknown as URL },
  });
});
afterEach(async () => {
  inshore.destroy();
  await site.close();
});

const cloud = (token: string) => ({ baseURL: site.url, model: 'remote', token: () => token });

/** The text of an answer, or the code of its error. */
async function ask(): Promise<string | Reason> {
  const messages = [{ role: 'user' as const, content: 'hello' }];
  return inshore.chat.completions.create({ messages }).then(
    ({ choices }) => choices[0]?.message.content ?? '',
    ({ code }) => code,
  );
}

it('a wrong token opens the breaker, and the right one does not wait until it closes', async () => {
  const moved: string[] = [];
  inshore.on('breaker', ({ state }) => moved.push(state));
  for (let tries = 1; tries <= 3; tries++) expect(await ask()).toBe('unauthorised');
  expect(moved).toEqual(['open']);
  expect(await ask()).toBe('cloud_breaker_open');
  expect(site.requests.length).toBe(3);
  inshore.configure({ slo: { ttft_ms: 500 } });
  expect(await ask()).toBe('cloud_breaker_open');
  inshore.configure({ cloud: cloud('right') });
  expect(await ask()).toBe('from the cloud');
  inshore.configure({ mode: 'auto' });
  expect(await ask()).toBe('from the cloud');
});
