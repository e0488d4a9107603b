import { describe, expect, it } from 'vitest';
import { CloudEndpoint } from './cloud-leg';
import { cloudSite } from './cloud-leg.testing';
import type { CloudOptions } from './contract';
import { answer, beginStream, chunk, ending, type Handler } from './http-server.testing';
import { checkedRequest, cloudTask, collector } from './leg.testing';

const { here, endpoint, outcome } = cloudSite();
describe('a sound answer', () => {
  it('streams, ends with finish reason and usage, and passes unknown fields of the caller', async () => {
    const { end, text } = await outcome((response) => answer(response, ['Pa', 'ris']));
    expect(text).toBe('Paris');
    expect(end).toEqual({ finishReason: 'stop', promptTokens: 11, cachedTokens: 4, completionTokens: 2 });
    const [{ path, headers, body } = { path: '', headers: {}, body: {} }] = here.site.requests;
    expect(path).toBe('/v1/chat/completions');
    expect(headers.cookie).toBeUndefined();
    expect(body).toMatchObject({ model: 'remote', user: 'kept', stream: true });
    expect(body).not.toHaveProperty('inshore');
  });

  it('is whole with its finish reason, with or without [DONE], and whatever comes after', async () => {
    for (const after of ['', 'data: [DONE]', 'data: [DONE]\n\n', 'data: garbage\n\n', ': ping\n\n']) {
      const { end, text } = await outcome((response) => {
        const send = beginStream(response);
        send(chunk('x'));
        send(ending('length'));
        response.end(after);
      });
      expect([text, end?.finishReason], after).toEqual(['x', 'length']);
    }
  });

  it('does not wait long for a usage that never comes', async () => {
    const began = performance.now();
    const { end } = await outcome((response) => beginStream(response)(ending()));
    expect(end).toEqual({ finishReason: 'stop' });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('knows the finish reasons of other servers, passes tool calls, and takes none for an answer that broke off', async () => {
    for (const [said, understood] of [
      ['eos', 'stop'],
      ['max_tokens', 'length'],
      ['MAX_TOKENS', 'length'],
      ['content_filter', 'content_filter'],
    ]) {
      const { end } = await outcome((response) => answer(response, [], said));
      expect(end?.finishReason).toBe(understood);
    }
    for (const said of ['error', 'insufficient_system_resource', 'banana', 7]) {
      const { end, error } = await outcome((response) => answer(response, ['x'], said as string));
      expect(end).toBeUndefined();
      expect(error?.kind).toBe('server_error');
    }
    const calls = [{ index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{' } }];
    const { pieces } = await outcome((response) => {
      const send = beginStream(response);
      send({ choices: [{ index: 0, delta: { tool_calls: calls } }] });
      send(ending('tool_calls'));
      response.end();
    });
    expect(pieces[0]?.toolCalls).toEqual(calls);
  });

  it('passes on what the model said to itself and a refusal, each in its own field', async () => {
    const { pieces, text, end } = await outcome((response) => {
      const send = beginStream(response);
      send({ choices: [{ index: 0, delta: { reasoning_content: 'Hm.' } }] });
      send({ choices: [{ index: 0, delta: { refusal: 'No, ' } }] });
      send({ choices: [{ index: 0, delta: { refusal: 'sorry.' } }] });
      send(ending());
      response.end();
    });
    expect(pieces).toEqual([
      { text: '', tokens: 0, ids: [], reasoning: 'Hm.' },
      // Whole: half of it could not be continued elsewhere.
      { text: '', tokens: 2, refusal: 'No, sorry.' },
    ]);
    expect([text, end?.finishReason]).toEqual(['', 'stop']);
  });

  it('ends at a stop text that the endpoint ignores, and cuts it off', async () => {
    const { end, text } = await outcome(
      async (response, { cut }) => {
        const send = beginStream(response);
        for (const piece of ['one E', 'N', 'D two']) send(chunk(piece));
        await cut;
      },
      { request: checkedRequest('x', { stop: ['END'] }) },
    );
    expect([text, end?.finishReason]).toEqual(['one ', 'stop']);
    await here.site.requests[0]?.cut;
  });
});

describe('manners', () => {
  it('goes on from a prefix, with what is left of max_tokens', async () => {
    await outcome((response) => answer(response, ['x']), { manner: 'prefix', text: 'so far', maxTokens: 7 });
    const body = here.site.requests[0]?.body;
    expect(body?.messages).toEqual([
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'so far', prefix: true },
    ]);
    expect(body?.max_tokens).toBe(7);
  });

  it('keeps the name that the caller used for max_tokens', async () => {
    const request = checkedRequest();
    request.body.max_completion_tokens = 50;
    await outcome((response) => answer(response, ['x']), { request, maxTokens: 3 });
    expect(here.site.requests[0]?.body).toMatchObject({ max_completion_tokens: 3 });
    expect(here.site.requests[0]?.body).not.toHaveProperty('max_tokens');
  });

  it('asks for no more than the budget pays for', async () => {
    const spec = { ...cloudTask().spec, prompt_tokens: 30, cloud_tokens_left: 50 };
    await outcome((response) => answer(response, ['x']), { spec, maxTokens: 100 });
    expect(here.site.requests[0]?.body?.max_tokens).toBe(20);
  });

  const ours: Partial<CloudOptions> = { continuation: 'token_ids' };
  const told = (sha256: string): Handler => {
    return (response) => {
      const send = beginStream(response);
      send(chunk('', { inshore: { model_sha256: sha256 } }));
      send(chunk('', { inshore: { ids: [5] } }));
      send(chunk('xy', { inshore: { ids: [6, 7] } }));
      send(ending());
      response.end();
    };
  };

  it('goes on from token ids on our own host, and logs the ids it tells', async () => {
    const { pieces } = await outcome(told('ff00'), { manner: 'token_ids', ids: [1, 2] }, ours);
    expect(here.site.requests[0]?.body.inshore).toEqual({
      ids: true,
      continue_ids: [1, 2],
      model_sha256: 'ff00',
    });
    expect(pieces.map(({ ids, tokens, text }) => [ids, tokens, text])).toEqual([
      [[5], 1, ''],
      [[6, 7], 2, 'xy'],
    ]);
  });

  it('takes no ids from a host of another model', async () => {
    const { pieces } = await outcome(told('ee11'), {}, ours);
    expect(pieces.map(({ ids }) => ids)).toEqual([undefined, undefined]);
  });
});

describe('faults of the endpoint', () => {
  const answerNothing: Handler = (response) => {
    beginStream(response);
    response.end();
  };
  const status =
    (
      code: number,
      headers: Record<string, string> = {},
      body: unknown = { error: { message: 'no' } },
    ): Handler =>
    (response) => {
      response.writeHead(code, { 'Content-Type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
  const cases: [name: string, handler: Handler, expected: { kind: string; retryAfterMs?: number }][] = [
    ['400', status(400), { kind: 'refused' }],
    ['401', status(401), { kind: 'unauthorised' }],
    ['402', status(402), { kind: 'payment' }],
    ['403', status(403), { kind: 'unauthorised' }],
    ['404', status(404), { kind: 'not_found' }],
    ['409', status(409, {}, { error: { code: 'model_mismatch' } }), { kind: 'model_mismatch' }],
    ['413', status(413), { kind: 'refused' }],
    ['418', status(418), { kind: 'refused' }],
    ['429', status(429, { 'Retry-After': '7' }), { kind: 'rate_limited', retryAfterMs: 7000 }],
    [
      '429 of an empty account',
      status(429, {}, { error: { code: 'insufficient_quota' } }),
      { kind: 'payment' },
    ],
    ['500', status(500), { kind: 'server_error' }],
    ['503', status(503, { 'retry-after-ms': '250' }), { kind: 'server_error', retryAfterMs: 250 }],
    ['204', (response) => void response.writeHead(204).end(), { kind: 'protocol' }],
    [
      'redirect',
      (response) => void response.writeHead(307, { Location: '/elsewhere' }).end(),
      { kind: 'network' },
    ],
    ['reset at once', (response) => void response.destroy(), { kind: 'network' }],
    [
      'reset in the middle',
      (response) => {
        beginStream(response)(chunk('half'));
        setTimeout(() => response.destroy(), 30);
      },
      { kind: 'network' },
    ],
    [
      'stream cut without a finish reason',
      (response) => {
        beginStream(response)(chunk('half'));
        response.end();
      },
      { kind: 'network' },
    ],
    [
      '[DONE] without a finish reason',
      (response) => {
        const send = beginStream(response);
        send(chunk('half'));
        send('[DONE]');
        response.end();
      },
      { kind: 'network' },
    ],
    [
      'last event without its end',
      (response) => {
        beginStream(response)(chunk('half'));
        response.end(`data: ${JSON.stringify(ending()).slice(0, -1)}`);
      },
      { kind: 'network' },
    ],
    ['empty stream', answerNothing, { kind: 'network' }],
    ['garbage events', (response) => beginStream(response)('{"choices": [}'), { kind: 'protocol' }],
    [
      'events of something else',
      (response) => beginStream(response)({ type: 'content_block_delta', delta: { text: 'lost' } }),
      { kind: 'protocol' },
    ],
    [
      'events without an answer',
      (response) => {
        beginStream(response)({ hello: 1 });
        response.end();
      },
      { kind: 'network' },
    ],
    [
      'garbage bytes',
      (response) => {
        beginStream(response);
        response.end(Buffer.from([0xff, 0xfe, 0x00, 0x0a]));
      },
      { kind: 'protocol' },
    ],
    [
      'an HTML page',
      (response) => {
        response.writeHead(200, { 'Content-Type': 'text/html' });
        response.end('<h1>Welcome</h1>');
      },
      { kind: 'protocol' },
    ],
    [
      'JSON instead of a stream',
      status(200, {}, { choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] }),
      { kind: 'protocol' },
    ],
    [
      'an error object in the stream',
      (response) => {
        const send = beginStream(response);
        send(chunk('half'));
        send({ error: { message: 'engine broke', code: 'engine_gone' } });
        response.end();
      },
      { kind: 'server_error' },
    ],
    [
      'a rate limit in the stream',
      (response) => beginStream(response)({ error: { message: 'slow down', code: 429 } }),
      { kind: 'rate_limited' },
    ],
  ];
  it.each(cases)('%s is a typed error', async (_name, handler, expected) => {
    const { end, error, text } = await outcome(handler);
    expect(end).toBeUndefined();
    expect(error).toMatchObject(expected);
    expect(error?.message).toMatch(/\. /);
    expect(['', 'half']).toContain(text);
  });

  it('leaves a line of a gigabyte after its first megabytes', async () => {
    let sent = 0;
    const { error } = await outcome((response) => {
      beginStream(response);
      response.write('data: ');
      const piece = Buffer.alloc(1 << 16, 0x78);
      const pump = (): void => {
        while (!response.destroyed && sent < 2 ** 30) {
          sent += piece.length;
          if (!response.write(piece)) return void response.once('drain', pump);
        }
      };
      pump();
    });
    expect(error?.kind).toBe('protocol');
    await here.site.requests[0]?.cut;
    expect(sent).toBeLessThan(64 << 20);
  });

  it('takes the wait from a date, counted on the server’s clock', async () => {
    const at = (ms: number): string => new Date(1_700_000_000_000 + ms).toUTCString();
    const { error } = await outcome(status(429, { 'Retry-After': at(9000), Date: at(0) }));
    expect(error?.retryAfterMs).toBe(9000);
  });

  it('reads no endless error body', async () => {
    const began = performance.now();
    const { error } = await outcome((response) => {
      response.writeHead(500);
      response.write('x');
    });
    expect(error?.kind).toBe('server_error');
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it('says nothing of an error text that may hold a secret', async () => {
    const { error } = await outcome(status(401, {}, { error: { message: 'Incorrect API key: sk-secret' } }));
    expect(JSON.stringify([error?.message, error?.cause])).not.toContain('sk-secret');
  });
});

/** A `fetch` whose response is made by the test, and which ignores the signal. */
describe('abort', () => {
  it('cuts the connection, and nothing is reported any more', async () => {
    here.site.handler = (response) => beginStream(response)(chunk('x'));
    const seen = collector();
    const leg = endpoint().start(cloudTask(), seen.sink, undefined);
    await expect.poll(() => seen.pieces.length).toBe(1);
    leg.abort();
    await here.site.requests[0]?.cut;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await Promise.race([seen.over, 'silent'])).toBe('silent');
  });

  it('before the token is there, sends nothing', async () => {
    const seen = collector();
    let give: (token: string) => void = () => {};
    const token = (): Promise<string> =>
      new Promise((resolve) => {
        give = resolve;
      });
    const leg = endpoint({ token }).start(cloudTask(), seen.sink, undefined);
    await Promise.resolve();
    leg.abort();
    give('t');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(here.site.requests).toEqual([]);
  });
});

describe('tokens', () => {
  it('come from a function, fresh for each request', async () => {
    let calls = 0;
    for (let n = 1; n <= 2; n++) await outcome((r) => answer(r, ['x']), {}, { token: () => `t${++calls}` });
    expect(here.site.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer t1',
      'Bearer t2',
    ]);
  });

  it('come from a token route', async () => {
    const { end } = await outcome(
      (response, { path }) => {
        if (path !== '/token') return answer(response, ['x']);
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify({ token: 'fresh', expires_in: 60 }));
      },
      {},
      { token: here.site.url.replace('/v1', '/token') },
    );
    expect(end?.finishReason).toBe('stop');
    expect(here.site.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/token', undefined],
      ['/v1/chat/completions', 'Bearer fresh'],
    ]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no'))],
    ['is empty', () => ''],
    ['would break the header', () => 'a\r\nX-Evil: 1'],
  ])('a source that %s is a typed error, and nothing is sent', async (_name, token) => {
    const { error } = await outcome((response) => answer(response, ['x']), {}, { token });
    expect(error?.kind).toBe('unauthorised');
    expect(here.site.requests).toEqual([]);
  });
});

describe('the gates, whatever was ordered', () => {
  const { spec } = cloudTask();
  it.each([
    ['privacy', cloudTask({ spec: { ...spec, privacy: 'local_only' } }), true],
    ['mode', cloudTask({ spec: { ...spec, mode: 'only_on_device' } }), true],
    ['switch', cloudTask(), false],
  ])('%s: throws and sends nothing', async (_name, task, cloudEnabled) => {
    const token = (): never => {
      throw new Error('asked for a token');
    };
    const seen = collector();
    expect(() => endpoint({ token }, { cloudEnabled }).start(task, seen.sink, undefined)).toThrow(
      /Nothing was sent/,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(here.site.requests).toEqual([]);
  });

  it('the switch also while the token is fetched', async () => {
    const gates = { cloudEnabled: true };
    const seen = collector();
    const token = (): string => {
      gates.cloudEnabled = false;
      return 't';
    };
    endpoint({ token }, gates).start(cloudTask(), seen.sink, undefined);
    expect((await seen.over).error?.code).toBe('gate_violated');
    expect(here.site.requests).toEqual([]);
  });
});

it.each(['ftp://x/v1', 'http://user:pass@x/v1', 'nonsense', ''])('refuses the address %j', (baseURL) => {
  expect(() => new CloudEndpoint({ baseURL, model: 'm' }, { cloudEnabled: true })).toThrow(/baseURL/);
});
