import { defineConfig } from 'vitest/config';

/** One file for each kind of host, with all that it needs: `--mode workerd` and `--mode node`. */
export default defineConfig(({ mode }) => {
  const node = mode === 'node';
  return {
    build: {
      target: 'es2022',
      ssr: node ? 'src/node.ts' : 'src/worker.ts',
      // Both modes build into one folder, one after the other.
      emptyOutDir: false,
      minify: false,
      rolldownOptions: { output: { entryFileNames: '[name].js' } },
    },
    // Modules that page and worker share lie in `web`; their packages are those of this folder.
    resolve: { dedupe: ['eventsource-parser'] },
    ssr: { target: node ? 'node' : 'webworker', noExternal: true },
    test: {
      include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
      environment: 'node',
      globalSetup: 'test/build.ts',
      // Real processes, sockets and builds on machines that may be busy.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      maxWorkers: 2,
    },
  };
});
