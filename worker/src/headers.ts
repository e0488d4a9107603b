/** On every answer: nothing is cached, sniffed, framed or embedded. */
const ALWAYS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // Caches must not show one origin what was said to another.
  vary: 'Origin',
};

/** Response headers that pages and OpenAI's client may read. */
const EXPOSED = 'retry-after, retry-after-ms, x-request-id, x-should-retry';

/** How long a browser may remember the answer to a preflight. */
const PREFLIGHT_MAX_AGE_S = '600';

/**
 * The headers of an answer to a page of `origin`. An allowed origin is echoed, exactly; any other gets no permission. There
 * is no permission for cookies: nothing here reads them.
 */
export function answerHeaders(
  origin: string | null,
  allowed: ReadonlySet<string>,
  requestId: string,
): Record<string, string> {
  const headers: Record<string, string> = { ...ALWAYS, 'x-request-id': requestId };
  if (origin !== null && allowed.has(origin)) {
    headers['access-control-allow-origin'] = origin;
    headers['access-control-expose-headers'] = EXPOSED;
  }
  return headers;
}

/** Headers that every page may send. */
const ALWAYS_ALLOWED = ['authorization', 'content-type'];
/** Most headers that a preflight may ask for. */
const MAX_ASKED = 64;

/**
 * Returns the preflight headers for an allowed origin. The origin may send every header that it asks for: OpenAI's client
 * sends `x-stainless-…`, and a page sends its `cloud.headers`. The worker neither reads them nor sends them upstream.
 */
export function preflightHeaders(asked: string | null): Record<string, string> {
  const names = (asked ?? '').toLowerCase().split(',', MAX_ASKED);
  const known = names.map((name) => name.trim()).filter((name) => /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name));
  return {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': [...new Set([...ALWAYS_ALLOWED, ...known])].join(', '),
    'access-control-max-age': PREFLIGHT_MAX_AGE_S,
    vary: 'Origin, Access-Control-Request-Headers',
  };
}
