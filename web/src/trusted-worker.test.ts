import { afterEach, beforeEach, expect, it, vi } from 'vitest';

/** What a browser would have been given. */
interface Made {
  url: unknown;
  options: unknown;
}
let made: Made[];
let policies: string[];
let rules: { createScriptURL(url: string): string } | undefined;

class FakeWorker {
  constructor(url: unknown, options: unknown) {
    made.push({ url, options });
  }
}
const trusted = (url: string) => ({ trusted: url });

/** A browser with Trusted Types that refuses policies of the given names. */
function browser(refused: string[] = []): void {
  vi.stubGlobal('trustedTypes', {
    createPolicy(name: string, given: NonNullable<typeof rules>) {
      policies.push(name);
      if (refused.includes(name)) throw new TypeError('Policy disallowed.');
      rules = given;
      return { createScriptURL: (url: string) => trusted(given.createScriptURL(url)) };
    },
  });
}

/** The module keeps its policy for life: each test has a page of its own. */
async function start(url: string | URL): Promise<unknown> {
  const { startTrusted } = await import('./trusted-worker');
  return startTrusted('Worker', () => new Worker(url, { type: 'module' }));
}

beforeEach(() => {
  [made, policies, rules] = [[], [], undefined];
  vi.resetModules();
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('SharedWorker', FakeWorker);
  vi.stubGlobal('location', new URL('https://app.test/chat/'));
});
afterEach(() => void vi.unstubAllGlobals());

it('without Trusted Types, workers get the address as it is', async () => {
  const url = new URL('https://app.test/engine-worker.js');
  expect(await start(url)).toBeInstanceOf(FakeWorker);
  expect(made).toEqual([{ url, options: { type: 'module' } }]);
});

it('one policy, made when the first worker starts, signs the addresses of all of them', async () => {
  browser();
  const { startTrusted } = await import('./trusted-worker');
  expect(policies).toEqual([]);
  for (const url of ['https://app.test/engine-worker.js', '../store-worker.js']) await start(url);
  startTrusted('SharedWorker', () => new SharedWorker('/shared-worker.js', 'name'));
  expect(policies).toEqual(['inshore']);
  expect(made).toEqual([
    { url: trusted('https://app.test/engine-worker.js'), options: { type: 'module' } },
    { url: trusted('../store-worker.js'), options: { type: 'module' } },
    { url: trusted('/shared-worker.js'), options: 'name' },
  ]);
});

it('the policy takes nothing but the worker that is being started', async () => {
  browser();
  const worker = 'https://app.test/engine-worker.js';
  await start(worker);
  for (const url of [worker, 'https://app.test/other.js', 'data:text/javascript,alert(1)'])
    expect(() => rules?.createScriptURL(url)).toThrow(TypeError);
});

it.each([
  'blob:https://app.test/0f3d',
  'data:text/javascript,alert(1)',
  'https://elsewhere.test/engine-worker.js',
  'http://app.test/engine-worker.js',
  'https://',
])('%s is left to the browser', async (url) => {
  browser();
  await start(url);
  expect(made.map(({ url }) => url)).toEqual([url]);
});

it('a site that allows no such policy gets plain addresses, and is asked once', async () => {
  browser(['inshore']);
  for (const url of ['/a.js', '/b.js']) await start(url);
  expect(made.map(({ url }) => url)).toEqual(['/a.js', '/b.js']);
  expect(policies).toEqual(['inshore']);
});

it('the global is what it was, also when a worker cannot be made', async () => {
  browser();
  await start('/a.js');
  expect(globalThis.Worker).toBe(FakeWorker);
  const { startTrusted } = await import('./trusted-worker');
  const broken = (): never => {
    throw new RangeError('no worker today');
  };
  expect(() => startTrusted('Worker', broken)).toThrow(RangeError);
  expect(globalThis.Worker).toBe(FakeWorker);
});
