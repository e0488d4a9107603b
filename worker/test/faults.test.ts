import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { codeOf, eventsOf } from './page';
import { answerWhole, beginStream, chunk, completion, type UpstreamCall } from './scripted_upstream';
import { ANSWER_MARK, KEY, MESSAGES, onEveryHost, variables } from './world';

const WHOLE = { model: 'small', messages: MESSAGES };
const STREAMED = { ...WHOLE, stream: true };
/** Statuses are kept for the test, however slow the machine. */
const PATIENT = { INSHORE_EARLY_STREAM_MS: '0' };
/** What a careless upstream says in an error. */
const TELLTALE = JSON.stringify({
  error: { message: `Incorrect API key ${KEY} for http://127.0.0.1/ ${ANSWER_MARK}`, code: 'secret_code' },
});

describe('an upstream that refuses', () => {
  onEveryHost(PATIENT, (world) => {
    const cases: [number, Record<string, string>, string, number, string, string | undefined][] = [
      [400, {}, TELLTALE, 400, 'upstream_rejected', undefined],
      [400, {}, '{"error":{"code":"context_length_exceeded"}}', 400, 'context_length_exceeded', undefined],
      [401, {}, TELLTALE, 502, 'upstream_auth', undefined],
      [402, {}, TELLTALE, 402, 'upstream_quota', undefined],
      [429, {}, '{"error":{"code":"insufficient_quota"}}', 402, 'upstream_quota', undefined],
      [403, {}, TELLTALE, 502, 'upstream_auth', undefined],
      [404, {}, TELLTALE, 404, 'upstream_model_missing', undefined],
      [409, {}, '{"error":{"code":"model_mismatch"}}', 409, 'model_mismatch', undefined],
      [422, {}, '<html>', 422, 'upstream_rejected', undefined],
      [429, { 'retry-after': '17' }, TELLTALE, 429, 'upstream_rate_limited', '17'],
      [429, { 'retry-after': `soon ${KEY}` }, TELLTALE, 429, 'upstream_rate_limited', undefined],
      [
        503,
        { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' },
        '',
        503,
        'upstream_unavailable',
        'Wed, 21 Oct 2026 07:28:00 GMT',
      ],
      [500, {}, TELLTALE, 502, 'upstream_error', undefined],
      [204, {}, '', 502, 'upstream_error', undefined],
      [302, { location: 'http://127.0.0.1:1/steal' }, '', 502, 'upstream_error', undefined],
    ];

    it('is quoted in our own words, with its Retry-After', async () => {
      const { page, upstream } = world();
      for (const body of [WHOLE, STREAMED]) {
        for (const [status, headers, text, expectedStatus, code, retryAfter] of cases) {
          upstream.next(({ response }) => response.writeHead(status, headers).end(text));
          const answer = await page.chat(body);
          expect([status, answer.status, codeOf(answer.text), answer.headers['retry-after']]).toEqual([
            status,
            expectedStatus,
            code,
            retryAfter,
          ]);
        }
      }
      expect(page.received).not.toContain('secret_code');
    });

    it('is known by its status in the log', async () => {
      const { page, upstream, host } = world();
      upstream.next(({ response }) => response.writeHead(402).end(TELLTALE));
      const id = (await page.chat(WHOLE)).headers['x-request-id'];
      await host.printed(`"request_id":"${id}"`);
      expect(host.output()).toMatch(new RegExp(`${id}.*"outcome":"upstream_quota".*"upstream_status":402`));
    });
  });
});

describe('an upstream that answers something else', () => {
  onEveryHost(PATIENT, (world) => {
    it('never passes for an answer', async () => {
      const { page, upstream } = world();
      const reply = (type: string, text: string) => (call: UpstreamCall) =>
        call.response.writeHead(200, { 'content-type': type }).end(text);
      const cases: [unknown, (call: UpstreamCall) => unknown, string][] = [
        [WHOLE, reply('text/html', '<html>'), 'upstream_garbage'],
        [WHOLE, reply('application/json', '{"choices":'), 'upstream_garbage'],
        [WHOLE, reply('application/json', '{}'), 'upstream_garbage'],
        [WHOLE, reply('application/json', 'null'), 'upstream_garbage'],
        [WHOLE, reply('application/json', TELLTALE), 'upstream_error'],
        [WHOLE, reply('application/json', completion('x').replace('"stop"', 'null')), 'upstream_truncated'],
        [WHOLE, reply('text/event-stream', chunk('x', 'stop')), 'upstream_garbage'],
        [STREAMED, reply('application/json', completion('x')), 'upstream_garbage'],
        [STREAMED, reply('text/html', '<html>'), 'upstream_garbage'],
        [
          WHOLE,
          ({ response }) => {
            response.writeHead(200, { 'content-type': 'application/json', 'content-length': '9999' });
            response.write('{"choices":');
            setImmediate(() => response.socket?.resetAndDestroy());
          },
          'upstream_broken',
        ],
        [WHOLE, ({ response }) => response.socket?.resetAndDestroy(), 'upstream_unreachable'],
        [STREAMED, ({ response }) => response.socket?.resetAndDestroy(), 'upstream_unreachable'],
      ];
      for (const [body, script, code] of cases) {
        upstream.next(script);
        const answer = await page.chat(body);
        expect([answer.status, codeOf(answer.text)], code).toEqual([502, code]);
      }
    });

    it('may not send without end', async () => {
      const { page, upstream } = world();
      upstream.next(({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.on('error', () => {});
        const part = ' '.repeat(64 * 1024);
        const go = () => {
          while (!response.destroyed) if (!response.write(part)) return void response.once('drain', go);
        };
        go();
      });
      expect(codeOf((await page.chat(WHOLE)).text)).toBe('upstream_garbage');
      await (await upstream.call(upstream.calls.length - 1)).closed;
    });
  });
});

describe('an upstream that falls silent', () => {
  const limits = { ...PATIENT, INSHORE_FIRST_BYTE_TIMEOUT_MS: '1000', INSHORE_IDLE_TIMEOUT_MS: '1000' };
  onEveryHost(limits, (world) => {
    it('is given up before its first byte', async () => {
      const { page, upstream } = world();
      for (const body of [WHOLE, STREAMED]) {
        const index = upstream.calls.length;
        upstream.next(() => {});
        const answer = await page.chat(body);
        expect([answer.status, codeOf(answer.text)]).toEqual([504, 'upstream_timeout']);
        await (await upstream.call(index)).closed;
      }
    });

    it('is given up in the middle of an answer', async () => {
      const { page, upstream } = world();
      const index = upstream.calls.length;
      upstream.next(({ response }) => {
        beginStream(response);
        response.write(chunk('half'));
      });
      const events = eventsOf((await page.chat(STREAMED)).text);
      expect([events.length, codeOf(events[1] ?? '')]).toEqual([2, 'upstream_timeout']);
      await (await upstream.call(index)).closed;

      upstream.next(({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"choices":');
      });
      const whole = await page.chat(WHOLE);
      expect([whole.status, codeOf(whole.text)]).toEqual([504, 'upstream_timeout']);
      await (await upstream.call(index + 1)).closed;
    });

    it('gives up a page that falls silent in the middle of its request as well', async () => {
      const { page, host } = world();
      const token = await page.token();
      const outgoing = page.begin('/v1/chat/completions', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': '100',
          authorization: `Bearer ${token}`,
        },
      });
      outgoing.on('error', () => {});
      outgoing.write('{"model":');
      await host.printed('"status":408,"outcome":"body_timeout"');
      outgoing.destroy();
    });

    it('is given up in the middle of a refusal', async () => {
      const { page, upstream } = world();
      upstream.next(({ response }) => response.writeHead(400).write('{"error":'));
      expect(codeOf((await page.chat(WHOLE)).text)).toBe('upstream_rejected');
      upstream.next(({ response }) => answerWhole(response, 'A shore.'));
      expect((await page.chat(WHOLE)).status).toBe(200);
    });
  });
});

describe('an upstream that is not there', async () => {
  const deadPort = await closedPort();
  const { INSHORE_UPSTREAMS = '' } = variables(deadPort);
  onEveryHost({ ...PATIENT, INSHORE_UPSTREAMS }, (world) => {
    it('is said to be so, without its address', async () => {
      for (const body of [WHOLE, STREAMED]) {
        const answer = await world().page.chat(body);
        expect([answer.status, codeOf(answer.text)]).toEqual([502, 'upstream_unreachable']);
        expect(answer.text).not.toContain(String(deadPort));
      }
    });
  });
});

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
