import type { ErrorCode } from '../protocol/error-codes';
import type { FailureKind } from '../route/types';
import { LegError } from './leg';

/** Of an error's body, so much is read. */
const MAX_BODY_BYTES = 64 << 10;
/** An error's body may trickle; its status is what counts. */
const BODY_TIMEOUT_MS = 2_000;
const MAX_DETAIL_CHARS = 300;

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
  const said = readApiError(parseJson(await readText(response)));
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
 * An error object inside a stream, after the status was 200. A worker that had to begin its stream before the upstream
 * answered tells the upstream's `status` and `retry_after` there.
 */
export function streamFailure(error: unknown): LegError {
  const said = readApiError({ error });
  const status = typeof said.status === 'number' ? STATUSES[said.status] : undefined;
  const limited = said.code === 'rate_limit_exceeded' || said.kind === 'rate_limit_error';
  const mismatch = said.code === 'model_mismatch' ? MISMATCH : undefined;
  const [kind, code] = mismatch ??
    status ??
    (limited ? STATUSES[429] : undefined) ?? ['server_error', 'server_error'];
  const headers = new Headers(said.retryAfter === undefined ? {} : { 'retry-after': said.retryAfter });
  return new LegError(kind, code, 'The endpoint broke off its answer with an error. Try again.', {
    retryAfterMs: retryAfterMs(headers),
  });
}

/** Waiting time that a response asks for, in ms; understands seconds, dates and OpenAI's `retry-after-ms`. */
export function retryAfterMs(headers: Headers, now: () => number = Date.now): number | undefined {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const value = headers.get('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const until = Date.parse(value);
  if (Number.isNaN(until)) return undefined;
  // Against the server's own clock where it tells it: the device's may be off.
  const served = Date.parse(headers.get('date') ?? '');
  return Math.max(0, until - (Number.isNaN(served) ? now() : served));
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

/** `text` as JSON, or undefined. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface ApiErrorFields {
  message?: string;
  code?: string;
  kind?: string;
  status?: number;
  retryAfter?: string;
}

function readApiError(body: unknown): ApiErrorFields {
  const error = isRecord(body) ? body.error : undefined;
  if (!isRecord(error)) return {};
  const { message, code, type, status, retry_after } = error;
  return {
    ...(typeof message === 'string' && { message: message.slice(0, MAX_DETAIL_CHARS) }),
    ...(typeof code === 'string' && { code }),
    ...(typeof type === 'string' && { kind: type }),
    ...(typeof code === 'number' && { status: code }),
    ...(typeof status === 'number' && { status }),
    ...((typeof retry_after === 'string' || typeof retry_after === 'number') && {
      retryAfter: String(retry_after).replace(/[^\x20-\x7e]/g, ''),
    }),
  };
}

/** Whether `value` is an object with fields. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
