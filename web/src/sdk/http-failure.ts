import type { ErrorCode } from '../protocol/error-codes';
import { findPeerError, peerStatus } from '../protocol/peer-error';
import { parseRetryAfter, retryAfterMs } from '../protocol/retry-after';
import type { ChatStreamError, PeerError } from '../protocol/stream-error';
import { parseShallowJson } from '../protocol/values';
import type { FailureKind } from '../route/types';
import { LegError } from './leg';

/** Bytes of an error's body that are read. */
const MAX_BODY_BYTES = 64 << 10;
/** Longest wait for an error's body; the status alone is enough. */
const BODY_TIMEOUT_MS = 2_000;

/** What a failure means for the policy, and what to do about it. */
type Meaning = [kind: FailureKind, code: ErrorCode, advice: string];

const STATUSES: Record<number, Meaning> = {
  400: ['refused', 'refused', 'Correct the request.'],
  401: ['unauthorised', 'unauthorised', 'Check the token that `cloud.token` gives.'],
  402: ['payment', 'payment', 'The account behind the endpoint has no credit left.'],
  403: ['unauthorised', 'unauthorised', 'The token does not allow this model or this page.'],
  404: ['not_found', 'not_found', 'Check `cloud.baseURL` (with its `/v1`) and `cloud.model`.'],
  408: ['server_error', 'server_error', 'Try again.'],
  409: ['refused', 'refused', 'Correct the request.'],
  413: ['refused', 'body_too_large', 'Send a shorter conversation.'],
  422: ['refused', 'unsupported_feature', 'The endpoint does not support a field of the request.'],
  429: ['rate_limited', 'rate_limited', 'Wait, or ask for a higher limit.'],
};

/** Converts an error response to a failed leg. Reads the start of its body for the endpoint's own message. */
export async function httpFailure(response: Response, who = 'The endpoint'): Promise<LegError> {
  const { status } = response;
  const said: PeerError = findPeerError(parseShallowJson(await readText(response))) ?? {};
  const [kind, code, advice] = meaningOf({ ...said, status });
  const detail = kind === 'refused' && said.message !== undefined ? ` (${said.message})` : '';
  return new LegError(kind, code, `${who} answered with status ${status}${detail}. ${advice}`, {
    retryAfterMs: retryAfterMs(response.headers),
  });
}

function meaningOf(said: PeerError): Meaning {
  if (said.code === 'model_mismatch') return MISMATCH;
  const status = peerStatus(said) ?? 500;
  return STATUSES[status] ?? unlisted(status);
}

function unlisted(status: number): Meaning {
  if (status >= 500) return ['server_error', 'server_error', 'Try again later.'];
  if (status >= 400) return ['refused', 'refused', 'Correct the request.'];
  return ['protocol', 'protocol', 'It should have been 200 with a stream; check its address.'];
}

const MISMATCH: Meaning = ['model_mismatch', 'model_mismatch', 'Serve the model that the page loads.'];

/**
 * Converts an error that came inside a stream, after status 200. A worker that began its stream before the upstream
 * answered puts the upstream's `status` and `retry_after` there.
 */
export function streamFailure({ message, said }: ChatStreamError): LegError {
  const [kind, code, advice] = meaningOf(said);
  const retryAfterMs = parseRetryAfter(said.retryAfter, Date.now());
  return new LegError(kind, code, `${message} ${advice}`, { retryAfterMs });
}

/** Returns up to `maxBytes` of a body as text, and stops after {@link BODY_TIMEOUT_MS}. */
export async function readText(response: Response, maxBytes = MAX_BODY_BYTES): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const timer = setTimeout(() => reader.cancel().catch(() => {}), BODY_TIMEOUT_MS);
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (let bytes = 0; bytes < maxBytes; ) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // The connection broke; the text read so far is returned.
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
  return text.slice(0, maxBytes);
}
