// The TypeScript sources themselves on a development server, for tests of modules that no page shows; the model comes
// from a real `inshore serve` behind the same origin.
import { resolve } from 'node:path';
import { createServer } from '../../../web/node_modules/vite/dist/node/index.js';
import { serveBinary } from './site.mjs';

const WEB = resolve(import.meta.dirname, '../../../web');

/** Serves web/src; a test imports what it needs: `await import('/src/engine/session.ts')` inside the page. */
export async function serveSources() {
  const host = await serveBinary();
  const proxy = Object.fromEntries(['/models', '/v1', '/health'].map((path) => [path, host.url]));
  const server = await createServer({
    root: WEB,
    configFile: resolve(WEB, 'vite.config.ts'),
    logLevel: 'error',
    server: { port: 0, host: '127.0.0.1', proxy, hmr: false, watch: null },
  });
  await server.listen();
  return {
    url: `http://127.0.0.1:${server.httpServer.address().port}`,
    host,
    close: async () => {
      await server.close();
      await host.close();
    },
  };
}

/** A blank page of that origin, with the model in its store; gives the page and the model's key. */
export async function blankPage(context, site) {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(`${site.url}/icon.svg`);
  const key = await page.evaluate(async () => {
    const { readManifest } = await import('/src/store/model.ts');
    const { ModelStore } = await import('/src/store/client.ts');
    const [model] = readManifest(await (await fetch('/models/manifest.json')).json(), location.href);
    return (await new ModelStore().fetch(model)).key;
  });
  return { page, key };
}
