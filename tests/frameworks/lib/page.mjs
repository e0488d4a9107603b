// The test page of `page/`, bundled as an application's own would be: by Vite, with the web folder's configuration.
import { join, resolve } from 'node:path';
import { vite } from './sdk.mjs';

const HERE = resolve(import.meta.dirname, '..');

/** Builds the page; the folder with its index.html. */
export async function buildPage() {
  const outDir = join(HERE, 'node_modules/.inshore-page');
  const { build, loadConfigFromFile } = await vite();
  const production = { command: 'build', mode: 'production' };
  const { config } = await loadConfigFromFile(production, resolve(HERE, '../../web/vite.config.ts'));
  await build({
    ...config,
    // Its pages are others than ours.
    build: { ...config.build, rolldownOptions: {}, outDir, emptyOutDir: true, chunkSizeWarningLimit: 10_000 },
    configFile: false,
    root: join(HERE, 'page'),
    logLevel: 'error',
  });
  return outDir;
}
