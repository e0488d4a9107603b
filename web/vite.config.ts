import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Where `cargo xtask wasm` leaves the engine; the variable lets a test put another build there. */
const wasmDir = resolve(import.meta.dirname, process.env.INSHORE_WASM_DIR ?? '../pkg/wasm');
const wasmFile = (name: string) => resolve(wasmDir, name);
const cpuEngine = wasmFile('inshore_cpu.js');

export default defineConfig(({ command, mode }) => {
  if (mode !== 'test' && !existsSync(cpuEngine)) {
    throw new Error(`there is no engine at ${cpuEngine}; run \`cargo xtask wasm\` first`);
  }
  return {
    // Relative addresses: the page also works under a sub-path.
    base: command === 'build' ? './' : '/',
    resolve: {
      alias: [
        { find: /^#gpu-wasm$/, replacement: wasmFile('inshore_gpu.js') },
        { find: /^#gpu-wasm-bytes/, replacement: wasmFile('inshore_gpu_bg.wasm') },
        { find: /^#cpu-wasm$/, replacement: cpuEngine },
        { find: /^#cpu-wasm-bytes/, replacement: wasmFile('inshore_cpu_bg.wasm') },
        { find: /^#cpu-relaxed-wasm$/, replacement: wasmFile('inshore_cpu_relaxed.js') },
        { find: /^#cpu-relaxed-wasm-bytes/, replacement: wasmFile('inshore_cpu_relaxed_bg.wasm') },
        { find: /^#cpu-threads-wasm$/, replacement: wasmFile('inshore_cpu_threads.js') },
        { find: /^#cpu-threads-wasm-bytes/, replacement: wasmFile('inshore_cpu_threads_bg.wasm') },
        { find: /^#route-wasm$/, replacement: wasmFile('inshore_route.js') },
        { find: /^#route-wasm-bytes/, replacement: wasmFile('inshore_route_bg.wasm') },
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
