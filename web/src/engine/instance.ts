import init from '#wasm';
import wasmUrl from '#wasm-bytes?url';
import { InshoreError } from '../error';

let initialised: Promise<void> | undefined;

/** Compiles and starts the engine's module, once per worker: a second instance would have a memory of its own. */
export function initEngine(): Promise<void> {
  initialised ??= instantiate().catch((error) => {
    // The connection may be back at the next try.
    initialised = undefined;
    throw error;
  });
  return initialised;
}

async function instantiate(): Promise<void> {
  try {
    await init({ module_or_path: wasmUrl });
  } catch (error) {
    throw new InshoreError(
      'engine_unavailable',
      'The engine (WebAssembly with SIMD) did not start. Check the connection, use a current browser, then reload the page.',
      { cause: error },
    );
  }
}
