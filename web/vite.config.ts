import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { ENGINE_BUILDS, filesOf, isBuilt, missingFiles, ROUTE } from './modules.mjs';

/** Where `cargo xtask wasm` leaves the modules; the variable lets a test put another build there. */
const wasmDir = resolve(import.meta.dirname, process.env.INSHORE_WASM_DIR ?? '../pkg/wasm');
/** Stands in for a module that is not built yet. */
const notBuilt = resolve(import.meta.dirname, 'src/engine/not-built.ts');

type Module = (typeof ENGINE_BUILDS)[keyof typeof ENGINE_BUILDS];

/** Where the imports of `module` lead. */
function aliases(module: Module, isThere: boolean) {
  const [glue = '', bytes = ''] = filesOf(module).map((file) => resolve(wasmDir, file));
  const { specifier } = module;
  return [
    { find: new RegExp(`^${specifier}$`), replacement: isThere ? glue : notBuilt },
    { find: new RegExp(`^${specifier}-bytes\\?url$`), replacement: isThere ? `${bytes}?url` : notBuilt },
  ];
}

/** A page works with one CPU module and the policy; unit tests bring their own engine, so they need no file. */
function builtModules(command: string, mode: string): string[] {
  const all = Object.entries(ENGINE_BUILDS);
  if (mode === 'test') {
    const missing = command === 'build' ? missingFiles(wasmDir) : [];
    if (missing.length > 0)
      throw new Error(`${wasmDir} lacks ${missing.join(', ')}; run \`cargo xtask wasm\``);
    return all.map(([name]) => name);
  }
  const built = all.filter(([, module]) => isBuilt(wasmDir, module)).map(([name]) => name);
  if (!built.some((name) => name !== 'gpu') || !isBuilt(wasmDir, ROUTE))
    throw new Error(`${wasmDir} lacks a CPU module or the policy; run \`cargo xtask wasm\` first`);
  return built;
}

export default defineConfig(({ command, mode }) => {
  const built = builtModules(command, mode);
  return {
    // Relative addresses: the page also works under a sub-path.
    base: command === 'build' ? './' : '/',
    define: { __ENGINE_BUILDS__: JSON.stringify(built) },
    resolve: {
      alias: [
        ...Object.entries(ENGINE_BUILDS).flatMap(([name, module]) => aliases(module, built.includes(name))),
        ...aliases(ROUTE, true),
      ],
    },
    worker: { format: 'es' },
    build: {
      target: 'es2022',
      // While the demo builds more modules, open pages still load files of the last bundle.
      emptyOutDir: process.env.INSHORE_KEEP_OLD_FILES === undefined,
      rolldownOptions: {
        input: ['index.html', 'sdk.html'].map((page) => resolve(import.meta.dirname, page)),
      },
      // Nothing inlined: the content security policy knows no data: addresses.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    server: { fs: { allow: ['.', wasmDir] } },
    test: { include: ['src/**/*.test.ts'], environment: 'node' },
  };
});
