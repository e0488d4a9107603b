import { InshoreError } from '../error';
import { ERROR_CODES, type ErrorCode, type ErrorRow, errorRow, isErrorCode } from '../protocol/error-codes';
import { RequestRefusal } from '../protocol/request-fields';
import type { FailureKind } from '../route/types';

/** The body of every refusal, as OpenAI writes it. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}

/** A failure as HTTP tells it. */
export interface HttpError {
  status: number;
  body: ErrorBody;
  /** `x-should-retry`, and `retry-after` where it is known. */
  headers: Record<string, string>;
}

/** A request that is refused before anything runs. `param` names the field, in OpenAI's notation. */
export class InvalidRequestError extends InshoreError {
  readonly param: string | null;

  constructor(code: ErrorCode, param: string | null, message: string) {
    super(code, message);
    this.param = param;
  }
}

/** Runs a check, and converts its refusals to errors of the SDK. */
export function refusing<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof RequestRefusal)) throw error;
    throw new InvalidRequestError(error.code, error.param, error.message);
  }
}

/** Row for a failed leg whose code is not in this table, because another version of the SDK created it. */
const CODE_OF_KIND = {
  worker_crashed: 'worker_crashed',
  engine_panicked: 'engine_panicked',
  device_lost: 'device_lost',
  out_of_memory: 'out_of_memory',
  refused: 'refused',
  context_exceeded: 'context_length_exceeded',
  unauthorised: 'unauthorised',
  payment: 'payment',
  not_found: 'not_found',
  rate_limited: 'rate_limited',
  server_error: 'server_error',
  network: 'network',
  protocol: 'protocol',
  model_mismatch: 'model_mismatch',
  other: 'internal',
} as const satisfies Record<FailureKind, ErrorCode>;

/** What errors carry beside code and message. */
interface Details {
  kind?: FailureKind | undefined;
  param?: string | null;
  retryAfterMs?: number | undefined;
}

/** How HTTP tells this failure. Whatever is no {@link InshoreError} is `internal`. */
export function toHttpError(thrown: unknown): HttpError {
  const error = InshoreError.from(thrown);
  // A failed leg may be the cause of the error.
  const cause: Details = InshoreError.is(error.cause) ? (error.cause as Details) : {};
  const { kind = cause.kind, param, retryAfterMs = cause.retryAfterMs } = error as Details;
  const code: string = error.code;
  const row: ErrorRow =
    isErrorCode(code) || kind === undefined ? errorRow(code) : ERROR_CODES[CODE_OF_KIND[kind] ?? 'internal'];
  // The policy has already retried the errors for which a later attempt may help.
  const headers: Record<string, string> = { 'x-should-retry': String(row.retry === 'yes') };
  if (retryAfterMs !== undefined && retryAfterMs >= 0)
    headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000));
  return {
    status: row.status,
    body: {
      error: { message: error.message, type: row.type, param: param ?? null, code: row.wire ?? code },
    },
    headers,
  };
}

/** Whether the caller ended it. */
export const isCancelled = (error: unknown): boolean => InshoreError.is(error) && error.code === 'cancelled';
