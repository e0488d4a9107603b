import relaxedUrl from '#cpu-relaxed-wasm-bytes?url';
import cpuUrl from '#cpu-wasm-bytes?url';
import gpuUrl from '#gpu-wasm-bytes?url';
import { InshoreError } from '../error';

/** One build of the engine, started. */
export type EngineModule = typeof import('#cpu-wasm');

/** The builds; a worker needs one of them, rarely two. */
const BUILDS = {
  gpu: { url: gpuUrl, load: (): Promise<EngineModule> => import('#gpu-wasm') },
  cpu: { url: cpuUrl, load: (): Promise<EngineModule> => import('#cpu-wasm') },
  relaxed: { url: relaxedUrl, load: (): Promise<EngineModule> => import('#cpu-relaxed-wasm') },
};
type Build = keyof typeof BUILDS;

const started = new Map<Build, Promise<EngineModule>>();

/**
 * Compiles and starts the build of the engine for a kind of device, once per worker: a second instance would have a
 * memory of its own.
 */
export function engineModule(kind: 'gpu' | 'cpu'): Promise<EngineModule> {
  const build = kind === 'cpu' && hasRelaxedSimd() ? 'relaxed' : kind;
  const running = started.get(build) ?? start(build);
  started.set(build, running);
  return running;
}

async function start(build: Build): Promise<EngineModule> {
  const { url, load } = BUILDS[build];
  try {
    const module = await load();
    await module.default({ module_or_path: url });
    return module;
  } catch (error) {
    // The connection may be back at the next try.
    started.delete(build);
    throw new InshoreError(
      'engine_unavailable',
      'The engine (WebAssembly with SIMD) did not start. Check the connection, use a current browser, then reload the page.',
      { cause: error },
    );
  }
}

/** A module with one function: `i16x8.relaxed_dot_i8x16_i7x16_s` of two splats. */
const RELAXED_PROBE = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 5, 1, 0x60, 0, 1, 0x7b],
  ...[3, 2, 1, 0],
  ...[10, 15, 1, 13, 0, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x92, 2, 0x0b],
];

/** Whether the browser multiplies bytes at once (relaxed SIMD). */
export const hasRelaxedSimd = (): boolean => WebAssembly.validate(new Uint8Array(RELAXED_PROBE));
