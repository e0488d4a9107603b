import { ERROR_CODES, type ErrorCode, errorRow } from '../../web/src/protocol/error-codes';

/** The body of every refusal and failure, in OpenAI's shape. */
export interface ErrorBody {
  error: {
    message: string;
    type: string;
    param: string | null;
    code: string;
  };
}

/** An error inside a stream, which has neither a status nor headers of its own. */
export interface ErrorEvent {
  error: ErrorBody['error'] & { status: number; retry_after?: string };
}

/** What an {@link ApiError} may carry besides its code. */
export interface ErrorDetails {
  /** The request's field that is at fault. */
  param?: string | undefined;
  /** Value of `Retry-After`: seconds, or an HTTP date. */
  retryAfter?: string | undefined;
}

/** A code with its status, checked by the compiler. A refusal that is passed on keeps its own status. */
export type StatusAndCode =
  | { [Code in ErrorCode]: [status: (typeof ERROR_CODES)[Code]['status'], code: Code] }[ErrorCode]
  | [status: number, code: 'upstream_rejected'];

/** Returns the status and the name of a code. The cast is needed because the code is known only at run time. */
export const rowOf = (code: ErrorCode): StatusAndCode => [ERROR_CODES[code].status, code] as StatusAndCode;

/**
 * A request that was refused or failed. `code` is stable snake_case for programs; `message` says to a person what is wrong
 * and what to do. It is shown to the page, so nothing in it comes from an upstream or from a key.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(
    ...[status, code, message, details = {}]: [...StatusAndCode, message: string, details?: ErrorDetails]
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }

  /** Whether a client should send the same request again. The worker itself never retries. */
  get shouldRetry(): boolean {
    return errorRow(this.code).retry !== 'no';
  }

  /** What goes out as a body. */
  get body(): ErrorBody {
    const { message, code, details } = this;
    return { error: { message, type: errorRow(code).type, param: details.param ?? null, code } };
  }

  /** What goes out inside a stream. */
  get event(): ErrorEvent {
    const { retryAfter } = this.details;
    const extra = retryAfter === undefined ? {} : { retry_after: retryAfter };
    return { error: { ...this.body.error, status: this.status, ...extra } };
  }

  /** The error as it stands, or `internal` for anything that was not foreseen; its own text may hold a secret. */
  static from(thrown: unknown): ApiError {
    if (thrown instanceof ApiError) return thrown;
    return new ApiError(500, 'internal', 'The worker failed at this request; its log has the request id.');
  }
}
