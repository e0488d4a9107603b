import { defineConfig } from 'vite';

// `inshore serve` gives the model file, and plays the cloud.
const server = process.env.INSHORE_URL ?? 'http://127.0.0.1:8040';

export default defineConfig({
  build: { target: 'es2022' },
  // The development server would move the package's code away from its workers and its wasm.
  optimizeDeps: { exclude: ['inshore'] },
  server: { proxy: { '/models': server, '/v1': server } },
});
