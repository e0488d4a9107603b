import { expect, it } from 'vitest';
import { codeOf, eventsOf } from './page';
import { answerWhole, beginStream, chunk, completion, DONE } from './scripted_upstream';
import { Signal } from './signal';
import { ANSWER_MARK, HOST_KEY, KEY, MESSAGES, onEveryHost } from './world';

const BODY = { model: 'small', messages: MESSAGES, stream: true };

onEveryHost({ INSHORE_HEARTBEAT_MS: '40' }, (world) => {
  it('hands each event over before the next one exists', async () => {
    const { page, upstream } = world();
    const words = ['first', 'second', 'third'];
    const seen = new Map(words.map((word) => [word, new Signal()]));
    upstream.next(async ({ response }) => {
      beginStream(response);
      for (const word of words) {
        response.write(chunk(word));
        // No timing: without this event in the page's hands there is never another.
        await seen.get(word)?.fired;
      }
      response.end(chunk('', 'stop') + DONE);
    });
    const answer = await page.stream(BODY);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/event-stream');
    for (const word of words) {
      await answer.until(word);
      seen.get(word)?.fire();
    }
    expect(eventsOf(await answer.rest()).at(-1)).toBe('[DONE]');
    expect(answer.isBroken).toBe(false);
  });

  it('passes the data of events on as it came, however the bytes were cut', async () => {
    const { page, upstream } = world();
    const events = [
      chunk(`Küste 🌊 ${ANSWER_MARK}`),
      ': a comment of the provider\n\n',
      chunk(' "quoted" \\ back', null).replaceAll('\n', '\r\n'),
      chunk('', 'stop').replaceAll('\n', '\r'),
      'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}}\n\n',
      DONE,
    ];
    const bytes = Buffer.from(events.join(''));
    upstream.next(async ({ response }) => {
      beginStream(response);
      for (let start = 0; start < bytes.length; start += 7) {
        response.write(bytes.subarray(start, start + 7));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const answer = await page.chat({ ...BODY, stream_options: { include_usage: true } });
    const expected = events
      .filter((event) => event.startsWith('data'))
      .map((event) => event.replace(/^data: /, '').trim());
    expect(eventsOf(answer.text)).toEqual(expected);
    expect(answer.text).not.toContain('comment');
    expect((await upstream.call(upstream.calls.length - 1)).body.stream_options).toEqual({
      include_usage: true,
    });
  });

  it.each(['Text/Event-Stream; charset=utf-8', 'text/event-stream;x=y', 'TEXT/EVENT-STREAM'])(
    'takes a stream of type %s',
    async (type) => {
      const { page, upstream } = world();
      upstream.next(({ response }) => {
        response.writeHead(200, { 'content-type': type });
        response.end(chunk('A shore.', 'stop') + DONE);
      });
      const answer = await page.chat(BODY);
      expect([answer.status, eventsOf(answer.text).at(-1)]).toEqual([200, '[DONE]']);
    },
  );

  it('takes a stream without a type', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => {
      response.writeHead(200);
      response.end(chunk('A shore.', 'stop') + DONE);
    });
    expect(eventsOf((await page.chat(BODY)).text).at(-1)).toBe('[DONE]');
  });

  it('tells an error that comes as JSON with status 200 by its code', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify({ error: { code: 429, message: KEY, retry_after: 3 } }));
    });
    const answer = await page.chat(BODY);
    expect(answer.text).toContain('upstream_rate_limited');
  });

  it('gives an answer in parts to clients as OpenAI writes it, streamed or whole', async () => {
    const { page, upstream } = world();
    const content = [
      { type: 'text', text: 'A ' },
      { type: 'text', text: 'shore.' },
    ];
    upstream.next(({ response }) => {
      beginStream(response);
      response.end(
        `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: 'STOP' }] })}\n\n${DONE}`,
      );
    });
    const [first = ''] = eventsOf((await page.chat(BODY)).text);
    expect(JSON.parse(first).choices[0]).toMatchObject({
      delta: { content: 'A shore.' },
      finish_reason: 'stop',
    });
    upstream.next(({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ choices: [{ message: { role: 'assistant', content }, finish_reason: 'end_turn' }] }),
      );
    });
    const whole = JSON.parse((await page.chat({ ...BODY, stream: false })).text);
    expect(whole.choices[0]).toMatchObject({ message: { content: 'A shore.' }, finish_reason: 'stop' });
  });

  it('logs numbers, names of ours and an outcome', async () => {
    const { page, upstream, host } = world();
    upstream.next(({ response }) => answerWhole(response, ANSWER_MARK));
    const whole = await page.chat({ ...BODY, stream: false });
    const id = String(whole.headers['x-request-id']);
    expect(JSON.parse(whole.text)).toEqual(JSON.parse(completion(ANSWER_MARK)));
    await host.printed(id);
    const line = host
      .output()
      .split('\n')
      .find((text) => text.includes(id));
    expect(JSON.parse(line ?? '')).toEqual({
      time: expect.any(String),
      request_id: id,
      route: 'POST /v1/chat/completions',
      status: 200,
      outcome: 'complete',
      model: 'small',
      upstream: 'provider',
      stream: false,
      events: 1,
      prompt_tokens: 7,
      completion_tokens: 3,
      total_ms: expect.any(Number),
    });
  });

  it('strikes out a key that an upstream echoes', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => {
      beginStream(response);
      response.end(chunk(`your key is ${KEY}, `) + chunk('is it not?', 'stop') + DONE);
    });
    upstream.next(({ response }) => answerWhole(response, `it is ${HOST_KEY}`));
    expect((await page.chat(BODY)).text).toContain('your key is [redacted], ');
    expect((await page.chat({ model: 'shore', messages: MESSAGES })).text).toContain('it is [redacted]');
  });

  it('keeps a silent stream alive with empty comments', async () => {
    const { page, upstream } = world();
    const heard = new Signal();
    upstream.next(async ({ response }) => {
      beginStream(response);
      response.write(chunk('first'));
      await heard.fired;
      response.end(chunk('', 'stop') + DONE);
    });
    const answer = await page.stream(BODY);
    await answer.until('first');
    await answer.until(':\n\n:\n\n');
    heard.fire();
    expect(eventsOf(await answer.rest())).toHaveLength(3);
  });

  it('ends at [DONE] also where the upstream does not', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => {
      beginStream(response);
      response.write(chunk('all', 'stop') + DONE + chunk('more'));
    });
    const answer = await page.chat(BODY);
    expect(eventsOf(answer.text).at(-1)).toBe('[DONE]');
    expect(answer.text).not.toContain('more');
    await (await upstream.call(upstream.calls.length - 1)).closed;
  });

  it('never lets a cut answer look complete', async () => {
    const { page, upstream } = world();
    const cuts: [string, (socket: { end(): void; reset(): void }) => void, string][] = [
      [chunk('half'), ({ end }) => end(), 'upstream_truncated'],
      [`${chunk('half')}data: {"choi`, ({ end }) => end(), 'upstream_truncated'],
      [chunk('half'), ({ reset }) => reset(), 'upstream_broken'],
      [`${chunk('half')}data: {"choi`, ({ reset }) => reset(), 'upstream_broken'],
      [`${chunk('half')}data: <html>\n\n`, ({ end }) => end(), 'upstream_garbage'],
      [`${chunk('half')}data: [1]\n\n`, ({ end }) => end(), 'upstream_garbage'],
      [`${chunk('half')}data: {"choices":1}\n\n`, ({ end }) => end(), 'upstream_garbage'],
      [
        `${chunk('half')}data: {"error":{"message":"${KEY} is bad"}}\n\n`,
        ({ end }) => end(),
        'upstream_error',
      ],
      ['<html>no events</html>', ({ end }) => end(), 'upstream_truncated'],
      ['', ({ end }) => end(), 'upstream_truncated'],
    ];
    for (const [text, finish, code] of cuts) {
      const half = new Signal();
      upstream.next(async ({ response }) => {
        beginStream(response);
        if (text !== '') response.write(text);
        if (text.includes('half')) await half.fired;
        finish({ end: () => response.end(), reset: () => response.socket?.resetAndDestroy() });
      });
      const answer = await page.stream(BODY);
      if (text.includes('half')) await answer.until('half');
      half.fire();
      const events = eventsOf(await answer.rest());
      expect([text, codeOf(events.at(-1) ?? '')]).toEqual([text, code]);
      expect(answer.text).not.toContain('[DONE]');
      expect(answer.isBroken, 'the error came through').toBe(false);
    }
  });

  it('counts an answer as complete from its finish_reason on', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => {
      beginStream(response);
      response.end(chunk('all') + chunk('', 'length'));
    });
    const events = eventsOf((await page.chat(BODY)).text);
    expect(events).toHaveLength(2);
    expect(JSON.parse(events[1] ?? '').choices[0].finish_reason).toBe('length');
  });

  it('gives an endless event up', async () => {
    const { page, upstream } = world();
    upstream.next(async ({ response }) => {
      beginStream(response);
      response.write('data: {"choices":"');
      const part = 'x'.repeat(64 * 1024);
      response.on('error', () => {});
      const go = () => {
        while (!response.destroyed) if (!response.write(part)) return void response.once('drain', go);
      };
      go();
    });
    const answer = await page.chat(BODY);
    expect(eventsOf(answer.text).map(codeOf)).toEqual(['upstream_garbage']);
    await (await upstream.call(upstream.calls.length - 1)).closed;
  });
});
