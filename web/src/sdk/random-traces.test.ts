import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { InshoreError } from '../error';
import type { FailureKind, Mode } from '../route/types';
import type { CloudEndpoint } from './cloud-leg';
import { openDispatcher, type Read, readAnswer } from './dispatcher.testing';
import { type Leg, LegError, type LegSink, type LegTask } from './leg';
import { checkedRequest } from './leg.testing';

const REQUESTS = 10_000;
/** Requests that share one policy with its history, breakers and stickiness. */
const PER_POLICY = 200;
const KINDS: FailureKind[] = [
  'worker_crashed',
  'device_lost',
  'out_of_memory',
  'refused',
  'context_exceeded',
  'unauthorised',
  'rate_limited',
  'server_error',
  'network',
  'protocol',
  'model_mismatch',
  'other',
];
const MODES: Mode[] = ['only_on_device', 'prefer_on_device', 'prefer_in_cloud', 'only_in_cloud', 'auto'];

beforeAll(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    }),
);
afterAll(() => void vi.useRealTimers());

/** Mulberry32: the same seed, the same traces. */
function randomOf(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return {
    chance: (share: number) => next() < share,
    below,
    pick: <T>(list: readonly T[]): T => list[below(list.length)] as T,
  };
}
type Random = ReturnType<typeof randomOf>;

const word = (at: number): string => `w${at} `;
const textOf = (count: number): string => Array.from({ length: count }, (_, at) => word(at)).join('');

/** A side whose legs speak the same words, fast or slowly, and fail as chance has it. */
function sideOf(random: Random, isCloud: boolean, tellsIds: boolean) {
  const started: { task: LegTask; live: boolean }[] = [];
  const start = (task: LegTask, sink: LegSink): Leg => {
    const leg = { task, live: true };
    started.push(leg);
    let at = task.manner === 'prefix' ? task.text.split(' ').length - 1 : task.ids.length;
    const last = Math.min(20, at + (task.maxTokens ?? Number.POSITIVE_INFINITY));
    const tick = (): void => {
      if (!leg.live) return;
      if (random.chance(0.06)) {
        leg.live = false;
        const kind = random.pick(KINDS);
        const retryAfterMs = isCloud && random.chance(0.3) ? random.below(20_000) : undefined;
        sink.failed(new LegError(kind, 'local_failed', 'It broke. Try again.', { retryAfterMs }));
      } else if (at >= last) {
        leg.live = false;
        sink.finished({ finishReason: last === 20 ? 'stop' : 'length', promptTokens: 9 });
      } else {
        sink.piece({ text: word(at), tokens: 1, ids: tellsIds ? [at] : undefined });
        at += 1;
        wait();
      }
    };
    // Now and then a leg falls silent for good.
    const wait = (): void => {
      if (!random.chance(0.02)) setTimeout(tick, random.pick([1, 20, 100, 1500]));
    };
    wait();
    return {
      abort: () => {
        leg.live = false;
      },
    };
  };
  return { started, start };
}

