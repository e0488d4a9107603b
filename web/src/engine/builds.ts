import { InshoreError } from '../error';

/** Builds of the engine: WebGPU; CPU with threads, with relaxed SIMD, with plain SIMD. */
export type Build = 'gpu' | 'threads' | 'relaxed' | 'cpu';

/** Names of the modules that existed when this code was bundled (`modules.mjs`). */
declare const __ENGINE_BUILDS__: readonly Build[];

/** Without a bundler nobody has looked, and all are expected. */
const BUILT: readonly Build[] =
  typeof __ENGINE_BUILDS__ === 'undefined' ? ['gpu', 'threads', 'relaxed', 'cpu'] : __ENGINE_BUILDS__;

/** What a browser can run. */
export interface Capabilities {
  relaxedSimd: boolean;
  /** Shared memory and workers in workers. */
  threads: boolean;
}

/** Returns the fastest CPU build that is part of this bundle and that the browser can run. */
export function cpuBuild(can: Capabilities, built: readonly Build[] = BUILT): Build {
  const runnable: Build[] = can.relaxedSimd ? ['relaxed', 'cpu'] : ['cpu'];
  // The build with threads uses relaxed SIMD as well.
  if (can.relaxedSimd && can.threads) runnable.unshift('threads');
  const best = runnable.find((build) => built.includes(build));
  if (best !== undefined) return best;
  throw new InshoreError(
    'module_not_built',
    'This build of the page has no CPU engine that this browser can run. Build all modules (`cargo xtask wasm`), or use a current Chrome, Edge or Firefox.',
  );
}

/** Throws unless the WebGPU build is part of this bundle. */
export function requireGpuBuild(built: readonly Build[] = BUILT): void {
  if (built.includes('gpu')) return;
  throw new InshoreError(
    'module_not_built',
    'This build of the page lacks the WebGPU module, so the CPU answers. If the module is still being built, reload the page when it is ready.',
  );
}
