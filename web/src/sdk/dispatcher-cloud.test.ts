import { describe, expect, it, vi } from 'vitest';
import { type HandDriven, readAnswer } from './dispatcher.testing';
import { crash, dispatcherSite, legOf, speak, words } from './hand-driven.testing';
import { answer, beginStream, chunk, ending, type Handler } from './http-server.testing';
import { LegError } from './leg';
import { checkedRequest } from './leg.testing';

const { here, cloud, open } = dispatcherSite();
/** The rest of the answer as an endpoint of each kind gives it. */
const rest: Record<string, Handler> = {
  token_ids: (response, { body }) => {
    const { continue_ids = [] } = body.inshore as { continue_ids?: number[] };
    const send = beginStream(response);
    send(chunk('', { inshore: { model_sha256: 'ff00' } }));
    words.slice(continue_ids.length).forEach((text, at) => {
      send(chunk(text, { inshore: { ids: [continue_ids.length + at] } }));
    });
    send(ending());
    response.end();
  },
  prefix: (response, { body }) => {
    const last = (body.messages as { role: string; content: string; prefix?: boolean }[]).at(-1);
    const shown = last?.prefix === true ? last.content : '';
    answer(response, [words.join('').slice(shown.length)]);
  },
  none: (response) => answer(response, ['Another ', 'answer.']),
};

