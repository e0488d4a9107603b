import { describe, expect, test } from 'vitest';
import { InshoreError } from '../error';
import { openDispatcher } from '../sdk/dispatcher.testing';
import { LegError } from '../sdk/leg';
import { createOpenAIFetch } from './fetch';
import { MAX_BODY_BYTES } from './request-body';
import { answer, delta, end, ScriptedDispatcher, type Step, span } from './scripted-dispatcher.testing';

const URL_OF_CHAT = 'https://any.example/v1/chat/completions';
const messages = [{ role: 'user', content: 'hi' }];
const setUp = (steps: readonly Step[]) => {
  const dispatcher = new ScriptedDispatcher(steps);
  return { dispatcher, fetch: createOpenAIFetch(dispatcher, 'org/tiny') };
};
const post = (fields: object = {}, more: RequestInit = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ messages, ...fields }),
  ...more,
});
/** Server-sent events as `event|data`. */
const eventsOf = (text: string): string[] =>
  text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const lines = event.split('\n').map((line) => line.split(': '));
      const field = (name: string) =>
        lines
          .filter(([key]) => key === name)
          .map(([, ...value]) => value.join(': '))
          .join('');
      return `${field('event')}|${field('data')}`;
    });
const errorOf = async (response: Response) => ({
  status: response.status,
  type: response.headers.get('content-type'),
  error: (await response.json()).error,
});

describe('addresses', () => {
  test.each([
    '/v1/chat/completions',
    'https://any.example/openai/deployments/x/chat/completions?api-version=1',
    new URL(URL_OF_CHAT),
  ])('%s completes', async (url) => {
    const { fetch } = setUp(answer('a', 'b'));
    const response = await fetch(url, post());
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect((await response.json()).choices[0].message.content).toBe('ab');
  });

  test('a Request is taken, with its body and its signal', async () => {
    const { fetch, dispatcher } = setUp([span, 'hang']);
    const abort = new AbortController();
    const request = new Request(URL_OF_CHAT, post({}, { signal: abort.signal }));
    setTimeout(() => abort.abort(), 5);
    await expect(fetch(request)).rejects.toMatchObject({ name: 'AbortError' });
    expect(dispatcher.requests[0]?.messages).toEqual(messages);
    // The signal of `init` counts before the request's.
    await expect(fetch(new Request(URL_OF_CHAT), { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(dispatcher.requests.length).toBe(1);
  });

  test('models are listed and found', async () => {
    const { fetch } = setUp([]);
    const model = { id: 'org/tiny', object: 'model', created: 0, owned_by: 'inshore' };
    const get = async (path: string) => (await fetch(`https://any.example/v1${path}`)).json();
    expect(await get('/models')).toEqual({ object: 'list', data: [model] });
    expect(await get('/models/org%2Ftiny')).toEqual(model);
    expect(await get('/models/org/tiny')).toEqual(model);
    expect(await get('/models/%ff')).toMatchObject({ error: { code: 'model_not_found' } });
  });

  test.each([
    ['https://any.example/v1/embeddings', 'POST', 404, 'not_found'],
    ['https://any.example/', 'GET', 404, 'not_found'],
    ['https://any.example/v1/models/other', 'GET', 404, 'model_not_found'],
    [URL_OF_CHAT, 'GET', 405, 'wrong_method'],
    ['https://any.example/v1/models', 'DELETE', 405, 'wrong_method'],
  ])('%s by %s is %i %s', async (url, method, status, code) => {
    const { fetch, dispatcher } = setUp([]);
    expect(await errorOf(await fetch(url, { method }))).toMatchObject({ status, error: { code } });
    expect(dispatcher.requests).toEqual([]);
  });
});

describe('refusals', () => {
  test.each([
    ['no JSON', '{', 400, 'invalid_body', null],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, 'invalid_body', null],
    ['nothing', undefined, 400, 'invalid_body', null],
    ['a wrong value', JSON.stringify({ messages, temperature: 9 }), 400, 'invalid_value', 'temperature'],
    ['another model', JSON.stringify({ messages, model: 'x' }), 404, 'model_not_found', 'model'],
    ['too many bytes', ' '.repeat(MAX_BODY_BYTES + 1), 413, 'body_too_large', null],
  ])('%s', async (_, body, status, code, param) => {
    const { fetch, dispatcher } = setUp([]);
    const init: RequestInit = { method: 'POST' };
    if (body !== undefined) init.body = body;
    const response = await fetch(URL_OF_CHAT, init);
    expect(await errorOf(response)).toEqual({
      status,
      type: 'application/json',
      error: { message: expect.stringMatching(/\.$/), type: 'invalid_request_error', param, code },
    });
    expect(dispatcher.requests).toEqual([]);
  });

  test('an endless body is read no further than the cap', async () => {
    const { fetch } = setUp([]);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1 << 20;
        controller.enqueue(new Uint8Array(1 << 20));
      },
    });
    const response = await fetch(URL_OF_CHAT, { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
    expect(sent).toBeLessThan(MAX_BODY_BYTES + (4 << 20));
  });

  test.each([true, false])('before the first token, a failure is a status (stream: %s)', async (stream) => {
    const limited = new LegError('rate_limited', 'rate_limited', 'Too fast.', { retryAfterMs: 3000 });
    const response = await setUp([span, limited]).fetch(URL_OF_CHAT, post({ stream }));
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await errorOf(response)).toMatchObject({ status: 429, error: { type: 'rate_limit_error' } });
  });
});

