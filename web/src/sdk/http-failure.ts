import type { ErrorCode } from '../protocol/error-codes';
import { findPeerError, peerStatus } from '../protocol/peer-error';
import { parseRetryAfter, retryAfterMs } from '../protocol/retry-after';
import type { ChatStreamError, PeerError } from '../protocol/stream-error';
import { parseShallowJson } from '../protocol/values';
import type { FailureKind } from '../route/types';
import { LegError } from './leg';

/** Of an error's body, so much is read. */
const MAX_BODY_BYTES = 64 << 10;
/** An error's body may trickle; its status is what counts. */
const BODY_TIMEOUT_MS = 2_000;

/** What a status means for the policy, and what to do about it. */
const STATUSES: Record<number, [kind: FailureKind, code: ErrorCode, advice: string]> = {
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

/** A response that is no answer, as a failed leg. Reads a bounded piece of its body for the endpoint's own words. */
export async function httpFailure(response: Response, who = 'The endpoint'): Promise<LegError> {
  const { status } = response;
  const said = bodyError(await readText(response));
  let [kind, code, advice] = STATUSES[status] ?? unlisted(status);
  if (said.code === 'model_mismatch') [kind, code, advice] = MISMATCH;
  // Some providers use 429 for an empty account too.
  if (said.code === 'insufficient_quota') [kind, code, advice] = STATUSES[402] ?? [kind, code, advice];
  const detail = kind === 'refused' && said.message !== undefined ? ` (${said.message})` : '';
  return new LegError(kind, code, `${who} answered with status ${status}${detail}. ${advice}`, {
    retryAfterMs: retryAfterMs(response.headers),
  });
}

function unlisted(status: number): [FailureKind, ErrorCode, string] {
  if (status >= 500) return ['server_error', 'server_error', 'Try again later.'];
  if (status >= 400) return ['refused', 'refused', 'Correct the request.'];
  return ['protocol', 'protocol', 'It should have been 200 with a stream; check its address.'];
}

const MISMATCH: [FailureKind, ErrorCode, string] = [
  'model_mismatch',
  'model_mismatch',
  'Serve the model that the page loads.',
];

/**
 * An error that came inside a stream, after the status was 200. A worker that had to begin its stream before the upstream
 * answered tells the upstream's `status` and `retry_after` there.
 */
export function streamFailure({ message, said }: ChatStreamError): LegError {
  const status = peerStatus(said);
  const listed = status === undefined ? undefined : (STATUSES[status] ?? unlisted(status));
  const [kind, code, advice] = said.code === 'model_mismatch' ? MISMATCH : (listed ?? unlisted(500));
  const retryAfterMs = parseRetryAfter(said.retryAfter, Date.now());
  return new LegError(kind, code, `${message} ${advice}`, { retryAfterMs });
}

/** Up to `maxBytes` of a body as text; what comes later or too slowly is left. */
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
    // The connection broke; what was read has to do.
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
  return text.slice(0, maxBytes);
}

/** The error in a response's body, where there is one. */
export const bodyError = (text: string): PeerError => findPeerError(parseShallowJson(text)) ?? {};
