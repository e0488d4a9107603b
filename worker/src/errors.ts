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

/**
 * A request that was refused or failed. `code` is stable snake_case for programs; `message` says to a person what is wrong
 * and what to do. It is shown to the page, so nothing in it comes from an upstream or from a key.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
  }

  /** What goes out as a body. */
  get body(): ErrorBody {
    const { message, code, details } = this;
    return { error: { message, type: kindOf(this.status), param: details.param ?? null, code } };
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

/** OpenAI's `type` for a status. */
function kindOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
