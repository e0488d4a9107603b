// The modules that `cargo xtask wasm` builds into `pkg/wasm`, and the names by which the sources import them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Builds of the engine as `src/engine/builds.ts` calls them: name of the import, name of the files. */
export const ENGINE_BUILDS = {
  gpu: { specifier: '#gpu-wasm', file: 'inshore_gpu' },
  threads: { specifier: '#cpu-threads-wasm', file: 'inshore_cpu_threads' },
  relaxed: { specifier: '#cpu-relaxed-wasm', file: 'inshore_cpu_relaxed' },
  cpu: { specifier: '#cpu-wasm', file: 'inshore_cpu' },
};

/** The policy: every page needs it. */
export const ROUTE = { specifier: '#route-wasm', file: 'inshore_route' };

/** The two files of a module: JavaScript from wasm-bindgen, and the bytes. */
export const filesOf = ({ file }) => [`${file}.js`, `${file}_bg.wasm`];

/** Whether both files of a module are in `folder`. */
export const isBuilt = (folder, module) => filesOf(module).every((file) => existsSync(join(folder, file)));

/** Files that are not in `folder`, of all modules. */
export const missingFiles = (folder) =>
  [...Object.values(ENGINE_BUILDS), ROUTE].flatMap(filesOf).filter((file) => !existsSync(join(folder, file)));
