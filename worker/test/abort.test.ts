import { describe, expect, it } from 'vitest';
import { codeOf, eventsOf } from './page';
import { answerWhole, beginStream, chunk } from './scripted_upstream';
import { Signal } from './signal';
import { MESSAGES, onEveryHost } from './world';

const BODY = { model: 'small', messages: MESSAGES, stream: true };

describe('with the defaults of the host', () => {
  onEveryHost({}, (world, name) => {
    const report = (what: string, ms: number) =>
      process.stdout.write(`    ${name}: ${what} reached the upstream in ${ms.toFixed(1)} ms\n`);

    for (const manner of ['close', 'reset'] as const) {
      it(`tells the upstream that the page has left its stream (${manner})`, async () => {
        const { page, upstream, host } = world();
        const index = upstream.calls.length;
        upstream.next(({ response }) => {
          beginStream(response);
          response.write(chunk('first'));
          // Then silence: only the abort can end this.
        });
        const answer = await page.stream(BODY);
        await answer.until('first');
        const leftMs = answer.leave(manner);
        const closedMs = await (await upstream.call(index)).closed;
        report(`a ${manner} in mid-stream`, closedMs - leftMs);
        await host.printed(`"request_id":"${answer.headers['x-request-id']}"`);
        expect(host.output()).toMatch(new RegExp(`${answer.headers['x-request-id']}.*"outcome":"aborted"`));
      });
    }

    it('tells it while a fast answer runs', async () => {
      const { page, upstream } = world();
      const index = upstream.calls.length;
      upstream.next(async ({ response, closed }) => {
        beginStream(response);
        const timer = setInterval(() => response.write(chunk('word ')), 20);
        await closed;
        clearInterval(timer);
      });
      const answer = await page.stream(BODY);
      await answer.until('word');
      const leftMs = answer.leave();
      report('a close between tokens', (await (await upstream.call(index)).closed) - leftMs);
    });

    it('tells it before the first byte of a stream', async () => {
      const { page, upstream } = world();
      const index = upstream.calls.length;
      upstream.next(() => {}); // Thinks forever.
      const token = await page.token();
      const outgoing = page.begin('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      });
      outgoing.on('error', () => {});
      outgoing.end(JSON.stringify(BODY));
      const call = await upstream.call(index);
      const leftMs = performance.now();
      outgoing.destroy();
      report('a close before the first byte', (await call.closed) - leftMs);
    });

    it('tells it while an answer in one piece is waited for', async () => {
      const { page, upstream } = world();
      const index = upstream.calls.length;
      upstream.next(() => {});
      const token = await page.token();
      const outgoing = page.begin('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      });
      outgoing.on('error', () => {});
      outgoing.end(JSON.stringify({ ...BODY, stream: false }));
      const call = await upstream.call(index);
      const leftMs = performance.now();
      outgoing.socket?.resetAndDestroy();
      report('a reset before an answer in one piece', (await call.closed) - leftMs);
    });

    it('still answers', async () => {
      const { page, upstream } = world();
      upstream.next(({ response }) => answerWhole(response, 'A shore.'));
      expect((await page.chat({ ...BODY, stream: false })).status).toBe(200);
    });
  });
});

describe('where the upstream thinks longer than a stream waits', () => {
  onEveryHost({ INSHORE_EARLY_STREAM_MS: '30', INSHORE_HEARTBEAT_MS: '20' }, (world) => {
    it('begins the stream, and passes the answer on when it comes', async () => {
      const { page, upstream } = world();
      const begun = new Signal();
      upstream.next(async ({ response }) => {
        await begun.fired;
        beginStream(response);
        response.end(`${chunk('late', 'stop')}data: [DONE]\n\n`);
      });
      const answer = await page.stream(BODY);
      await answer.until(':\n\n');
      begun.fire();
      expect(eventsOf(await answer.rest())).toHaveLength(2);
    });

    it('tells of a late refusal inside the stream', async () => {
      const { page, upstream } = world();
      const begun = new Signal();
      upstream.next(async ({ response }) => {
        await begun.fired;
        response.writeHead(429, { 'retry-after': '7' }).end('{}');
      });
      const answer = await page.stream(BODY);
      await answer.until(':\n\n');
      begun.fire();
      const events = eventsOf(await answer.rest());
      expect(events.map(codeOf)).toEqual(['upstream_rate_limited']);
      expect(JSON.parse(events[0] ?? '').error).toMatchObject({ status: 429, retry_after: '7' });
    });

    it('tells the upstream of an abort before its first byte', async () => {
      const { page, upstream } = world();
      const index = upstream.calls.length;
      upstream.next(() => {});
      const answer = await page.stream(BODY);
      await answer.until(':\n\n');
      answer.leave();
      await (await upstream.call(index)).closed;
    });
  });
});
