import { describe, expect, it } from 'vitest';
import { cuttings, streamCases, ToolCallList, verdictOf } from '../protocol/streams.testing';
import { cloudSite } from './cloud-leg.testing';
import { chunk, ending } from './http-server.testing';
import { cloudTask, collector } from './leg.testing';

const { endpoint } = cloudSite();
const deafFetch = (body: BodyInit | null, headers: Record<string, string> = {}): typeof fetch =>
  (async () => new Response(body, { headers })) as typeof fetch;

const EVENT_STREAM = { 'content-type': 'text/event-stream' };

describe('the table of streams', () => {
  const KINDS = { garbage: ['protocol'], truncated: ['network'], peer_error: undefined };

  it.each(streamCases())('$name', async ({ bytes, expect: expected }) => {
    for (const [name, parts] of cuttings(bytes)) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const part of parts) controller.enqueue(part);
          controller.close();
        },
      });
      const seen = collector();
      const fetcher = deafFetch(body, EVENT_STREAM);
      endpoint({ fetch: fetcher }).start(cloudTask(), seen.sink, undefined);
      const { end, error } = await seen.over;
      if ('error' in expected) {
        const kinds = KINDS[expected.error];
        expect(end, name).toBeUndefined();
        if (kinds !== undefined) expect(kinds, error?.message).toContain(error?.kind);
        continue;
      }
      expect(error, name).toBeUndefined();
      const calls = new ToolCallList();
      for (const piece of seen.pieces) calls.add(piece.toolCalls ?? []);
      const { finishReason = '', ...usage } = end ?? {};
      const joined = (field: 'refusal' | 'reasoning'): string =>
        seen.pieces.map((piece) => piece[field] ?? '').join('');
      const said = { text: seen.text(), refusal: joined('refusal'), reasoning: joined('reasoning') };
      expect(verdictOf(said, calls, finishReason, usage), name).toEqual(expected);
    }
  });
});

describe('what is not a stream of events', () => {
  const whole = JSON.stringify({ choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] });
  const limited = JSON.stringify({ error: { message: 'slow', code: 429, retry_after: 2 } });
  it.each([
    ['whole JSON', whole, 'application/json', 'protocol'],
    ['an error as JSON with status 200', limited, 'application/json; charset=utf-8', 'rate_limited'],
    [
      'an error as a problem document',
      JSON.stringify({ detail: 'no' }),
      'application/problem+json',
      'server_error',
    ],
    ['a page', '<p>data: hello</p>', 'text/html', 'protocol'],
    ['text', 'data: {}', 'text/plain', 'protocol'],
    ['a page without a type', '<p>data: hello</p>', undefined, 'network'],
    ['JSON without a type', whole, undefined, 'network'],
  ])('%s is an error', async (_, text, type, kind) => {
    const seen = collector();
    // Bytes: a text would get a type.
    const fetcher = deafFetch(
      new TextEncoder().encode(text),
      type === undefined ? {} : { 'content-type': type },
    );
    endpoint({ fetch: fetcher }).start(cloudTask(), seen.sink, undefined);
    const { end, error } = await seen.over;
    expect(end).toBeUndefined();
    expect(error?.kind).toBe(kind);
    if (kind === 'rate_limited') expect(error?.retryAfterMs).toBe(2000);
  });

  it.each(['Text/Event-Stream; charset=utf-8', ' text/event-stream', undefined])(
    'a stream of type %j is read',
    async (type) => {
      const text = `data: ${JSON.stringify(chunk('x'))}\n\ndata: ${JSON.stringify(ending())}\n\ndata: [DONE]`;
      const seen = collector();
      const fetcher = deafFetch(
        new TextEncoder().encode(text),
        type === undefined ? {} : { 'content-type': type },
      );
      endpoint({ fetch: fetcher }).start(cloudTask(), seen.sink, undefined);
      expect((await seen.over).error).toBeUndefined();
      expect(seen.text()).toBe('x');
    },
  );
});

