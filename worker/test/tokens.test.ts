import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import { expect, it } from 'vitest';
import { codeOf, Page } from './page';
import { answerWhole } from './scripted_upstream';
import { FOREIGN_ORIGIN, MESSAGES, ORIGIN, OTHER_ORIGIN, onEveryHost, TOKEN_SECRET } from './world';

const BODY = { model: 'small', messages: MESSAGES };
const AUDIENCE = 'inshore-worker/v1/chat';

/** A token that is right in all but what is given. */
function forged(
  change: {
    claims?: Record<string, unknown>;
    audience?: string;
    expiresInS?: number;
    ageS?: number;
    secret?: string;
  } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ origin: ORIGIN, jti: crypto.randomUUID(), ...change.claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience(change.audience ?? AUDIENCE)
    .setIssuedAt(now - (change.ageS ?? 0))
    .setExpirationTime(now + (change.expiresInS ?? 60))
    .sign(new TextEncoder().encode(change.secret ?? TOKEN_SECRET));
}

onEveryHost({}, (world) => {
  async function refusedWith(
    code: string,
    token: string | null,
    origin: string | null = ORIGIN,
  ): Promise<void> {
    const { page, upstream } = world();
    const before = upstream.calls.length;
    const answer = await page.chat(BODY, { token, origin });
    expect([answer.status, codeOf(answer.text)]).toEqual([401, code]);
    expect(JSON.parse(answer.text).error).toMatchObject({ type: 'authentication_error', param: null });
    expect(upstream.calls.length, 'nothing reached the upstream').toBe(before);
  }

  it('mints a token that lives for a minute, for one origin, and says so', async () => {
    const answer = await world().page.send('/v1/token', { method: 'POST' });
    const { token, expires_in } = JSON.parse(answer.text);
    expect([answer.status, expires_in]).toEqual([200, 60]);
    const claims = decodeJwt(token);
    expect(claims).toMatchObject({ aud: AUDIENCE, origin: ORIGIN });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(60);
    expect(claims.jti).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('mints for no other origin, and none without an origin', async () => {
    for (const origin of [FOREIGN_ORIGIN, 'null', 'http://app.example', 'https://app.example:444', null]) {
      const answer = await world().page.send('/v1/token', { method: 'POST', origin });
      expect([origin, answer.status, codeOf(answer.text)]).toEqual([origin, 403, 'origin_not_allowed']);
    }
  });

  it('takes a token once', async () => {
    const { page, upstream } = world();
    const token = await page.token();
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    expect((await page.chat(BODY, { token })).status).toBe(200);
    await refusedWith('token_replayed', token);
  });

  it('takes a token once when it comes ten times at the same moment', async () => {
    const { page, upstream } = world();
    const token = await page.token();
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    const answers = await Promise.all(Array.from({ length: 10 }, () => page.chat(BODY, { token })));
    const statuses = answers.map((answer) => answer.status).sort();
    expect(statuses).toEqual([200, ...Array(9).fill(401)]);
  });

  it('counts a token as used also where the request was refused after it', async () => {
    const { page } = world();
    const token = await page.token();
    expect((await page.chat({ model: 'unknown' }, { token })).status).toBe(404);
    await refusedWith('token_replayed', token);
  });

  it('takes a token that was made as it should be', async () => {
    const { page, upstream } = world();
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    expect((await page.chat(BODY, { token: await forged() })).status).toBe(200);
  });

  it('refuses a token of another page', async () => {
    const { page } = world();
    await refusedWith('token_foreign', await page.token(), OTHER_ORIGIN);
    await refusedWith('token_foreign', await page.token(), FOREIGN_ORIGIN);
    await refusedWith('token_foreign', await page.token(), null);
    await refusedWith('token_foreign', await forged({ claims: { origin: FOREIGN_ORIGIN } }), FOREIGN_ORIGIN);
    // Unspent: the other page's attempt took nothing from its owner.
    const token = await new Page(world().host.port, OTHER_ORIGIN).token();
    await refusedWith('token_foreign', token, ORIGIN);
    world().upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    expect((await page.chat(BODY, { token, origin: OTHER_ORIGIN })).status).toBe(200);
  });

  it('refuses a token whose time is over, whatever it claims', async () => {
    await refusedWith('token_expired', await forged({ expiresInS: -1, ageS: 61 }));
    await refusedWith('token_expired', await forged({ expiresInS: 0 }));
    await refusedWith('token_expired', await forged({ expiresInS: 86_400, ageS: 62 }));
  });

  it('refuses a token made for something else', async () => {
    await refusedWith('token_audience', await forged({ audience: 'another' }));
  });

  it('refuses tokens that are forged, tampered with or none at all', async () => {
    const [header, payload, signature] = (await world().page.token()).split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString());
    const longer = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 600 })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const unsigned = new UnsecuredJWT({ origin: ORIGIN, jti: 'x' })
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('1m')
      .encode();
    for (const token of [
      `${header}.${longer}.${signature}`,
      `${header}.${payload}.${signature?.slice(0, -4)}AAAA`,
      `${none}.${payload}.${signature}`,
      `${none}.${payload}.`,
      unsigned,
      await forged({ secret: 'x'.repeat(32) }),
      await forged({ claims: { jti: undefined } }),
      await forged({ claims: { origin: undefined } }),
      await forged({ ageS: -3600 }),
      'sk-not-a-token',
      'a.b.c',
      'x'.repeat(8000),
    ]) {
      await refusedWith('token_invalid', token);
    }
    await refusedWith('token_missing', null);
  });
});
