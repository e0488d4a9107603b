// A server for the peers' pages, with or without cross-origin isolation: without it, a page has no threads.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Serves pages/ and node_modules/, `files` (`{ '/model.gguf': path }`) and `folders` (`{ '/onnx/': path }`). */
export async function serve({ isolated, files = {}, folders = {} }) {
  const roots = {
    '/pages/': join(ROOT, 'pages'),
    '/node_modules/': join(ROOT, 'node_modules'),
    ...folders,
  };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const file = files[path] ?? below(roots, path);
    const found = file && statSync(file, { throwIfNoEntry: false });
    const headers = { 'Cache-Control': 'no-store', ...(isolated ? ISOLATION : {}) };
    if (!found?.isFile()) return response.writeHead(404, headers).end('not found');
    response.writeHead(200, {
      ...headers,
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': found.size,
    });
    return request.method === 'HEAD' ? response.end() : createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    },
  };
}

function below(roots, path) {
  const prefix = Object.keys(roots).find((candidate) => path.startsWith(candidate));
  if (prefix === undefined) return undefined;
  const file = normalize(join(roots[prefix], path.slice(prefix.length)));
  return file.startsWith(roots[prefix]) ? file : undefined;
}
