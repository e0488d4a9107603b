import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOSTS, type HostName, type RunningHost, start } from './hosts';
import { Page } from './page';
import { ScriptedUpstream } from './scripted_upstream';

export const ORIGIN = 'https://app.example';
export const OTHER_ORIGIN = 'https://second.example';
export const FOREIGN_ORIGIN = 'https://app.example.evil.test';
/** What must never be seen outside: the keys, and what signs tokens. */
export const KEY = 'sk-provider-8d1f0c55e7a94b0f';
export const HOST_KEY = 'sk-host-4c9b02aa6d1e4f77';
export const TOKEN_SECRET = 'token-secret-3b8e7d6c5a49f8e7d6c5b4a3928170ff';
/** What must never be in a log. Tests put them into prompts and answers. */
export const PROMPT_MARK = 'PROMPT-MARK-71c3';
export const ANSWER_MARK = 'ANSWER-MARK-5fd0';
/** A header that the scripted upstream sends. */
const UPSTREAM_MARK = 'UPSTREAM-HEADER';

/** A worker, the upstream behind it and the page before it. */
export interface World {
  host: RunningHost;
  upstream: ScriptedUpstream;
  page: Page;
}

/** A message that holds the mark. */
export const MESSAGES = [{ role: 'user', content: `What is a shore? ${PROMPT_MARK}` }];

/** The worker's variables before an upstream on this port: a provider with `small`, and a host of ours with `shore`. */
export function variables(upstreamPort: number): Record<string, string> {
  const base = `http://127.0.0.1:${upstreamPort}`;
  return {
    INSHORE_UPSTREAMS: JSON.stringify([
      {
        name: 'provider',
        base_url: `${base}/provider/v1`,
        key: 'UPSTREAM_KEY',
        models: { small: 'upstream-small' },
      },
      {
        name: 'our-host',
        base_url: `${base}/host/v1/`,
        key: 'HOST_KEY',
        models: ['shore'],
        inshore: true,
        prefix: true,
      },
    ]),
    INSHORE_ORIGINS: `${ORIGIN}, ${OTHER_ORIGIN}`,
    INSHORE_TOKEN_SECRET: TOKEN_SECRET,
    INSHORE_MAX_TOKENS: '100',
    INSHORE_MAX_BODY_BYTES: '65536',
    INSHORE_MINTS_PER_MINUTE: '0',
    UPSTREAM_KEY: KEY,
    HOST_KEY,
  };
}

/**
 * Runs the same tests on every host, each with a worker of its own. The last test scans everything that the page has
 * received and everything that was logged.
 */
export function onEveryHost(
  extra: Record<string, string>,
  define: (world: () => World, name: HostName) => void,
): void {
  describe.each(HOSTS)('on %s', (name) => {
    let world: World | undefined;
    const get = (): World => {
      if (world === undefined) throw new Error('the world is not up');
      return world;
    };

    beforeAll(async () => {
      const upstream = await ScriptedUpstream.start();
      const host = await start(name, { ...variables(upstream.port), ...extra });
      world = { host, upstream, page: new Page(host.port, ORIGIN) };
    });

    afterAll(async () => {
      await world?.host.stop();
      await world?.upstream.stop();
    });

    define(get, name);

    it('shows the page no secret and logs no text', () => {
      const { page, host, upstream } = get();
      expect(page.received).not.toBe('');
      const hidden = [KEY, HOST_KEY, TOKEN_SECRET, UPSTREAM_MARK, `127.0.0.1:${upstream.port}`];
      for (const secret of hidden) expect(page.received).not.toContain(secret);
      for (const secret of [...hidden, PROMPT_MARK, ANSWER_MARK]) expect(host.output()).not.toContain(secret);
    });
  });
}
