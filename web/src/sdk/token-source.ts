import { isRecord, parseShallowJson } from '../protocol/values';
import { httpFailure, readText } from './http-failure';
import { LegError } from './leg';

/** Gives a fresh bearer token for one request. */
export type TokenSource = (signal: AbortSignal) => Promise<string | undefined>;

const MAX_TOKEN_CHARS = 8 << 10;

/**
 * The token source of `cloud.token`: nothing, a function, or the address of a token route, which is POSTed to and
 * answers `{ token, expires_in }`. Tokens are used once and kept nowhere.
 */
export function tokenSource(
  token: string | (() => Promise<string> | string) | undefined,
  fetcher: typeof fetch,
): TokenSource {
  if (token === undefined) return async () => undefined;
  if (typeof token === 'function') return (signal) => fromFunction(token, signal);
  return (signal) => fromRoute(token, fetcher, signal);
}

async function fromFunction(token: () => Promise<string> | string, signal: AbortSignal): Promise<string> {
  // The function knows nothing of the signal; an abort must not wait for it.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  let value: string;
  try {
    value = await Promise.race([Promise.resolve().then(token), aborted]);
  } catch (cause) {
    throw new LegError(
      'unauthorised',
      'unauthorised',
      'The function `cloud.token` gave no token: it threw.',
      {
        cause,
      },
    );
  }
  return checked(value);
}

async function fromRoute(url: string, fetcher: typeof fetch, signal: AbortSignal): Promise<string> {
  let response: Response;
  try {
    response = await fetcher(url, {
      method: 'POST',
      signal,
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
      headers: { Accept: 'application/json' },
    });
  } catch (cause) {
    throw new LegError(
      'network',
      'network',
      'The token route cannot be reached. Check `cloud.token`, the connection and the CORS rules.',
      { cause },
    );
  }
  if (!response.ok) throw await httpFailure(response, 'The token route');
  const body = parseShallowJson(await readText(response));
  return checked(isRecord(body) ? body.token : undefined);
}

function checked(token: unknown): string {
  // What cannot stand in a header must not get there.
  if (typeof token === 'string' && token.length <= MAX_TOKEN_CHARS && /^[\x21-\x7e]+$/.test(token))
    return token;
  throw new LegError(
    'unauthorised',
    'unauthorised',
    'The token source gave no usable token. It must give a non-empty text without spaces, or `{ "token": … }`.',
  );
}
