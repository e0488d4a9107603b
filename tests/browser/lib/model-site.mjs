// Models on a real HTTP server, on whose faults a test decides, and the TypeScript sources of the page on the same
// origin: a test imports what it needs inside the page.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createServer as createVite } from '../../../web/node_modules/vite/dist/node/index.js';

const WEB = resolve(import.meta.dirname, '../../../web');
const PIECE = 16 * 1024;

export const sha256Of = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Numbers from 0 to 1, the same for the same `seed` (mulberry32). */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes that start like a GGUF file of a version that is not known, so that only the start is judged; the same for the same seed. */
export function ggufBytes(length, seed = 1) {
  const random = randomFrom(seed);
  const bytes = Buffer.from(
    Uint32Array.from({ length: Math.ceil(length / 4) }, () => random() * 2 ** 32).buffer,
  );
  bytes.write('GGUF\u0004\0\0\0');
  return bytes.subarray(0, length);
}

/**
 * Serves `files`: a map from path to `{ bytes, etag, lastModified, ranges, gzip, chunked, headers, redirect, pace }`
 * (`hold`: `{ after, until }`, silent after so many bytes until a promise; `pace`: milliseconds of rest after each 16 KiB; `gzip`: true where the browser accepts it, 'always' even where not). `site.fault(entry)` may give, per request,
 * `{ status, retryAfter }`, `{ refuse: true }` or `{ cutAfter, reset }`. `log` has an entry for every request.
 */
export async function serveModels({ sources = true } = {}) {
  const site = { files: new Map(), log: [], fault: () => ({}), running: 0, most: 0 };
  const vite = sources ? await startVite() : undefined;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/blank') return response.end('<!doctype html><title>blank</title>');
    if (!pathname.startsWith('/models/')) return vite ? vite.middlewares(request, response) : response.end();
    return answer(site, request, response, pathname).catch(() => response.destroy());
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  site.url = `http://127.0.0.1:${server.address().port}`;
  site.close = async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
    await vite?.close();
  };
  return site;
}

/** The requests for the bytes of `path`, as half-open ranges of what was asked for. */
export function rangesOf(site, path) {
  return site.log
    .filter((entry) => entry.path === path && entry.range !== '')
    .map(({ range }) => /(\d+)-(\d+)/.exec(range).slice(1).map(Number))
    .map(([first, last]) => [first, last + 1])
    .sort((a, b) => a[0] - b[0]);
}

/** Something to wait for until `open()` is called. */
export function gate() {
  let open;
  const until = new Promise((resolve) => {
    open = resolve;
  });
  return { until, open };
}

/** Bytes of bodies that left the server. */
export const sentBytes = (site) => site.log.reduce((sum, entry) => sum + entry.sentBytes, 0);

async function startVite() {
  const server = { middlewareMode: true, hmr: false, watch: null, ws: false };
  return createVite({
    root: WEB,
    configFile: resolve(WEB, 'vite.config.ts'),
    // Its own, and nothing bundled beforehand: a page must not be reloaded under a test.
    cacheDir: join(tmpdir(), `inshore-vite-${process.pid}`),
    optimizeDeps: { noDiscovery: true, include: [] },
    appType: 'custom',
    logLevel: 'error',
    server,
  });
}

async function answer(site, request, response, path) {
  const file = site.files.get(path);
  const { range = '', 'if-range': condition = '' } = request.headers;
  const entry = {
    method: request.method,
    path,
    range,
    condition,
    status: 0,
    sentBytes: 0,
    at: performance.now(),
  };
  site.log.push(entry);
  const { status, retryAfter, refuse, cutAfter, reset } = site.fault(entry, site.log.length) ?? {};
  if (refuse) return response.destroy();
  if (file?.headers)
    for (const [name, value] of Object.entries(file.headers)) response.setHeader(name, value);
  const finish = (code, headers = {}) => {
    entry.status = code;
    response.writeHead(code, headers).end();
  };
  if (request.method === 'OPTIONS') return finish(204);
  if (status !== undefined || file === undefined)
    return finish(status ?? 404, retryAfter === undefined ? {} : { 'Retry-After': retryAfter });
  if (file.redirect) return finish(302, { Location: file.redirect });
  if (request.method === 'HEAD') return finish(200);
  const zip = file.gzip === 'always' || (file.gzip && /gzip/.test(request.headers['accept-encoding'] ?? ''));
  const { head, code, body } = compose(file, range, condition, zip);
  Object.assign(entry, { status: code, zipped: zip && code === 200 });
  response.writeHead(code, head);
  site.running += 1;
  site.most = Math.max(site.most, site.running);
  try {
    await send(response, body, entry, { cutAfter, reset, pace: file.pace, hold: file.hold });
  } finally {
    site.running -= 1;
  }
}

function compose({ bytes, etag, lastModified, ranges = true, chunked }, range, condition, zip) {
  const head = { 'Content-Type': 'application/octet-stream' };
  if (etag) head.ETag = etag;
  if (lastModified) head['Last-Modified'] = lastModified;
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  const current = condition === '' || condition === etag || condition === lastModified;
  if (ranges && current && from !== undefined) {
    const end = Math.min(Number(to) + 1, bytes.length);
    const body = bytes.subarray(Number(from), end);
    head['Content-Range'] = `bytes ${from}-${end - 1}/${bytes.length}`;
    head['Content-Length'] = body.length;
    return { head, code: 206, body };
  }
  const body = zip ? gzipSync(bytes) : bytes;
  if (zip) head['Content-Encoding'] = 'gzip';
  if (!chunked) head['Content-Length'] = body.length;
  return { head, code: 200, body };
}

async function send(response, body, entry, { cutAfter = Number.POSITIVE_INFINITY, reset, pace, hold }) {
  const end = Math.min(body.length, cutAfter);
  while (entry.sentBytes < end) {
    if (hold !== undefined && entry.sentBytes >= hold.after) await hold.until;
    if (response.destroyed) return;
    const piece = body.subarray(entry.sentBytes, Math.min(entry.sentBytes + PIECE, end));
    // Until it is out: a cut must not take back what came before it.
    await new Promise((written) => response.write(piece, written));
    entry.sentBytes += piece.length;
    if (pace) await sleep(pace);
  }
  if (end === body.length) return response.end();
  entry.cut = true;
  // A browser drops what it has received but not yet handed on when the connection breaks.
  await sleep(20);
  if (reset) response.socket?.resetAndDestroy();
  else response.destroy();
}
