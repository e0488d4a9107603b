// Where the tests get the page from: the real binary, or a server whose model downloads can be made to fail.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The built page; the variable lets a test run use another build. */
const DIST = resolve(import.meta.dirname, process.env.INSHORE_WEB_DIST ?? '../../../web/dist');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

/** The model file of `INSHORE_TEST_MODEL`. */
export function testModel() {
  const path = process.env.INSHORE_TEST_MODEL;
  if (!path) throw new Error('set INSHORE_TEST_MODEL to the file SmolLM2-135M-Instruct.Q4_1.gguf');
  return path;
}

/** `inshore serve` from `INSHORE_BIN` on a free port; `web`: the folder of the page. */
export async function serveBinary({ web = DIST } = {}) {
  const binary = process.env.INSHORE_BIN;
  if (!binary) throw new Error('set INSHORE_BIN to the inshore binary');
  const port = await freePort();
  const where = ['--host', '127.0.0.1', '--port', String(port)];
  // Only the page's engine is tested here: the server's own stays on the CPU, which is always there.
  const args = ['serve', ...where, '--device', 'cpu', '--web', web, '--model', testModel()];
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said.push(data));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) break;
    const ready = await fetch(`${url}/models/manifest.json`).then(
      (r) => r.ok,
      () => false,
    );
    if (ready) {
      return {
        url,
        close: () =>
          new Promise((done) => {
            child.once('exit', done);
            child.kill('SIGTERM');
          }),
      };
    }
    await sleep(100);
  }
  child.kill('SIGKILL');
  throw new Error(`inshore serve did not start: ${Buffer.concat(said)}`);
}

/** A model for {@link serveFaulty}: the manifest's entry and the bytes that the server really has. */
export function modelOf(bytes, entry = {}) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { bytes, entry: { name: 'Test model', file: 'test.gguf', bytes: bytes.length, sha256, ...entry } };
}

/**
 * Serves the page, and `model` in a way that a test chooses: `onModel(request, response, send)` may answer a request
 * for the model itself, or call `send({ until })` for the proper answer, up to a byte after which the line goes silent
 * until the test calls `cut()`. `requests` holds the `Range` header (or '') of every request for the model.
 */
export async function serveFaulty({ model, onModel = (_request, _response, send) => send() }) {
  const requests = [];
  const site = { requests, onModel, model };
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    if (path === '/models/manifest.json') {
      if (site.model === undefined) return notFound(response);
      return json(response, { models: [{ ...site.model.entry, url: `/models/${site.model.entry.file}` }] });
    }
    if (path.startsWith('/models/')) {
      requests.push(request.headers.range ?? '');
      site.cut = () => response.destroy();
      return site.onModel(request, response, (options) =>
        sendModel(request, response, site.model.bytes, options),
      );
    }
    return sendFile(response, path === '/' ? '/index.html' : path);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  site.url = `http://127.0.0.1:${server.address().port}`;
  site.close = () =>
    new Promise((closed) => {
      server.closeAllConnections();
      server.close(closed);
    });
  return site;
}

function sendModel(request, response, bytes, { until = bytes.length } = {}) {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const head = { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length - start };
  if (range) head['Content-Range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  response.writeHead(range ? 206 : 200, head);
  if (until >= bytes.length) return response.end(bytes.subarray(start));
  return response.write(bytes.subarray(start, until));
}

function sendFile(response, path) {
  const file = join(DIST, normalize(path));
  const found = statSync(file, { throwIfNoEntry: false });
  if (!file.startsWith(DIST) || !found?.isFile()) return notFound(response);
  response.writeHead(200, {
    'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
    'Content-Length': found.size,
  });
  createReadStream(file).pipe(response);
}

function notFound(response) {
  response.writeHead(404, { 'Content-Type': 'text/plain' });
  response.end('not found');
}

function json(response, value) {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

/** The whole test model in memory, for {@link serveFaulty}. */
export const readTestModel = () => readFileSync(testModel());

function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