async function runMany(seed: number, requests: number): Promise<void> {
  const random = randomOf(seed);
  const continuation = random.pick(['token_ids', 'prefix', 'none'] as const);
  const far = sideOf(random, true, continuation === 'token_ids');
  const near = sideOf(random, false, true);
  const cloud = {
    source: 'in_cloud',
    snapshot: () => ({ source: 'in_cloud', key: 'cloud', continuation }),
    start: (task: LegTask, sink: LegSink) => {
      expect(task.spec.privacy).not.toBe('local_only');
      expect(task.spec.mode).not.toBe('only_on_device');
      expect(gate.cloudEnabled).toBe(true);
      return far.start(task, sink);
    },
  } as unknown as CloudEndpoint;
  const { dispatcher, local, gate, decided } = await openDispatcher({
    config: { hedge_share: 0.5 },
    settings: { cloud, hedge: random.chance(0.5), cloudTokens: random.chance(0.2) ? 2_000 : undefined },
    now: () => performance.now(),
  });
  local.start = near.start;
  const { snapshot } = local;
  let loading = false;
  local.snapshot = async () => ({ ...(await snapshot()), load_ms: random.pick([0, 0, 0, 10_000]) });
  local.load = async () => {
    expect(loading).toBe(false);
    loading = true;
    await new Promise((resolve) => setTimeout(resolve, random.below(20_000)));
    loading = false;
    if (random.chance(0.3)) throw new InshoreError('out_of_memory', 'Too big. Take a smaller one.');
  };
  const reads: Promise<void>[] = [];
  let online = true;
  let hidden = false;
  const events: (() => void)[] = [
    () => dispatcher.setCloudEnabled(!gate.cloudEnabled),
    () => {
      hidden = !hidden;
      dispatcher.report({ type: 'visibility', hidden });
    },
    () => {
      online = !online;
      dispatcher.report({ type: 'connectivity', online });
    },
  ];
  for (let number = 0; number < requests; number++) {
    const maxTokens = random.chance(0.3) ? 1 + random.below(25) : undefined;
    const extension = {
      mode: random.pick(MODES),
      privacy: random.chance(0.2) ? ('local_only' as const) : ('cloud_allowed' as const),
      accept_replace: !random.chance(0.2),
      ...(random.chance(0.1) && { deadline_ms: random.below(5_000) }),
      ...(random.chance(0.3) && { conversation: `c${random.below(3)}` }),
    };
    const running = dispatcher.run(checkedRequest('x', { maxTokens, extension }));
    reads.push(readAnswer(running).then((read) => check(read, maxTokens)));
    if (random.chance(0.05)) setTimeout(() => running.abort(), random.below(2_000));
    if (random.chance(0.1)) random.pick(events)();
    // Several at a time, and the switch back on before long.
    if (random.chance(0.6)) await vi.advanceTimersByTimeAsync(random.below(4_000));
    if (random.chance(0.5)) {
      if (!gate.cloudEnabled) dispatcher.setCloudEnabled(true);
      if (hidden) events[1]?.();
      if (!online) events[2]?.();
    }
  }
  if (hidden) events[1]?.();
  await vi.advanceTimersByTimeAsync(3_600_000);
  await Promise.all(reads);
  expect(loading).toBe(false);
  // What ran is what was decided: every leg has its order, in order, and none outlived its request.
  const orders = decided.flatMap((order) => (order.type === 'start' ? [order] : []));
  for (const [side, isDevice] of [
    [near, true],
    [far, false],
  ] as const) {
    expect(side.started.every(({ live }) => !live)).toBe(true);
    const ordered = orders.filter(({ source }) => (source === 'on_device') === isDevice);
    expect(side.started.length).toBeLessThanOrEqual(ordered.length);
    for (const { task } of side.started) expect(task.source === 'on_device').toBe(isDevice);
  }
  dispatcher.destroy();
}

/** Every answer is whole or has an error, and what was shown has no gap and nothing twice. */
function check(read: Read, maxTokens: number | undefined): void {
  const words = read.text.split(' ').length - 1;
  expect(read.text).toBe(textOf(words));
  expect((read.finishReason === undefined) !== (read.error === undefined)).toBe(true);
  if (read.error !== undefined) {
    expect(read.error.code).not.toBe('route_mismatch');
    expect(read.error.code).not.toBe('gate_violated');
    expect(read.error.code).not.toBe('internal');
    return;
  }
  const whole = Math.min(20, maxTokens ?? 20);
  expect(words).toBe(whole);
  expect(read.finishReason).toBe(whole < 20 ? 'length' : read.finishReason);
  expect(read.usage?.completion_tokens).toBe(whole);
  const { spans = [] } = read.report ?? {};
  expect(spans.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(whole);
  expect(spans.map(({ start }) => start)).toEqual([0, ...spans.slice(0, -1).map(({ end }) => end)]);
  expect(spans.at(-1)?.end).toBe(read.text.length);
}

it(`over ${REQUESTS} random requests: executed as decided, and every stream ends whole or in an error`, async () => {
  for (let seed = 1; seed <= REQUESTS / PER_POLICY; seed++) await runMany(seed, PER_POLICY);
}, 300_000);
