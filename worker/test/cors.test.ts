import { expect, it } from 'vitest';
import { answerWhole, beginStream, chunk, DONE } from './scripted_upstream';
import { FOREIGN_ORIGIN, MESSAGES, ORIGIN, OTHER_ORIGIN, onEveryHost } from './world';

const PATHS = ['/health', '/v1/models', '/v1/token', '/v1/chat/completions', '/nothing'];

onEveryHost({}, (world) => {
  it('echoes an allowed origin on every answer, also on refusals', async () => {
    for (const path of PATHS) {
      for (const origin of [ORIGIN, OTHER_ORIGIN]) {
        const { headers } = await world().page.send(path, { origin });
        expect(headers['access-control-allow-origin'], path).toBe(origin);
        expect(headers['access-control-expose-headers']).toBe(
          'retry-after, retry-after-ms, x-request-id, x-should-retry',
        );
      }
    }
  });

  it('gives no permission to any other origin', async () => {
    for (const path of PATHS) {
      for (const origin of [FOREIGN_ORIGIN, 'null', `${ORIGIN}/`, ORIGIN.toUpperCase(), `${ORIGIN} `, null]) {
        const { headers } = await world().page.send(path, { origin: origin === null ? null : `${origin}` });
        // Blanks around a header's value are not part of it.
        const expected = origin === `${ORIGIN} ` ? ORIGIN : undefined;
        expect(headers['access-control-allow-origin'], `${path} ${origin}`).toBe(expected);
      }
    }
  });

  it.each([
    ['nothing', undefined, []],
    ['the page’s own client', 'authorization,content-type', []],
    [
      'OpenAI’s client',
      'authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-retry-count,x-stainless-timeout',
      [
        'x-stainless-arch',
        'x-stainless-lang',
        'x-stainless-os',
        'x-stainless-retry-count',
        'x-stainless-timeout',
      ],
    ],
    ['`cloud.headers`', 'X-Tenant, x-app-version', ['x-tenant', 'x-app-version']],
    ['a header twice', 'x-tenant,X-TENANT', ['x-tenant']],
    ['what is not a name of a header', 'x-tenant, x y, , ü, *()', ['x-tenant']],
  ])('answers the preflight of an allowed origin for what is asked: %s', async (_, asked, more) => {
    const { status, headers, text } = await world().page.send('/v1/chat/completions', {
      method: 'OPTIONS',
      headers: {
        'access-control-request-method': 'POST',
        ...(asked !== undefined && { 'access-control-request-headers': asked }),
      },
    });
    expect([status, text]).toEqual([204, '']);
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': ['authorization', 'content-type', ...more].join(', '),
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Headers',
    });
  });

  it('refuses the preflight of any other origin', async () => {
    for (const origin of [FOREIGN_ORIGIN, null]) {
      const { status, headers } = await world().page.send('/v1/token', { method: 'OPTIONS', origin });
      expect(status).toBe(403);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  it('never allows cookies, and is never cached, sniffed or framed', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    upstream.next(({ response }) => {
      beginStream(response);
      response.end(chunk('A shore.', 'stop') + DONE);
    });
    const answers = [
      ...(await Promise.all(PATHS.map((path) => page.send(path, { method: 'POST' })))),
      await page.send('/v1/token', { method: 'OPTIONS' }),
      await page.chat({ model: 'small', messages: MESSAGES }),
      await page.chat({ model: 'small', messages: MESSAGES, stream: true }),
    ];
    for (const { headers } of answers) {
      expect(headers['access-control-allow-credentials']).toBeUndefined();
      expect(headers['set-cookie']).toBeUndefined();
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        vary: expect.stringMatching(/\bOrigin\b/),
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});
