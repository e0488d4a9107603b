import { afterEach, describe, expect, it } from 'vitest';
import { HOSTS, type RunningHost, start, startAndFail } from './hosts';
import { codeOf, Page } from './page';
import { ScriptedUpstream } from './scripted_upstream';
import { FOREIGN_ORIGIN, KEY, ORIGIN, TOKEN_SECRET, variables } from './world';

const MISSING_SECRET = { ...variables(9), INSHORE_TOKEN_SECRET: 'short' };
const MISPLACED_KEY = {
  ...variables(9),
  INSHORE_UPSTREAMS: JSON.stringify([{ base_url: 'http://127.0.0.1/v1', api_key: KEY, models: ['a'] }]),
};

describe('a wrong configuration', () => {
  it('ends a Node process with all that is wrong, and without a secret', async () => {
    const { code, output } = await startAndFail(MISSING_SECRET);
    expect(code).toBe(1);
    expect(output).toContain('INSHORE_TOKEN_SECRET: set a secret of at least 32 random bytes');
    const misplaced = await startAndFail(MISPLACED_KEY);
    expect(misplaced.output).toContain('there is no field `api_key`');
    expect(misplaced.output).not.toContain(KEY);
  });

  it('makes workerd refuse everything, and tells its log why', async () => {
    const host = await start('workerd', MISSING_SECRET);
    try {
      const answer = await new Page(host.port, ORIGIN).send('/health');
      expect([answer.status, codeOf(answer.text)]).toEqual([500, 'worker_misconfigured']);
      expect(answer.text).not.toContain('SECRET');
      await host.printed('INSHORE_TOKEN_SECRET: set a secret');
    } finally {
      await host.stop();
    }
  });
});

describe.each(HOSTS)('the brake on minting, on %s', (name) => {
  let host: RunningHost | undefined;
  afterEach(() => host?.stop());

  it('counts by the address that a trusted proxy names', async () => {
    const upstream = await ScriptedUpstream.start();
    host = await start(name, {
      ...variables(upstream.port),
      INSHORE_MINTS_PER_MINUTE: '2',
      INSHORE_CLIENT_IP_HEADER: 'X-Real-IP',
    });
    await upstream.stop();
    const page = new Page(host.port, ORIGIN);
    const mint = (address: string) =>
      page.send('/v1/token', { method: 'POST', headers: { 'x-real-ip': address } });
    expect((await mint('192.0.2.1')).status).toBe(200);
    // A refused origin counts too: it is no way to try for free.
    const foreign = { method: 'POST', origin: FOREIGN_ORIGIN, headers: { 'x-real-ip': '192.0.2.1' } };
    expect((await page.send('/v1/token', foreign)).status).toBe(403);
    const third = await mint('192.0.2.1');
    expect([third.status, codeOf(third.text)]).toEqual([429, 'rate_limited']);
    expect(Number(third.headers['retry-after'])).toBeGreaterThan(0);
    expect((await mint('192.0.2.2')).status).toBe(200);
    expect(page.received).not.toContain(TOKEN_SECRET);
  });
});

describe('the address of a client', () => {
  it('is that of its socket on Node', async () => {
    const host = await start('node', { ...variables(9), INSHORE_MINTS_PER_MINUTE: '1' });
    try {
      const page = new Page(host.port, ORIGIN);
      const statuses: number[] = [];
      for (const address of ['192.0.2.1', '192.0.2.2']) {
        const headers = { 'x-real-ip': address, 'x-forwarded-for': address };
        statuses.push((await page.send('/v1/token', { method: 'POST', headers })).status);
      }
      expect(statuses).toEqual([200, 429]);
    } finally {
      await host.stop();
    }
  });
});
