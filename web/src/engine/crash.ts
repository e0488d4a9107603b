import { InshoreError, type WireError } from '../error';
import type { Faults } from '../worker-port';

declare global {
  /** Where the engine's panic hook leaves its message (`crates/inshore-wasm/src/lib.rs`). */
  var inshorePanic: string | undefined;
}

/**
 * Whether `error` leaves the engine's module in an unknown state: a trap, a stack overflow, or any exception that passed
 * through the module. Typed errors (the engine's own, the store's) leave it sound.
 */
export const isFatal = (error: unknown): boolean => !InshoreError.is(error) && !hasCode(error);

/**
 * The error of the request that the engine was busy with: a bug of the engine with what it said last. A trap without a
 * word (out of memory, for example) may not happen again, and is a crash for its request as well.
 */
export function panicOf(error: unknown): InshoreError {
  const said = globalThis.inshorePanic;
  if (said === undefined) return crashOf(error);
  return new InshoreError(
    'engine_panicked',
    `The engine stopped at a bug of its own and starts again: ${said}. Please report this with the request.`,
    { cause: error },
  );
}

/** The error of everybody else whose engine is gone. */
function crashOf(error: unknown): InshoreError {
  const said = globalThis.inshorePanic ?? messageOf(error);
  return new InshoreError(
    'worker_crashed',
    `The engine’s worker stopped (${said}). Ask again: it starts anew.`,
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
 * Faults of an engine's worker. Loading may end in a plain exception of the browser (a GPU that refuses a buffer), which
 * breaks nothing, so here only what the module itself does not survive counts.
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
