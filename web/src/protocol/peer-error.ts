import type { PeerError } from './stream-error';
import { isEmpty, isRecord } from './values';

const MAX_MESSAGE_CHARS = 300;

/** Finds the error in an event or a body, in any shape that servers use; returns undefined if there is none. */
export function findPeerError(body: unknown): PeerError | undefined {
  if (Array.isArray(body)) return firstOf(body);
  if (!isRecord(body)) return undefined;
  // Groq reports errors within a stream in its own object.
  const vendor = isRecord(body.x_groq) ? body.x_groq.error : undefined;
  for (const error of [body.error, vendor]) if (!isAbsent(error)) return readPeerError(error);
  if (Array.isArray(body.errors) && body.errors.length > 0) return readPeerError(body.errors[0]);
  if (Array.isArray(body.choices)) return undefined;
  if (body.object === 'error' || body.type === 'error' || body.status === 'error' || body.success === false)
    return readPeerError(body);
  if (!isEmpty(body.detail)) return readPeerError({ ...body, message: textOf(body.detail) });
  const isMessage = typeof body.message === 'string' && body.message !== '';
  return isMessage ? readPeerError(body) : undefined;
}

/** Reads an error that is an object or a text. */
function readPeerError(error: unknown): PeerError {
  if (!isRecord(error)) return { message: textOf(error) };
  const nested = isRecord(error.error) ? error.error : {};
  const { message, code, type, status, status_code, retry_after } = { ...error, ...nested };
  const known: PeerError = {};
  if (typeof message === 'string') known.message = message.slice(0, MAX_MESSAGE_CHARS);
  if (typeof code === 'string') known.code = code;
  if (typeof type === 'string') known.kind = type;
  const number = [status, status_code, code].find(isStatus);
  if (number !== undefined) known.status = Number(number);
  if (typeof retry_after === 'string' || typeof retry_after === 'number')
    known.retryAfter = String(retry_after).replace(/[^\x20-\x7e]/g, '');
  return known;
}

/** HTTP status for the codes and types of errors. */
const CODE_STATUSES: ReadonlyMap<string | undefined, number> = new Map([
  ['rate_limit_exceeded', 429],
  ['rate_limit_error', 429],
  ['resource_exhausted', 429],
  ['too_many_requests', 429],
  ['insufficient_quota', 402],
  ['billing_error', 402],
  ['authentication_error', 401],
  ['invalid_api_key', 401],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['model_not_found', 404],
  ['request_too_large', 413],
  ['context_length_exceeded', 400],
  ['invalid_request_error', 400],
]);

/** Returns the HTTP status that fits an error in a stream. */
export function peerStatus({ status, code, kind }: PeerError): number | undefined {
  const byCode = CODE_STATUSES.get(code?.toLowerCase());
  // Some providers use 429 for an empty account too.
  if (byCode === 402) return byCode;
  return status ?? byCode ?? CODE_STATUSES.get(kind?.toLowerCase());
}

/** `error: null` and `error: false` mean that there is no error; `error: {}` is an error. */
const isAbsent = (error: unknown): boolean =>
  error === undefined || error === null || error === false || error === '';

const isStatus = (value: unknown): boolean => /^[45]\d\d$/.test(String(value));

function firstOf(list: unknown[]): PeerError | undefined {
  for (const item of list) {
    const error = findPeerError(item);
    if (error !== undefined) return error;
  }
  return undefined;
}

const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).slice(0, MAX_MESSAGE_CHARS);
