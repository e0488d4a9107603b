import { describe, expect, it, vi } from 'vitest';
import { InshoreError } from '../error';
import { type HandDriven, openDispatcher, readAnswer } from './dispatcher.testing';
import { crash, dispatcherSite, legOf, speak, words } from './hand-driven.testing';
import { answer } from './http-server.testing';
import { checkedRequest } from './leg.testing';

const { here, open } = dispatcherSite();
describe('an answer on the device', () => {
  it('comes with its source, reason, usage and timings, and no request leaves', async () => {
    const { dispatcher, legs, events } = await open();
    const heard: string[] = [];
    events.on('decision', ({ source, reason }) => heard.push(`decision ${source} ${reason}`));
    events.on('source', ({ source }) => heard.push(`source ${source}`));
    const reading = readAnswer(dispatcher.run(checkedRequest('hi', { maxTokens: 20 })));
    const leg = await legOf(legs, 1);
    expect(leg.task).toMatchObject({ manner: 'fresh', maxTokens: 20, ids: [] });
    speak(leg, 0);
    leg.sink.finished({ finishReason: 'stop', promptTokens: 31, cachedTokens: 20, decodeTps: 40 });
    const read = await reading;
    expect(read).toMatchObject({ text: words.join(''), finishReason: 'stop', replaced: 0 });
    expect(read.usage).toEqual({
      prompt_tokens: 31,
      completion_tokens: 7,
      total_tokens: 38,
      prompt_tokens_details: { cached_tokens: 20 },
    });
    expect(read.report).toMatchObject({ source: 'on_device', reason: 'meets_slo', handovers: 0 });
    expect(read.report?.spans).toMatchObject([
      { source: 'on_device', start: 0, end: read.text.length, tokens: 7 },
    ]);
    expect(heard).toEqual(['decision on_device meets_slo', 'source on_device']);
    expect(here.site.requests).toEqual([]);
  });

  it('waits for a slow reader without a stall, and goes on when it reads', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    try {
      let nowMs = 0;
      const { dispatcher, legs, decided } = await openDispatcher({ now: () => nowMs });
      const running = dispatcher.run(checkedRequest());
      for (let turns = 0; legs.length === 0 && turns < 50; turns++) await vi.advanceTimersByTimeAsync(0);
      const [leg] = legs as [HandDriven];
      expect(leg.sink.room()).toBeUndefined();
      for (let id = 0; id < 300; id++) {
        nowMs += 10;
        leg.sink.piece({ text: 'x', tokens: 1, ids: [id] });
      }
      const room = leg.sink.room();
      expect(room).toBeDefined();
      let hasRoom = false;
      room?.then(() => {
        hasRoom = true;
      });
      for (let second = 0; second < 60; second++) {
        nowMs += 1_000;
        await vi.advanceTimersByTimeAsync(1_000);
      }
      expect([running.ended, leg.aborted, hasRoom]).toEqual([false, false, false]);
      expect(decided.filter(({ type }) => type === 'start')).toHaveLength(1);
      const reading = readAnswer(running);
      await vi.advanceTimersByTimeAsync(0);
      expect(hasRoom).toBe(true);
      leg.sink.finished({ finishReason: 'stop' });
      expect((await reading).text).toBe('x'.repeat(300));
      // Held back no more, nothing says any longer that the leg lives; the policy's last wake is left.
      expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('thinks for 40 s without a stall', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    try {
      let nowMs = 0;
      const { dispatcher, legs } = await openDispatcher({ now: () => nowMs });
      const reading = readAnswer(dispatcher.run(checkedRequest()));
      for (let turns = 0; legs.length === 0 && turns < 50; turns++) await vi.advanceTimersByTimeAsync(0);
      const [leg] = legs as [HandDriven];
      for (let step = 0; step < 200; step++) {
        nowMs += 200;
        await vi.advanceTimersByTimeAsync(200);
        leg.sink.piece({ text: '', tokens: 0, ids: [], reasoning: 'Hm. ' });
        leg.sink.alive();
      }
      leg.sink.piece({ text: 'So.', tokens: 1, ids: [1] });
      leg.sink.finished({ finishReason: 'stop' });
      const { text, error, events } = await reading;
      expect([text, error]).toEqual(['So.', undefined]);
      const reasoning = events.map((event) => (event.type === 'delta' ? (event.reasoning ?? '') : ''));
      expect(reasoning.join('')).toBe('Hm. '.repeat(200));
    } finally {
      vi.useRealTimers();
    }
  });

  it('is read once; leaving the loop ends it', async () => {
    const { dispatcher, legs } = await open();
    const running = dispatcher.run(checkedRequest());
    speak(await legOf(legs, 1), 0, 3);
    for await (const event of running) if (event.type === 'delta') break;
    expect(legs[0]?.aborted).toBe(true);
    expect(running.ended).toBe(true);
    expect((await readAnswer(running)).error?.code).toBe('already_read');
  });

  it.each(['before it begins', 'in the middle'])('ends by signal %s with `cancelled`', async (when) => {
    const { dispatcher, legs } = await open();
    const controller = new AbortController();
    const running = dispatcher.run(checkedRequest(), { signal: controller.signal });
    const reading = readAnswer(running);
    if (when === 'in the middle') speak(await legOf(legs, 1), 0, 2);
    controller.abort();
    expect((await reading).error?.code).toBe('cancelled');
    expect(legs.every(({ aborted }) => aborted)).toBe(true);
    expect(legs.length).toBe(when === 'in the middle' ? 1 : 0);
  });
});

describe('the engine dies in the middle', () => {
  it('recovers on a fresh one from the token log: nothing lost, nothing doubled', async () => {
    for (let killed = 0; killed <= words.length; killed++) {
      const { dispatcher, legs } = await open({ settings: { mode: 'only_on_device' } });
      const reading = readAnswer(dispatcher.run(checkedRequest('x', { maxTokens: 10 })));
      const first = await legOf(legs, 1);
      speak(first, 0, killed);
      first.sink.failed(crash());
      const second = await legOf(legs, 2);
      expect(second.task).toMatchObject({
        manner: killed === 0 ? 'fresh' : 'token_ids',
        ids: words.slice(0, killed).map((_, id) => id),
        maxTokens: 10 - killed,
        seed: first.task.seed,
      });
      speak(second, killed);
      second.sink.finished({ finishReason: 'stop' });
      const read = await reading;
      expect([read.text, read.replaced, read.finishReason]).toEqual([words.join(''), 0, 'stop']);
      expect(read.usage?.completion_tokens).toBe(words.length);
    }
    expect(here.site.requests).toEqual([]);
  });

  it('ends in the typed error of the last leg when nothing is left to try', async () => {
    const { dispatcher, legs } = await open({ settings: { mode: 'only_on_device' } });
    const reading = readAnswer(dispatcher.run(checkedRequest()));
    for (let number = 1; number <= 3; number++) (await legOf(legs, number)).sink.failed(crash());
    const { error, finishReason } = await reading;
    expect(error?.code).toBe('worker_crashed');
    expect(finishReason).toBeUndefined();
    expect(legs.map(({ task }) => task.plan)).toEqual(['same', 'same', 'smaller_context']);
  });
});

describe('a model that is stored but not loaded', () => {
  const cold = { load_ms: 10_000 };

  it('is loaded while the cloud answers, and has the next answer', async () => {
    const { dispatcher, legs, loads, local } = await open({ local: cold });
    const read = await readAnswer(dispatcher.run(checkedRequest()));
    expect(read).toMatchObject({ text: 'from the cloud', error: undefined });
    expect(read.report).toMatchObject({ source: 'in_cloud', reason: 'predicted_ttft_too_long' });
    // The answer is whole, and the load has not ended: nothing waited for it.
    expect([loads.length, legs.length]).toEqual([1, 0]);
    await readAnswer(dispatcher.run(checkedRequest()));
    expect(loads.length).toBe(1);
    loads[0]?.done();
    const { snapshot } = local;
    local.snapshot = async () => ({ ...(await snapshot()), load_ms: 0 });
    const reading = readAnswer(dispatcher.run(checkedRequest()));
    const leg = await legOf(legs, 1);
    speak(leg, 0);
    leg.sink.finished({ finishReason: 'stop' });
    expect((await reading).report).toMatchObject({ source: 'on_device', reason: 'meets_slo' });
    const told = dispatcher.trace.lines.flatMap((line) => ('event' in line ? [line.event] : []));
    expect(told.filter(({ type }) => type === 'load_ended')).toEqual([{ type: 'load_ended', key: 'name-1' }]);
  });

  it('is left alone where it fails to load, as an engine that fails to answer is', async () => {
    const { dispatcher, loads, events } = await open({ local: cold });
    const moved: string[] = [];
    events.on('breaker', ({ key, state }) => moved.push(`${key} ${state}`));
    for (let number = 1; number <= 4; number++) {
      await readAnswer(dispatcher.run(checkedRequest()));
      loads[number - 1]?.failed(new InshoreError('out_of_memory', 'Too big. Take a smaller one.'));
      await expect
        .poll(() => dispatcher.trace.toJsonl().split('load_ended').length - 1)
        .toBe(Math.min(number, 3));
    }
    expect(loads.length).toBe(3);
    expect(moved).toEqual(['engine open']);
  });

  it.each(['only_in_cloud', 'prefer_in_cloud'] as const)('%s does not load it', async (mode) => {
    const { dispatcher, loads } = await open({ local: cold, settings: { mode } });
    expect((await readAnswer(dispatcher.run(checkedRequest()))).text).toBe('from the cloud');
    expect(loads).toEqual([]);
  });

  it('after destroy its end is nobody’s business', async () => {
    const { dispatcher, loads } = await open({ local: cold });
    await readAnswer(dispatcher.run(checkedRequest()));
    dispatcher.destroy();
    const lines = dispatcher.trace.lines.length;
    loads[0]?.done();
    await new Promise((resolve) => setTimeout(resolve));
    expect(dispatcher.trace.lines.length).toBe(lines);
  });
});

describe('a race', () => {
  it('shows only the winner, and aborts the loser', async () => {
    const config = { hedge_share: 1, hedge_slo_ratio: 0.05 };
    for (const winner of ['cloud', 'device']) {
      here.site.handler = (response, seen) => (winner === 'cloud' ? answer(response, ['fast']) : seen.cut);
      const { dispatcher, legs } = await open({ config, settings: { hedge: true } });
      const reading = readAnswer(dispatcher.run(checkedRequest()));
      const leg = await legOf(legs, 1);
      await expect.poll(() => here.site.requests.length).toBe(winner === 'cloud' ? 1 : 2);
      if (winner === 'device') {
        speak(leg, 0);
        leg.sink.finished({ finishReason: 'stop' });
      }
      const read = await reading;
      expect(read.text).toBe(winner === 'cloud' ? 'fast' : words.join(''));
      expect(read.report?.spans.length).toBe(1);
      if (winner === 'cloud') expect(leg.aborted).toBe(true);
      else await here.site.requests[1]?.cut;
    }
  });
});

it('keeps the budget of cloud tokens', async () => {
  const { dispatcher, legs } = await open({ settings: { mode: 'prefer_in_cloud', cloudTokens: 30 } });
  expect((await readAnswer(dispatcher.run(checkedRequest()))).report?.source).toBe('in_cloud');
  expect(dispatcher.cloudTokensUsed).toBeGreaterThan(10);
  const reading = readAnswer(dispatcher.run(checkedRequest('x'.repeat(80))));
  (await legOf(legs, 1)).sink.finished({ finishReason: 'stop' });
  expect((await reading).report?.reason).toBe('budget_spent');
});

it('the trace tells every event with its orders, and nothing of prompt or answer', async () => {
  const { dispatcher, legs, decided } = await open();
  const reading = readAnswer(dispatcher.run(checkedRequest('a very secret question')));
  const leg = await legOf(legs, 1);
  speak(leg, 0);
  leg.sink.finished({ finishReason: 'stop' });
  await reading;
  const jsonl = dispatcher.trace.toJsonl();
  const lines = jsonl
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines[0]).toHaveProperty('config.stall_ms');
  expect(lines.slice(1).flatMap(({ orders }) => orders)).toEqual(JSON.parse(JSON.stringify(decided)));
  for (const secret of ['secret', 'sea', 'deep']) expect(jsonl).not.toContain(secret);
});

it('destroy ends every answer with a typed error', async () => {
  const { dispatcher, legs } = await open();
  const reading = readAnswer(dispatcher.run(checkedRequest()));
  await legOf(legs, 1);
  dispatcher.destroy();
  expect((await reading).error?.code).toBe('destroyed');
  expect(legs[0]?.aborted).toBe(true);
  expect((await readAnswer(dispatcher.run(checkedRequest()))).error?.code).toBe('destroyed');
});
