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
    headers['access-control-expose-headers'] = 'retry-after, x-request-id, x-should-retry';
  }
  return headers;
}

/** What a preflight of an allowed origin is told besides. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'authorization, content-type',
  'access-control-max-age': PREFLIGHT_MAX_AGE_S,
};
