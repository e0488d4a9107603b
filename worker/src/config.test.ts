import { describe, expect, it } from 'vitest';
import { ConfigError, type Env, parseConfig } from './config';

const KEY = 'sk-0123456789';
const HOST = { heartbeatMs: 0, earlyStreamMs: 0 };
const UPSTREAM = { name: 'provider', base_url: 'https://api.example/v1/', key: 'THE_KEY', models: ['a'] };
const VALID: Env = {
  INSHORE_UPSTREAMS: JSON.stringify([UPSTREAM]),
  INSHORE_ORIGINS: '["https://app.example"]',
  INSHORE_TOKEN_SECRET: 'x'.repeat(32),
  THE_KEY: KEY,
};

function problemsOf(env: Env): string {
  try {
    parseConfig({ ...VALID, ...env }, HOST);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

const upstreams = (...list: object[]) => ({ INSHORE_UPSTREAMS: JSON.stringify(list) });
const changed = (fields: object) => upstreams({ ...UPSTREAM, ...fields });

describe('the configuration', () => {
  it('has a default for all that need not be said', () => {
    const config = parseConfig(VALID, { heartbeatMs: 40, earlyStreamMs: 50 });
    expect(config).toMatchObject({
      tokenTtlS: 60,
      maxTokens: 1024,
      maxBodyBytes: 262_144,
      heartbeatMs: 40,
      earlyStreamMs: 50,
      usedTokens: undefined,
    });
    const route = config.models.get('a');
    expect(route).toMatchObject({
      model: 'a',
      upstream: { baseUrl: 'https://api.example/v1', key: KEY, inshore: false, prefix: false },
    });
  });

  it('takes lists as JSON or separated by commas, and values that a host has parsed', () => {
    const parsed = parseConfig({ ...VALID, INSHORE_UPSTREAMS: [UPSTREAM], INSHORE_MAX_TOKENS: 7 }, HOST);
    expect([...parsed.models.keys(), parsed.maxTokens]).toEqual(['a', 7]);
    const listed = parseConfig(
      { ...VALID, INSHORE_ORIGINS: 'https://a.example, http://localhost:5173' },
      HOST,
    );
    expect([...listed.origins]).toEqual(['https://a.example', 'http://localhost:5173']);
  });

  it.each([
    [{ INSHORE_UPSTREAMS: undefined }, 'INSHORE_UPSTREAMS: write a JSON array'],
    [{ INSHORE_UPSTREAMS: '{' }, 'INSHORE_UPSTREAMS: this is not JSON'],
    [upstreams(), 'with at least one upstream'],
    [changed({ base_url: 'ftp://x/v1' }), 'provider: base_url is the address'],
    [changed({ base_url: 'https://user:pw@x/v1' }), 'base_url is the address'],
    [changed({ base_url: 'https://x/v1?key=1' }), 'base_url is the address'],
    [changed({ models: [] }), 'models names what it serves'],
    [changed({ models: { a: 7 } }), 'models names what it serves'],
    [changed({ key: 'MISSING_KEY' }), 'the binding MISSING_KEY holds no key'],
    [changed({ key: KEY }), 'key is the name of the binding'],
    [{ THE_KEY: 'short' }, 'the binding THE_KEY holds no key'],
    [changed({ base_url: 'http://api.example/v1' }), 'in the clear'],
    [changed({ inshore: 'yes' }), 'inshore is true or false'],
    [changed({ max_tokens_field: 'tokens' }), 'max_tokens_field is'],
    [changed({ apiKey: KEY }), 'there is no field `apiKey`'],
    [upstreams(UPSTREAM, { ...UPSTREAM, name: 'second' }), 'provider and second both serve `a`'],
    [{ INSHORE_ORIGINS: undefined }, 'INSHORE_ORIGINS: name at least one'],
    [{ INSHORE_ORIGINS: '*' }, '`*` is not an origin'],
    [{ INSHORE_ORIGINS: 'null' }, '`null` is not an origin'],
    [{ INSHORE_ORIGINS: 'https://a.example/' }, 'without a slash at the end'],
    [{ INSHORE_TOKEN_SECRET: 'x'.repeat(31) }, 'INSHORE_TOKEN_SECRET: set a secret'],
    [{ INSHORE_MAX_TOKENS: '1e9' }, 'INSHORE_MAX_TOKENS: write a whole number'],
    [{ INSHORE_TOKEN_TTL_S: '0' }, 'INSHORE_TOKEN_TTL_S: write a whole number'],
    [{ INSHORE_CLIENT_IP_HEADER: 'a b' }, 'INSHORE_CLIENT_IP_HEADER: write the name'],
    [{ USED_TOKENS: { get() {}, put() {} } }, 'USED_TOKENS: bind the Durable Object'],
  ] as [Env, string][])('says what is wrong: %#', (env, problem) => {
    const problems = problemsOf(env);
    expect(problems).toContain(problem);
    expect(problems).not.toContain(KEY);
  });

  it('takes a key over plain HTTP on this machine, or where the operator says so', () => {
    expect(problemsOf(changed({ base_url: 'http://localhost:8040/v1' }))).toBe('');
    expect(problemsOf(changed({ base_url: 'http://box.lan/v1', plain_http: true }))).toBe('');
  });

  it('names everything that is wrong at once', () => {
    expect(problemsOf({ INSHORE_ORIGINS: '*', INSHORE_TOKEN_SECRET: '' }).split('\n')).toHaveLength(3);
  });
});
