import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Where `cargo xtask wasm` leaves the engine; the variable lets a test put another build there. */
const wasmDir = resolve(import.meta.dirname, process.env.INSHORE_WASM_DIR ?? '../pkg/wasm');
const wasmModule = resolve(wasmDir, 'inshore_wasm.js');

export default defineConfig(({ command, mode }) => {
  if (mode !== 'test' && !existsSync(wasmModule)) {
    throw new Error(`there is no engine at ${wasmModule}; run \`cargo xtask wasm\` first`);
  }
  return {
    // Relative addresses: the page also works under a sub-path.
    base: command === 'build' ? './' : '/',
    resolve: {
      alias: [
        { find: /^#wasm$/, replacement: wasmModule },
        { find: /^#route-wasm$/, replacement: resolve(wasmDir, 'inshore_route.js') },
        { find: /^#route-wasm-bytes/, replacement: resolve(wasmDir, 'inshore_route_bg.wasm') },
        { find: /^#wasm-bytes/, replacement: resolve(wasmDir, 'inshore_wasm_bg.wasm') },
      ],
    },
    worker: { format: 'es' },
    build: {
      target: 'es2022',
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
