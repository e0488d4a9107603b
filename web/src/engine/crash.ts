import { InshoreError, type WireError } from '../error';
import type { Faults } from '../worker-port';

declare global {
  /** Message of the engine's panic hook (`crates/inshore-wasm/src/lib.rs`). */
  var inshorePanic: string | undefined;
}

/**
 * Whether `error` leaves the engine's module in an unknown state: a trap, a stack overflow, or any exception that passed
 * through the module. Typed errors (the engine's own, the store's) leave it sound.
 */
export const isFatal = (error: unknown): boolean => !InshoreError.is(error) && !hasCode(error);

/**
 * Returns the error for the request during which the engine failed: `engine_panicked` with the panic's message. A trap without
 * a message (out of memory, for example) may not happen again, so it is `worker_crashed`.
 */
export function panicOf(error: unknown): InshoreError {
  const said = globalThis.inshorePanic;
  if (said === undefined) return crashOf(error);
  return new InshoreError(
    'engine_panicked',
    `The engine stopped because of a bug (${said}), and it starts again. Please report this with the request.`,
    { cause: error },
  );
}

/** Returns the error for all other requests of the crashed engine. */
function crashOf(error: unknown): InshoreError {
  const said = globalThis.inshorePanic ?? messageOf(error);
  return new InshoreError(
    'worker_crashed',
    `The engine’s worker stopped (${said}). Try again: the worker is started again.`,
    {
      cause: error,
    },
  );
}

function hasCode(error: unknown): error is WireError {
  return (
    typeof error === 'object' && error !== null && typeof (error as { code?: unknown }).code === 'string'
  );
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Faults of an engine's worker. Loading may end with a plain exception of the browser (a GPU refuses a buffer), which leaves
 * the module intact. So only faults that break the module itself count here.
 */
export const ENGINE_FAULTS: Faults = {
  isFatal: (error) => error instanceof WebAssembly.RuntimeError || isStackOverflow(error),
  errorOfCall: panicOf,
  errorOfWorker: crashOf,
};

/** V8 and JavaScriptCore throw a `RangeError`, SpiderMonkey an `InternalError`. */
function isStackOverflow(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'InternalError' || /call stack|recursion/i.test(error.message);
}
