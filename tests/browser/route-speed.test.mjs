// What a decision of the routing policy costs in Chromium (aim: 50 µs): JSON in, the policy's wasm, JSON out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './lib/chromium.mjs';

const WASM = resolve(import.meta.dirname, process.env.INSHORE_WASM_DIR ?? '../../pkg/wasm');
const FILES = {
  '/': ['text/html', () => '<!doctype html><title>route</title>'],
  '/inshore_route.js': ['text/javascript', () => readFileSync(resolve(WASM, 'inshore_route.js'))],
  '/inshore_route_bg.wasm': ['application/wasm', () => readFileSync(resolve(WASM, 'inshore_route_bg.wasm'))],
};
/** The aim is 50 µs, printed. Asserted is only what no busy machine explains: a module that was built wrongly takes 4,000. */
const LIMIT_US = 1_000;

let server;
let context;
before(async () => {
  server = createServer((request, response) => {
    const [type, body] = FILES[request.url] ?? ['text/plain', () => undefined];
    response.writeHead(request.url in FILES ? 200 : 404, { 'content-type': type }).end(body());
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  context = await launch();
});
after(async () => {
  await context?.close();
  server?.close();
});

test('10,000 decisions', async (t) => {
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const batchesUs = (await page.evaluate(measure)).sort((a, b) => a - b);
  const mean = batchesUs.reduce((sum, us) => sum + us, 0) / batchesUs.length;
  // The fastest quarter counts: during the other batches another process may have had the core.
  const quarter = batchesUs[Math.floor(batchesUs.length / 4)];
  t.diagnostic(`a decision takes ${mean.toFixed(1)} µs in the mean, ${quarter.toFixed(1)} µs undisturbed`);
  assert.ok(quarter < LIMIT_US, `a decision takes ${quarter} µs`);
});

/** In the page: begins 10,000 requests in batches; mean µs of each batch. Every request ends, or the policy would fill up. */
async function measure() {
  const { default: init, Router } = await import('/inshore_route.js');
  await init({ module_or_path: '/inshore_route_bg.wasm' });
  const router = new Router('{}');
  const spec = {
    mode: 'auto',
    slo: { ttft_ms: 2000, tokens_per_second: 10 },
    privacy: 'cloud_allowed',
    prompt_tokens: 50,
    conversation: 'one',
    deadline_ms: 60_000,
    hedge: true,
    local_lacks: [],
  };
  const snapshot = {
    local: {
      availability: 'available',
      key: 'wgpu/SmolLM2-135M-Instruct.Q4_1/adapter',
      context_tokens: 2048,
      memory_fits: true,
      load_ms: 0,
      queue_ms: 0,
      estimate: { prefill_tps: 200, decode_tps: 20 },
    },
    cloud: { source: 'in_cloud', key: 'https://api.example/v1', continuation: 'prefix' },
    cloud_enabled: true,
    online: true,
    hidden: false,
  };
  const push = (nowMs, event) => JSON.parse(router.push(nowMs, JSON.stringify(event)));
  const batches = [];
  for (let batch = 0; batch < 20; batch += 1) {
    let spent = 0;
    for (let round = 0; round < 500; round += 1) {
      const request = batch * 500 + round;
      const begun = performance.now();
      const orders = push(request, { type: 'begin', request, spec, snapshot });
      spent += performance.now() - begun;
      if (orders[0]?.type !== 'start') throw new Error(`no start: ${JSON.stringify(orders)}`);
      push(request, { type: 'finished', request, leg: 1, prefill_tps: 200, decode_tps: 20 });
    }
    batches.push((1000 * spent) / 500);
  }
  return batches;
}
