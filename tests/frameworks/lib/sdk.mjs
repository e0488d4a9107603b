// The SDK's TypeScript sources as one module for Node, built by the page's own bundler.
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const HERE = resolve(import.meta.dirname, '..');
const WEB = resolve(HERE, '../../web');

/** Vite, as installed in `web/`. */
export const vite = () =>
  import(pathToFileURL(createRequire(join(WEB, 'package.json')).resolve('vite')).href);

let built;

/** Builds once per process; every test file has one of its own. */
export function sdk() {
  built ??= build();
  return built;
}

async function build() {
  const outDir = join(HERE, 'node_modules/.inshore-sdk', String(process.pid));
  const { build } = await vite();
  await build({
    configFile: false,
    root: WEB,
    logLevel: 'error',
    build: { ssr: join(HERE, 'lib/entry.ts'), outDir, emptyOutDir: true, minify: false },
  });
  const module = await import(pathToFileURL(join(outDir, 'entry.js')).href);
  await rm(outDir, { recursive: true });
  return module;
}
