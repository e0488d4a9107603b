import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { InshoreError } from '../error';
import type * as Routing from './router';
import type { Order, RequestSpec, RouteConfig, RouteEvent, Snapshot } from './types';

// The real module: there is no second policy to compare with.
const folder = resolve(import.meta.dirname, '../../', process.env.INSHORE_WASM_DIR ?? '../pkg/wasm');
const file = resolve(folder, 'inshore_route_bg.wasm');
let routing: typeof Routing;
let bytes: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  if (!existsSync(file)) {
    throw new Error(`there is no routing policy at ${file}; run \`cargo xtask wasm --only route\` first`);
  }
  bytes = new Uint8Array(readFileSync(file));
  routing = await import('./router');
});

const spec: RequestSpec = {
  mode: 'auto',
  slo: { ttft_ms: 2000, tokens_per_second: 10 },
  privacy: 'cloud_allowed',
  prompt_tokens: 50,
  hedge: false,
  local_lacks: [],
};

const snapshot: Snapshot = {
  local: {
    availability: 'available',
    key: 'engine',
    context_tokens: 2048,
    memory_fits: true,
    load_ms: 0,
    queue_ms: 0,
    estimate: { prefill_tps: 200, decode_tps: 20 },
  },
  cloud: { source: 'in_cloud', key: 'endpoint', continuation: 'token_ids' },
  cloud_enabled: true,
  online: true,
  hidden: false,
};

const begin = (
  request = 1,
  changed: Partial<RequestSpec> = {},
  world: Partial<Snapshot> = {},
): RouteEvent => ({
  type: 'begin',
  request,
  spec: { ...spec, ...changed },
  snapshot: { ...snapshot, ...world },
});

const create = (config?: Partial<RouteConfig>) => routing.Router.create(bytes, config);
const without = (orders: Order[], type: Order['type']) => orders.filter((order) => order.type !== type);

async function refusal(promise: Promise<unknown>): Promise<InshoreError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!InshoreError.is(error)) throw new Error(`expected an InshoreError, got ${String(error)}`);
  return error;
}

describe('the policy in its wasm module', () => {
  test('an answer on the device, crashed in the middle, goes on from token ids', async () => {
    const router = await create();
    expect(without(router.push(0, begin()), 'wake')).toEqual([
      {
        type: 'start',
        request: 1,
        leg: 1,
        source: 'on_device',
        manner: 'fresh',
        plan: 'same',
        racing: false,
        reason: 'meets_slo',
        prediction: { ttft_local_ms: 300, ttft_cloud_ms: 800, local_tps: 20 },
        handover: false,
        after_ms: 0,
      },
    ]);
    expect(without(router.push(300, { type: 'tokens', request: 1, leg: 1, tokens: 1 }), 'wake')).toEqual([]);
    const [restart] = router.push(350, { type: 'failed', request: 1, leg: 1, kind: 'worker_crashed' });
    expect(restart).toMatchObject({
      type: 'start',
      leg: 2,
      source: 'on_device',
      manner: 'token_ids',
      handover: true,
    });
    expect(router.push(900, { type: 'finished', request: 1, leg: 2 })).toEqual([
      { type: 'done', request: 1 },
    ]);
    router.free();
  });

  test('the switch cuts a cloud leg at once; without a device the request is denied', async () => {
    const router = await create();
    const [start] = router.push(0, begin(1, { mode: 'only_in_cloud' }));
    expect(start).toMatchObject({ type: 'start', source: 'in_cloud', reason: 'mode_in_cloud' });
    expect(router.push(10, { type: 'cloud_enabled', enabled: false })).toEqual([
      { type: 'abort', request: 1, leg: 1, reason: 'cloud_disabled' },
      { type: 'fail', request: 1, reason: 'denied' },
    ]);
  });

  test('undefined fields are absent ones', async () => {
    const router = await create();
    const event = begin(1, { conversation: undefined, deadline_ms: undefined }, { cloud: undefined });
    expect(router.push(0, event)[0]).toMatchObject({ type: 'start', reason: 'no_endpoint' });
    const failed: RouteEvent = {
      type: 'failed',
      request: 1,
      leg: 1,
      kind: 'refused',
      retry_after_ms: undefined,
    };
    expect(router.push(1, failed)).toEqual([
      { type: 'fail', request: 1, reason: 'local_failed', last: 'refused' },
    ]);
  });

  test('constants: defaults, a changed one, typos and nonsense', async () => {
    const defaults = await routing.defaultConfig(bytes);
    expect(defaults).toMatchObject({
      leave_ratio: 0.8,
      breaker_failures: 3,
      hedge_share: 0.05,
      max_handovers: 1,
    });
    const patient = await create({ stall_ms: 60_000 });
    patient.push(0, begin());
    expect(patient.push(1, { type: 'tokens', request: 1, leg: 1, tokens: 1 })).toEqual([]);
    const typo = await refusal(create({ stal_ms: 1 } as Partial<RouteConfig>));
    expect([typo.code, typo.message]).toEqual(['invalid_policy', expect.stringContaining('stal_ms')]);
    const nonsense = await refusal(create({ hedge_share: 2 }));
    expect([nonsense.code, nonsense.message]).toEqual([
      'invalid_policy',
      expect.stringContaining('hedge_share is 2'),
    ]);
  });

  test('an event that is none is refused, and the policy goes on', async () => {
    const router = await create();
    router.push(0, begin());
    const broken = { type: 'tokens', request: 1, leg: 1, tokens: Number.NaN } as RouteEvent;
    await expect(async () => router.push(1, broken)).rejects.toMatchObject({ code: 'invalid_event' });
    expect(router.push(2, { type: 'finished', request: 1, leg: 1 })).toEqual([{ type: 'done', request: 1 }]);
  });

  test('no clock is too strange', async () => {
    const router = await create();
    expect(router.push(Number.NaN, begin())[0]).toMatchObject({ type: 'start' });
    expect(router.push(-5, { type: 'wake' })).toMatchObject([{ type: 'wake' }]);
    expect(router.push(Number.POSITIVE_INFINITY, { type: 'cancelled', request: 1 })).toMatchObject([
      { type: 'abort', reason: 'cancelled' },
      { type: 'fail', reason: 'cancelled' },
    ]);
  });

  test('what is not a module is a typed error', async () => {
    // The module loads once a page, so this needs a page of its own.
    const { vi } = await import('vitest');
    vi.resetModules();
    const fresh: typeof Routing = await import('./router');
    const error = await refusal(fresh.Router.create(new Uint8Array([1, 2, 3])));
    expect(error.code).toBe('route_unavailable');
    await fresh.Router.create(bytes);
  });

  test('a decision is fast', async () => {
    const router = await create();
    const rounds = 10_000;
    const start = performance.now();
    for (let request = 1; request <= rounds; request += 1) {
      router.push(request, begin(request));
      router.push(request, { type: 'cancelled', request });
    }
    const meanMs = (performance.now() - start) / (2 * rounds);
    // Under 50 µs in Chromium; generous here, for the machine runs other tests too.
    expect(meanMs).toBeLessThan(0.25);
  });
});
