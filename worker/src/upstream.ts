import type { ErrorCode } from '../../web/src/protocol/error-codes';
import { isEventStream } from '../../web/src/protocol/event-stream';
import { findPeerError, peerStatus } from '../../web/src/protocol/peer-error';
import { forwardRetryAfter } from '../../web/src/protocol/retry-after';
import type { PeerError } from '../../web/src/protocol/stream-error';
import { parseShallowJson } from '../../web/src/protocol/values';
import type { AdmittedRequest } from './admission';
import { failed } from './answer_watch';
import type { Config } from './config';
import { ApiError, rowOf, type StatusAndCode } from './errors';
import { QUIET, settled } from './quiet';
import { timeout, UpstreamBody } from './upstream_body';
import type { Upstream } from './upstream_config';

/** Bytes of an upstream's refusal that are read, to find its code. */
const MAX_REFUSAL_BYTES = 16 * 1024;
/** Codes that tell the page what to do. No other text of an upstream's refusal is passed on. */
const PASSED_CODES: readonly ErrorCode[] = [
  'context_length_exceeded',
  'insufficient_quota',
  'invalid_value',
  'model_mismatch',
  'unsupported_feature',
];
/** Statuses whose code may say more. */
const STATUSES_WITH_CODE = new Set([400, 409, 422, 429]);

/** The part of the configuration that {@link callUpstream} needs. */
type Timeouts = Pick<Config, 'firstByteTimeoutMs' | 'idleTimeoutMs'>;

/**
 * Sends a request upstream and waits for a good status. Only headers named here go out, and the key only to its own
 * address: redirects are not followed.
 *
 * @returns the answer's body, which is still to be read
 * @throws {ApiError} `upstream_timeout`, `upstream_unreachable`, `upstream_garbage`, or what {@link refusalOf} makes of the
 *   status
 */
export async function callUpstream(
  request: AdmittedRequest,
  timeouts: Timeouts,
  requestId: string,
  abort: AbortController,
): Promise<UpstreamBody> {
  const { upstream } = request.route;
  let response: Response | typeof QUIET;
  try {
    const call = fetch(`${upstream.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: headersFor(upstream, request.stream, requestId),
      body: request.body,
      redirect: 'manual',
      signal: abort.signal,
    });
    response = await settled(call, timeouts.firstByteTimeoutMs);
  } catch {
    // The exception is dropped because it names the upstream's address.
    throw new ApiError(502, 'upstream_unreachable', 'The model behind this worker cannot be reached.');
  }
  if (response === QUIET) {
    abort.abort();
    throw timeout('did not answer in time');
  }
  const body = new UpstreamBody(response, timeouts.idleTimeoutMs, abort);
  if (response.status !== 200) throw await refusalOf(response, body);
  if (isWanted(response.headers.get('content-type'), request.stream)) return body;
  throw await otherForm(response, body);
}

/** Without a type the body decides: anything but an answer lacks a finish reason and is refused later. */
function isWanted(type: string | null, stream: boolean): boolean {
  if (type === null) return true;
  return stream ? isEventStream(type) : isJson(type);
}

const isJson = (type: string | null): boolean =>
  /^\s*application\/([\w.-]+\+)?json\s*(;|$)/i.test(type ?? '');

/** Returns the error for a 200 of another form, such as an HTML page, or an error as JSON instead of a stream. */
async function otherForm(response: Response, body: UpstreamBody): Promise<ApiError> {
  const text = isJson(response.headers.get('content-type')) ? await body.text(MAX_REFUSAL_BYTES) : '';
  body.drop();
  const said = findPeerError(parseShallowJson(text));
  if (said !== undefined) return failed(said);
  return new ApiError(
    502,
    'upstream_garbage',
    'The model answered in a form that is not part of this protocol.',
  );
}

const mediaType = (stream: boolean): string => (stream ? 'text/event-stream' : 'application/json');

function headersFor(upstream: Upstream, stream: boolean, requestId: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: mediaType(stream),
    // Compression would hold back events.
    'accept-encoding': 'identity',
    'user-agent': 'inshore-worker',
    'x-request-id': requestId,
    ...(upstream.key === undefined ? {} : { authorization: `Bearer ${upstream.key}` }),
  };
}

/** Returns the upstream's refusal in our own words. */
async function refusalOf(response: Response, body: UpstreamBody): Promise<ApiError> {
  const { status } = response;
  const said = STATUSES_WITH_CODE.has(status) ? await errorIn(body) : {};
  const code = PASSED_CODES.find((passed) => passed === said.code);
  body.drop();
  const retryAfter = forwardRetryAfter(response.headers);
  const refusal = (row: StatusAndCode, message: string) =>
    new UpstreamRefusal(row, message, { retryAfter }, status);
  const quota = () =>
    refusal([402, 'upstream_quota'], "The operator's account at the model's endpoint is used up.");
  switch (status) {
    case 400:
    case 409:
    case 422:
      return refusal(
        code === undefined ? [status, 'upstream_rejected'] : rowOf(code),
        'The model refused this request.',
      );
    case 401:
    case 403:
      return refusal(
        [502, 'upstream_auth'],
        "The model's endpoint does not accept this worker; tell its operator.",
      );
    case 402:
      return quota();
    case 404:
      return refusal(
        [404, 'upstream_model_missing'],
        "The model's endpoint does not know the model; tell the operator.",
      );
    case 413:
      return refusal([413, 'upstream_rejected'], 'The request is too large for the model.');
    case 429:
      // Some providers use 429 for an empty account too; waiting does not help there.
      if (peerStatus({ ...said, status }) === 402) return quota();
      return refusal([429, 'upstream_rate_limited'], 'The model has too much to do; try again later.');
    case 503:
      return refusal([503, 'upstream_unavailable'], 'The model is not available right now; try again later.');
    default:
      return refusal([502, 'upstream_error'], 'The model failed at this request.');
  }
}

/** A refusal, with the upstream's status for the log. */
export class UpstreamRefusal extends ApiError {
  constructor(
    row: StatusAndCode,
    message: string,
    details: ApiError['details'],
    readonly upstreamStatus: number,
  ) {
    super(...row, message, details);
  }
}

/** Reads the error in a refusal's body; empty where there is none. */
async function errorIn(body: UpstreamBody): Promise<PeerError> {
  try {
    return findPeerError(parseShallowJson(await body.text(MAX_REFUSAL_BYTES))) ?? {};
  } catch {
    return {};
  }
}