describe('a stream', () => {
  test('is server-sent events up to [DONE]', async () => {
    const { fetch } = setUp(answer('né\n\n', 'data: x'));
    const response = await fetch(
      URL_OF_CHAT,
      post({ stream: true, stream_options: { include_usage: true } }),
    );
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const events = eventsOf(await response.text());
    expect(events.at(-1)).toBe('|[DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice(1)));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('né\n\ndata: x');
    expect(chunks.at(-2)).toMatchObject({
      choices: [{ finish_reason: 'stop' }],
      inshore: { source: 'on_device' },
    });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 9 } });
  });

  test('that fails ends with one error event and never with [DONE]', async () => {
    const lost = new InshoreError('device_lost', 'The GPU is gone.');
    const response = await setUp([span, delta('a'), lost]).fetch(URL_OF_CHAT, post({ stream: true }));
    const events = eventsOf(await response.text());
    const body = { message: 'The GPU is gone.', type: 'server_error', param: null, code: 'device_lost' };
    expect(events.at(-1)).toBe(`error|${JSON.stringify({ error: body })}`);
    expect(events.filter((event) => event.startsWith('error'))).toHaveLength(1);
    expect(events).not.toContain('|[DONE]');
  });

  test('that breaks off without an end is not an answer', async () => {
    const response = await setUp([span, delta('half')]).fetch(URL_OF_CHAT, post({ stream: true }));
    const text = await response.text();
    expect(text).toContain('event: error');
    expect(text).not.toContain('[DONE]');
  });

  test('is an error where it would begin again, unless the client says that it understands', async () => {
    const steps: Step[] = [
      span,
      delta('old'),
      { type: 'replace', source: 'in_cloud', reason: 'stalled' },
      delta('new'),
      end(),
    ];
    const blind = await setUp(steps).fetch(URL_OF_CHAT, post({ stream: true }));
    const text = await blind.text();
    expect(text).toContain('answer_replaced');
    expect(text).not.toContain('new');
    const seeing = { stream: true, inshore: { accept_replace: true } };
    const told = await (await setUp(steps).fetch(URL_OF_CHAT, post(seeing))).text();
    expect(told.match(/"replace":true/g)).toHaveLength(1);
    expect(told).toContain('[DONE]');
    // A whole answer shows nothing that could be void.
    const { fetch, dispatcher } = setUp(steps);
    const whole = await (await fetch(URL_OF_CHAT, post())).json();
    expect(whole.choices[0].message.content).toBe('new');
    await fetch(URL_OF_CHAT, post({ stream: true }));
    // What the dispatcher goes by: before it begins again, it looks whether it may.
    expect(dispatcher.requests.map(({ extension }) => extension.accept_replace)).toEqual([undefined, false]);
  });

  test('each read takes one chunk from the answer', async () => {
    const texts = Array.from({ length: 1000 }, (_, index) => `${index} `);
    const { fetch, dispatcher } = setUp(answer(...texts));
    const response = await fetch(URL_OF_CHAT, post({ stream: true }));
    const reader = response.body?.getReader();
    for (let reads = 0; reads < 10; reads++) await reader?.read();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(dispatcher.taken).toBeLessThan(15);
    await reader?.cancel();
    expect(dispatcher.aborted).toBe(1);
    await expect.poll(() => dispatcher.closed).toBe(1);
  });
});

