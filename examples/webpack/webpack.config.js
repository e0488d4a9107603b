import { resolve } from 'node:path';

export default {
  entry: './src/main.js',
  output: {
    path: resolve(import.meta.dirname, 'public/build'),
    filename: 'main.js',
    module: true,
    clean: true,
  },
  experiments: { outputModule: true, topLevelAwait: true },
  // The engine's wasm file is larger than what webpack warns of.
  performance: { hints: false },
};