describe('signs of life', () => {
  it('are comments, pings, empty events and reasoning, and no text is one', async () => {
    const events = [
      ': OPENROUTER PROCESSING\n\n',
      'event: ping\ndata: {}\n\n',
      'data:\n\n',
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { reasoning_content: 'Hm' } }] })}\n\n`,
      `data: ${JSON.stringify(chunk('x'))}\n\n`,
    ];
    const alive: number[] = [];
    const seen = collector();
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          // By now the piece in front has been read.
          alive.push(seen.signs.alive);
          const event = events.shift();
          if (event === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(event));
        },
      },
      { highWaterMark: 0 },
    );
    endpoint({ fetch: deafFetch(body, EVENT_STREAM) }).start(cloudTask(), seen.sink, undefined);
    await seen.over;
    expect(alive).toEqual([0, 1, 2, 3, 4, 4]);
  });
});

describe('a `fetch` that ignores its signal', () => {
  it('is not read on after an abort', async () => {
    let [pulled, cancelled] = [0, false];
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          pulled += 1;
          await new Promise((resolve) => setTimeout(resolve, 1));
          controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunk('x'))}\n\n`));
        },
        cancel() {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const seen = collector();
    const leg = endpoint({ fetch: deafFetch(body, EVENT_STREAM) }).start(cloudTask(), seen.sink, undefined);
    await expect.poll(() => seen.pieces.length).toBeGreaterThan(2);
    leg.abort();
    await expect.poll(() => cancelled).toBe(true);
    const [read, said] = [pulled, seen.pieces.length];
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([pulled, seen.pieces.length]).toEqual([read, said]);
  });

  it.each([
    [
      'throws at once',
      () => {
        throw new TypeError('blocked');
      },
    ],
    ['gives nothing', async () => undefined],
  ])('or that %s, fails the leg with `network`', async (_, broken) => {
    const seen = collector();
    endpoint({ fetch: broken as unknown as typeof fetch }).start(cloudTask(), seen.sink, undefined);
    expect((await seen.over).error?.kind).toBe('network');
  });

  it('is dropped unread where it answers after the abort', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      cancel() {
        cancelled = true;
      },
    });
    let answerNow: (response: Response) => void = () => {};
    const fetcher = (() => new Promise((resolve) => (answerNow = resolve))) as typeof fetch;
    const seen = collector();
    const leg = endpoint({ fetch: fetcher }).start(cloudTask(), seen.sink, undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
    leg.abort();
    answerNow(new Response(body, { headers: EVENT_STREAM }));
    await expect.poll(() => cancelled).toBe(true);
  });
});

describe('a slow reader', () => {
  it('holds the connection back', async () => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          pulled += 1;
          controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunk('x'))}\n\n`));
        },
      },
      { highWaterMark: 0 },
    );
    const seen = collector();
    let makeRoom: () => void = () => {};
    const full = new Promise<void>((resolve) => {
      makeRoom = resolve;
    });
    const sink = { ...seen.sink, room: () => (seen.pieces.length === 5 ? full : undefined) };
    const leg = endpoint({ fetch: deafFetch(body, EVENT_STREAM) }).start(cloudTask(), sink, undefined);
    await expect.poll(() => seen.pieces.length).toBe(5);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // One read more is under way at most.
    expect(pulled).toBeLessThanOrEqual(6);
    expect(seen.pieces).toHaveLength(5);
    makeRoom();
    await expect.poll(() => seen.pieces.length).toBeGreaterThan(20);
    leg.abort();
  });

  it('does not keep an aborted leg', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) =>
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunk('x'))}\n\n`)),
      cancel() {
        cancelled = true;
      },
    });
    const seen = collector();
    const sink = { ...seen.sink, room: () => new Promise<void>(() => {}) };
    const leg = endpoint({ fetch: deafFetch(body, EVENT_STREAM) }).start(cloudTask(), sink, undefined);
    await expect.poll(() => seen.pieces.length).toBe(1);
    leg.abort();
    await expect.poll(() => cancelled).toBe(true);
  });
});