describe('a slow reader of a real answer', { timeout: 60_000 }, () => {
  /** The machine may be busy. */
  const patient = { timeout: 30_000 };
  /** A connection that gives one chunk a read, as many as are taken. */
  const connection = (chunks: number) => {
    const state = { taken: 0, cancelled: false };
    const encoder = new TextEncoder();
    const choice = (content: string, finish_reason: string | null) =>
      encoder.encode(
        `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`,
      );
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          if (state.taken === chunks) return controller.close();
          state.taken += 1;
          const isLast = state.taken === chunks;
          controller.enqueue(choice(`${state.taken} `, isLast ? 'stop' : null));
        },
        cancel() {
          state.cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { 'content-type': 'text/event-stream' };
    const fetcher = (async () => new Response(body, { headers })) as typeof fetch;
    return { state, fetcher };
  };
  const open = async (chunks: number) => {
    const { state, fetcher } = connection(chunks);
    const cloud = { baseURL: 'https://cloud.example/v1', model: 'remote', fetch: fetcher };
    const { dispatcher } = await openDispatcher({ cloud, settings: { mode: 'only_in_cloud' } });
    return { state, fetch: createOpenAIFetch(dispatcher, 'org/tiny') };
  };

  test('holds its connection back, and loses nothing', async () => {
    const { state, fetch } = await open(1000);
    const response = await fetch(URL_OF_CHAT, post({ stream: true }));
    const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    const decoder = new TextDecoder();
    let text = decoder.decode((await reader.read()).value);
    await expect.poll(() => state.taken, patient).toBeGreaterThan(200);
    let before = -1;
    // Until nothing is taken any more.
    while (before !== state.taken) {
      before = state.taken;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(state.taken).toBeLessThan(300);
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += decoder.decode(part.value);
    const chunks = eventsOf(text).slice(0, -1);
    const words = chunks.map((event) => JSON.parse(event.slice(1)).choices[0]?.delta.content ?? '');
    expect(words.join('')).toBe(Array.from({ length: 1000 }, (_, index) => `${index + 1} `).join(''));
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  test('that leaves cuts a connection that was held back', async () => {
    const { state, fetch } = await open(1000);
    const response = await fetch(URL_OF_CHAT, post({ stream: true }));
    await expect.poll(() => state.taken, patient).toBeGreaterThan(200);
    await response.body?.cancel();
    await expect.poll(() => state.cancelled, patient).toBe(true);
    expect(state.taken).toBeLessThan(1000);
  });
});

describe('abort', () => {
  test('rejects as fetch does, with the reason of the signal', async () => {
    const { fetch, dispatcher } = setUp([span, 'hang']);
    const fired = fetch(URL_OF_CHAT, post({}, { signal: AbortSignal.abort() }));
    await expect(fired).rejects.toMatchObject({ name: 'AbortError' });
    expect(dispatcher.requests).toEqual([]);
    const late = fetch(URL_OF_CHAT, post({ stream: true }, { signal: AbortSignal.timeout(5) }));
    await expect(late).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(dispatcher.aborted).toBe(1);
    const abort = new AbortController();
    setTimeout(() => abort.abort('my reason'), 5);
    await expect(fetch(URL_OF_CHAT, post({}, { signal: abort.signal }))).rejects.toBe('my reason');
  });

  test('in mid-stream fails the body at once and ends the generation', async () => {
    const { fetch, dispatcher } = setUp([span, delta('a'), 'hang']);
    const abort = new AbortController();
    const response = await fetch(URL_OF_CHAT, post({ stream: true }, { signal: abort.signal }));
    const reader = response.body?.getReader();
    await reader?.read();
    abort.abort();
    await expect(reader?.read()).rejects.toMatchObject({ name: 'AbortError' });
    expect(dispatcher.aborted).toBe(1);
  });

  test('while the request body still arrives', async () => {
    const { fetch } = setUp([]);
    const abort = new AbortController();
    const body = new ReadableStream<Uint8Array>({});
    const pending = fetch(URL_OF_CHAT, {
      method: 'POST',
      body,
      duplex: 'half',
      signal: abort.signal,
    } as RequestInit);
    setTimeout(() => abort.abort(), 5);
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('cancelling the body ends the generation', async () => {
    const { fetch, dispatcher } = setUp([span, delta('a'), 'hang']);
    const response = await fetch(URL_OF_CHAT, post({ stream: true }));
    await response.body?.cancel();
    expect(dispatcher.aborted).toBe(1);
  });
});