describe('hand-over to the cloud', () => {
  // Without recovery on the device, the cloud is next.
  const config = { max_recoveries: 0 };
  it.each(['token_ids', 'prefix', 'none'] as const)('to an endpoint that continues by %s', async (kind) => {
    here.site.handler = rest[kind] as Handler;
    for (let killed = 1; killed < words.length; killed++) {
      const { dispatcher, legs, events } = await open({ config, cloud: cloud(kind) });
      const handovers: unknown[] = [];
      events.on('handover', (event) => handovers.push(event));
      const reading = readAnswer(dispatcher.run(checkedRequest('x', { maxTokens: 30 })));
      const leg = await legOf(legs, 1);
      speak(leg, 0, killed);
      leg.sink.failed(crash());
      const read = await reading;
      const manner = kind === 'none' ? 'replace' : kind;
      expect(handovers).toMatchObject([
        { from: 'on_device', to: 'in_cloud', manner, tokens: killed, reason: 'worker_crashed' },
      ]);
      expect(read.replaced).toBe(kind === 'none' ? 1 : 0);
      expect(read.text).toBe(kind === 'none' ? 'Another answer.' : words.join(''));
      expect(read.finishReason).toBe('stop');
      expect(here.site.requests.at(-1)?.body.max_tokens).toBe(kind === 'none' ? 30 : 30 - killed);
      const spans = read.report?.spans ?? [];
      expect(spans.map(({ source }) => source)).toEqual(
        kind === 'none' ? ['in_cloud'] : ['on_device', 'in_cloud'],
      );
      expect(spans.at(-1)?.end).toBe(read.text.length);
      expect(read.report).toMatchObject({ source: kind === 'none' ? 'in_cloud' : 'mixed', handovers: 1 });
    }
  });

  it('fails with `answer_replaced` where the caller takes no replacement, and sends nothing for it', async () => {
    const { dispatcher, legs } = await open({ config });
    const request = checkedRequest('x', { extension: { accept_replace: false } });
    const reading = readAnswer(dispatcher.run(request));
    const leg = await legOf(legs, 1);
    speak(leg, 0, 2);
    leg.sink.failed(crash());
    expect((await reading).error?.code).toBe('answer_replaced');
    expect(here.site.requests).toEqual([]);
  });

  it('ends as `length` where the leg died after the last allowed token', async () => {
    const { dispatcher, legs } = await open({ config, cloud: cloud('prefix') });
    const reading = readAnswer(dispatcher.run(checkedRequest('x', { maxTokens: 3 })));
    const leg = await legOf(legs, 1);
    speak(leg, 0, 3);
    leg.sink.failed(crash());
    const read = await reading;
    expect([read.text, read.finishReason]).toEqual(['The sea is ', 'length']);
    expect(here.site.requests).toEqual([]);
  });

  it('of a silent engine: the watchdog ends it, the cloud goes on', async () => {
    here.site.handler = rest.prefix as Handler;
    const { dispatcher, legs } = await open({ config: { ...config, stall_ms: 100 }, cloud: cloud('prefix') });
    const reading = readAnswer(dispatcher.run(checkedRequest()));
    const leg = await legOf(legs, 1);
    for (let word = 0; word < 6; word++) {
      speak(leg, word, word + 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const read = await reading;
    expect(leg.aborted).toBe(true);
    expect(read.text).toBe(words.join(''));
    expect(read.report?.spans.at(-1)?.reason).toBe('stalled');
  });
});

describe('fail closed', () => {
  const faults: [string, (leg: HandDriven) => void][] = [
    ['a crash', ({ sink }) => sink.failed(crash())],
    ['a lost device', ({ sink }) => sink.failed(new LegError('device_lost', 'device_lost', 'Lost.'))],
    ['no memory', ({ sink }) => sink.failed(new LegError('out_of_memory', 'out_of_memory', 'Full.'))],
    ['another fault', ({ sink }) => sink.failed(new LegError('other', 'internal', 'Broken.'))],
  ];
  describe.each(['mode', 'privacy', 'switch'])('by %s', (gate) => {
    it.each(faults)('not one request after %s, at any token, until nothing is left', async (_name, fault) => {
      const token = vi.fn(() => 't');
      for (const spoken of [0, 3]) {
        const { dispatcher, legs } = await open({ cloud: { ...cloud('token_ids'), token } });
        if (gate === 'switch') dispatcher.setCloudEnabled(false);
        const extension = {
          ...(gate === 'mode' && { mode: 'only_on_device' as const }),
          ...(gate === 'privacy' && { privacy: 'local_only' as const }),
        };
        const reading = readAnswer(dispatcher.run(checkedRequest('secret', { extension })));
        for (let number = 1; number <= 3; number++) {
          const leg = await legOf(legs, number);
          if (number === 1) speak(leg, 0, spoken);
          fault(leg);
        }
        const read = await reading;
        expect(read.error).toBeDefined();
        expect(read.text).toBe(words.slice(0, spoken).join(''));
      }
      expect(token).not.toHaveBeenCalled();
      expect(here.site.requests).toEqual([]);
    });
  });

  it('the switch in mid-stream cuts the cloud at once, and the device goes on from the log', async () => {
    here.site.handler = (response, seen) => {
      const send = beginStream(response);
      send(chunk('', { inshore: { model_sha256: 'ff00' } }));
      send(chunk('The ', { inshore: { ids: [0] } }));
      return seen.cut;
    };
    const { dispatcher, legs, decided } = await open({
      cloud: cloud('token_ids'),
      settings: { mode: 'prefer_in_cloud' },
    });
    const reading = readAnswer(dispatcher.run(checkedRequest()), (event) => {
      if (event.type === 'delta' && event.source === 'in_cloud') dispatcher.setCloudEnabled(false);
    });
    const leg = await legOf(legs, 1);
    await here.site.requests[0]?.cut;
    expect(leg.task).toMatchObject({ manner: 'token_ids', ids: [0] });
    speak(leg, 1);
    leg.sink.finished({ finishReason: 'stop' });
    const read = await reading;
    expect(read.text).toBe(words.join(''));
    expect(read.report?.source).toBe('mixed');
    expect(decided).toContainEqual(expect.objectContaining({ type: 'abort', reason: 'cloud_disabled' }));
    expect(here.site.requests.length).toBe(1);
  });

  it('a policy that ordered a leg outside all the same is not obeyed', async () => {
    const { dispatcher, gate } = await open({ settings: { mode: 'only_in_cloud' } });
    // The policy was not told: only the last gate stands.
    gate.cloudEnabled = true;
    const running = dispatcher.run(checkedRequest());
    const reading = readAnswer(running);
    await Promise.resolve();
    gate.cloudEnabled = false;
    Object.defineProperty(gate, 'cloudEnabled', { get: () => false });
    const { error } = await reading;
    expect(['gate_violated', 'cloud_disabled']).toContain(error?.code);
    expect(here.site.requests).toEqual([]);
  });
});

describe('faults of the cloud', () => {
  const settings = { mode: 'prefer_in_cloud' as const };
  const status =
    (code: number, headers = {}): Handler =>
    (response) => {
      response.writeHead(code, headers);
      response.end('{}');
    };

  it.each([
    ['401', status(401)],
    ['402', status(402)],
    ['404', status(404)],
    ['429 with a long wait', status(429, { 'Retry-After': '3600' })],
    ['500', status(500)],
    ['reset', ((response) => void response.destroy()) as Handler],
    ['garbage', ((response) => beginStream(response)('}{')) as Handler],
    [
      'truncated',
      ((response) => void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end()) as Handler,
    ],
  ])('%s: the device answers', async (_name, handler) => {
    here.site.handler = handler;
    const { dispatcher, legs } = await open({ settings });
    const reading = readAnswer(dispatcher.run(checkedRequest()));
    const leg = await legOf(legs, 1);
    speak(leg, 0);
    leg.sink.finished({ finishReason: 'stop' });
    expect(await reading).toMatchObject({ text: words.join(''), finishReason: 'stop', replaced: 0 });
  });

  it('400 is the request’s own fault: a typed error, nothing else is tried', async () => {
    here.site.handler = status(400);
    const { dispatcher, legs } = await open({ settings });
    expect((await readAnswer(dispatcher.run(checkedRequest()))).error?.code).toBe('refused');
    expect(legs).toEqual([]);
  });

  it('429 with a short wait: the same endpoint again, after it', async () => {
    let asked = 0;
    const at: number[] = [];
    here.site.handler = (response, seen) => {
      at.push(performance.now());
      if (++asked > 1) return answer(response, ['late']);
      return status(429, { 'Retry-After': '1' })(response, seen);
    };
    const { dispatcher } = await open({ settings });
    expect((await readAnswer(dispatcher.run(checkedRequest()))).text).toBe('late');
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(950);
  });

  it('a truncated answer never looks complete', async () => {
    here.site.handler = (response) => {
      beginStream(response)(chunk('half an ans'));
      setTimeout(() => response.end(), 20);
    };
    const { dispatcher } = await open({ settings: { mode: 'only_in_cloud' } });
    const read = await readAnswer(dispatcher.run(checkedRequest()));
    expect(read.finishReason).toBeUndefined();
    expect(read.error?.code).toBe('network');
  });

  it('a stall after 200 runs into the deadline of the request', async () => {
    here.site.handler = (response, seen) => {
      beginStream(response)(chunk('x'));
      return seen.cut;
    };
    const { dispatcher } = await open({ settings: { mode: 'only_in_cloud' } });
    const read = await readAnswer(dispatcher.run(checkedRequest('x', { extension: { deadline_ms: 150 } })));
    expect(read.error?.code).toBe('deadline');
    await here.site.requests[0]?.cut;
  });
});
