import { type ErrorCode, isErrorCode } from './protocol/error-codes';

/** What crosses a worker boundary in place of an error: structured clone keeps no class. */
export interface WireError {
  code: string;
  message: string;
  cause?: WireError | undefined;
}

// A registered symbol, so that two copies of this module in one page still know each other's errors.
const MARK = Symbol.for('inshore.error');

/**
 * Every failure of inshore: `code` is stable snake_case for programs, `message` says to a person what is wrong and
 * what to do. Test with {@link InshoreError.is}, which survives bundling, rather than with `instanceof`.
 */
export class InshoreError extends Error {
  override readonly name = 'InshoreError';
  readonly code: ErrorCode;
  readonly [MARK] = true;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Whether `value` is an error of inshore, also one made by another copy of this module. */
  static is(value: unknown): value is InshoreError {
    return typeof value === 'object' && value !== null && (value as { [MARK]?: unknown })[MARK] === true;
  }

  /** Wraps whatever was thrown. Objects that carry a code of ours (the engine's, a worker's) keep it; others get `code`. */
  static from(value: unknown, code: ErrorCode = 'internal'): InshoreError {
    if (InshoreError.is(value)) return value;
    if (isWireError(value)) {
      const cause = value.cause === undefined ? undefined : InshoreError.from(value.cause);
      const known = isErrorCode(value.code) ? value.code : code;
      return new InshoreError(known, value.message, cause === undefined ? undefined : { cause });
    }
    const message = value instanceof Error && value.message !== '' ? value.message : String(value);
    return new InshoreError(code, message, { cause: value });
  }

  /** The same failure as a plain object for `postMessage`. */
  static toWire(value: unknown, code?: ErrorCode): WireError {
    const error = InshoreError.from(value, code);
    const wire: WireError = { code: error.code, message: error.message };
    if (error.cause !== undefined && error.cause !== null) {
      wire.cause = InshoreError.is(error.cause)
        ? InshoreError.toWire(error.cause)
        : { code: causeName(error.cause), message: causeMessage(error.cause) };
    }
    return wire;
  }
}

function isWireError(value: unknown): value is WireError {
  if (typeof value !== 'object' || value === null) return false;
  const candidate = value as { code?: unknown; message?: unknown };
  return typeof candidate.code === 'string' && typeof candidate.message === 'string';
}

const causeName = (cause: unknown): string => (cause instanceof Error ? cause.name : 'cause');
const causeMessage = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
