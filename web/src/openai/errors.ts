import { InshoreError } from '../error';

/** The body of every refusal, as OpenAI writes it. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}

/** A failure as HTTP tells it. */
export interface HttpError {
  status: number;
  body: ErrorBody;
  /** `retry-after` and `x-should-retry` where they apply. */
  headers: Record<string, string>;
}

/** A request that is refused before anything runs. `param` names the field, in OpenAI's notation. */
export class InvalidRequestError extends InshoreError {
  readonly param: string | null;

  constructor(code: string, param: string | null, message: string) {
    super(code, message);
    this.param = param;
  }
}

type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'insufficient_quota'
  | 'rate_limit_error'
  | 'server_error';

interface Row {
  status: number;
  type: ErrorType;
  /** What the same request would meet at once again. Unset: the client's own rule for the status holds. */
  retry?: boolean;
  /** Where programs know the failure under OpenAI's name. */
  code?: string;
}

const row = (status: number, type: ErrorType, retry?: boolean): Row =>
  retry === undefined ? { status, type } : { status, type, retry };
const CALLER: Row = row(400, 'invalid_request_error');
const TOO_LONG: Row = { ...CALLER, code: 'context_length_exceeded' };
const DENIED = row(403, 'permission_error');
const NO_WAY = row(503, 'server_error', false);
const PASSING = row(503, 'server_error');
const UPSTREAM = row(502, 'server_error');

/** Codes of {@link InshoreError}, and kinds of failed legs, that have a status of their own; all others are 500. */
const ROWS: ReadonlyMap<string, Row> = new Map(
  Object.entries({
    // The request itself.
    invalid_body: CALLER,
    invalid_value: CALLER,
    unsupported_value: CALLER,
    refused: CALLER,
    bad_request: CALLER,
    empty_prompt: CALLER,
    unknown_token: CALLER,
    invalid_sampling: CALLER,
    no_template: CALLER,
    prompt_too_long: TOO_LONG,
    context_too_long: TOO_LONG,
    context_length_exceeded: TOO_LONG,
    not_found: row(404, 'invalid_request_error'),
    model_not_found: row(404, 'invalid_request_error'),
    wrong_method: row(405, 'invalid_request_error'),
    body_too_large: row(413, 'invalid_request_error'),
    unsupported_feature: row(422, 'invalid_request_error'),
    unsupported: row(422, 'invalid_request_error'),
    cancelled: row(499, 'invalid_request_error', false),
    // What the caller's rules forbid.
    denied: DENIED,
    private: DENIED,
    cloud_disabled: DENIED,
    mode_on_device: DENIED,
    budget_spent: row(429, 'insufficient_quota', false),
    deadline: row(504, 'server_error', false),
    // The device.
    busy: row(503, 'server_error', true),
    loading: row(503, 'server_error', true),
    not_downloaded: NO_WAY,
    unsupported_device: NO_WAY,
    memory_too_small: NO_WAY,
    no_endpoint: NO_WAY,
    closed: NO_WAY,
    destroyed: NO_WAY,
    offline: PASSING,
    out_of_memory: PASSING,
    worker_crashed: PASSING,
    device_lost: PASSING,
    stalled: PASSING,
    local_failed: PASSING,
    local_breaker_open: PASSING,
    cloud_breaker_open: PASSING,
    // The endpoint.
    forbidden: DENIED,
    unauthorised: row(401, 'authentication_error'),
    payment: row(402, 'insufficient_quota'),
    payment_required: row(402, 'insufficient_quota'),
    rate_limited: row(429, 'rate_limit_error'),
    retry_after: row(429, 'rate_limit_error'),
    model_mismatch: row(409, 'invalid_request_error', false),
    server_error: UPSTREAM,
    network: UPSTREAM,
    protocol: UPSTREAM,
    cloud_failed: UPSTREAM,
    handover_spent: UPSTREAM,
    answer_replaced: row(502, 'server_error', false),
  }),
);
const UNKNOWN = row(500, 'server_error', false);
const rest = (code: string): Row => (code.startsWith('template') ? CALLER : UNKNOWN);

/** What errors carry beside code and message. */
interface Details {
  kind?: string | undefined;
  param?: string | null;
  retryAfterMs?: number | undefined;
}

/** How HTTP tells this failure. Whatever is no {@link InshoreError} is `internal`. */
export function toHttpError(thrown: unknown): HttpError {
  const error = InshoreError.from(thrown);
  // A failed leg also says its kind, which covers codes of its own (`bad_stream` …); it may be the cause of the error.
  const cause: Details = InshoreError.is(error.cause) ? (error.cause as Details) : {};
  const { kind = cause.kind, param, retryAfterMs = cause.retryAfterMs } = error as Details;
  const found = ROWS.get(error.code) ?? ROWS.get(kind ?? '') ?? rest(error.code);
  const headers: Record<string, string> = {};
  if (found.retry !== undefined) headers['x-should-retry'] = String(found.retry);
  if (retryAfterMs !== undefined && retryAfterMs >= 0)
    headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000));
  return {
    status: found.status,
    body: {
      error: {
        message: error.message,
        type: found.type,
        param: param ?? null,
        code: found.code ?? error.code,
      },
    },
    headers,
  };
}

/** Whether the caller ended it. */
export const isCancelled = (error: unknown): boolean => InshoreError.is(error) && error.code === 'cancelled';
