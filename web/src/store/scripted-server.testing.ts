// A model hub on this machine that does exactly what a script says, over plain sockets: an HTTP library would refuse to
// lie. The scripts are those of tests/protocol/downloads.json; crates/inshore-host/tests/download/hub.rs runs them too.
import { createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { sha256Of } from './memory.testing';

/** What the server does at one request; tests/protocol/README.md explains the fields. */
export interface Step {
  honest?: boolean;
  version?: string;
  etag?: string | false;
  modified?: string;
  ranges?: boolean;
  chunked?: boolean;
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  length?: 'none' | 'chunked';
  from?: number;
  to?: number;
  pad?: number | 'file';
  repeat?: number;
  gzip?: boolean;
  cut?: number;
  drop?: boolean;
  raw?: string;
}

/** What the hub says of the file. */
export interface Known {
  of?: string;
  size?: number;
  hash?: boolean;
}

/** A case of the table. */
export interface Case {
  kind: string;
  name: string;
  known?: 'size' | 'both' | Known;
  hub?: Step;
  gets: ('honest' | Step)[];
  expect: string | { host: string; page: string };
  says?: string;
}

interface Seen {
  method: string;
  path: string;
  headers: Map<string, string>;
}

const PATH = '/owner/repo/resolve/main/model.gguf';
const VALUES = 175_000;

/** The header of a model with one F32 tensor, with numbers that may lie, and the data of `version`. */
export function modelBytes(
  version: number,
  { entries = 1, keyBytes = 20, valueType = 8, dims = [VALUES] }: Partial<HeaderNumbers> = {},
): Uint8Array {
  const header: number[] = [...Buffer.from('GGUF')];
  const u32 = (value: number): void => {
    for (let at = 0; at < 4; at++) header.push(Math.floor(value / 256 ** at) % 256);
  };
  const u64 = (value: number): void => {
    for (let at = 0; at < 8; at++) header.push(Math.floor(value / 256 ** at) % 256);
  };
  u32(3);
  u64(1);
  u64(entries);
  u64(keyBytes);
  header.push(...Buffer.from('general.architecture'));
  u32(valueType);
  u64(5);
  header.push(...Buffer.from('llama'));
  u64(1);
  header.push(...Buffer.from('w'));
  u32(dims.length);
  for (const dim of dims) u64(dim);
  u32(0);
  u64(0);
  while (header.length % 32 !== 0) header.push(0);
  const bytes = new Uint8Array(header.length + VALUES * 4);
  bytes.set(header);
  for (let i = 0; i < VALUES * 4; i++) bytes[header.length + i] = i * 31 + (i >> 8) * 17 + version * 101;
  return bytes;
}

interface HeaderNumbers {
  entries: number;
  keyBytes: number;
  valueType: number;
  dims: number[];
}

/** Models and texts by name, as the table's cases use them. */
export function bodiesOf(texts: Record<string, string>): Map<string, Uint8Array> {
  const bodies = new Map<string, Uint8Array>();
  for (const [name, text] of Object.entries(texts)) bodies.set(name, new TextEncoder().encode(text));
  bodies.set('file', modelBytes(1));
  bodies.set('other', modelBytes(2));
  bodies.set('short_tensors', modelBytes(1, { dims: [2 * VALUES] }));
  bodies.set('many_entries', modelBytes(1, { entries: 1_000_000 }));
  bodies.set('absurd_string', modelBytes(1, { keyBytes: 2 ** 40 }));
  bodies.set('absurd_tensor', modelBytes(1, { dims: [2 ** 62, 2 ** 62] }));
  bodies.set('unknown_value', modelBytes(1, { valueType: 99 }));
  return bodies;
}

/** A running hub, with a second server beside it. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  /** From then on the hub tells the truth. */
  honest = false;
  gets = 0;
  url = '';
  #other = '';
  readonly #case: Pick<Case, 'known' | 'hub' | 'gets'>;
  readonly #bodies: Map<string, Uint8Array>;
  readonly #servers: Server[] = [];

  constructor(script: Pick<Case, 'known' | 'hub' | 'gets'>, bodies: Map<string, Uint8Array>) {
    this.#case = script;
    this.#bodies = bodies;
  }

  async start(): Promise<void> {
    this.url = await this.#listen((seen) => this.#step(seen));
    this.#other = await this.#listen(() => ({ honest: true }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => new Promise((closed) => server.close(closed))));
  }

  async #listen(stepOf: (seen: Seen) => Step): Promise<string> {
    const server = createServer((socket) => this.#answer(socket, stepOf));
    this.#servers.push(server);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  #answer(socket: Socket, stepOf: (seen: Seen) => Step): void {
    let text = '';
    // A client that hangs up is part of the test.
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const seen = parseRequest(text.slice(0, end));
      text = '';
      this.seen.push(seen);
      socket.end(this.#reply(stepOf(seen), seen));
    });
  }

  /** What the script says about a request. */
  #step({ method, path }: Seen): Step {
    if (path === '/storage') return { honest: true };
    if (path === '/login') return { body: 'html' };
    if (path === '/loop') return { status: 302, headers: { location: '/loop' } };
    if (path !== PATH) return { status: 404, body: 'text' };
    if (method === 'HEAD') return this.#hubStep();
    const step = this.#case.gets[Math.min(this.gets, this.#case.gets.length - 1)];
    this.gets += 1;
    return this.honest || step === 'honest' || step === undefined ? { honest: true } : step;
  }

  /** The hub's answer to HEAD, with what the case says it knows. */
  #hubStep(): Step {
    const { known, hub } = this.#case;
    const {
      of,
      size,
      hash = true,
    }: Known = known === 'size'
      ? { of: 'file', hash: false }
      : known === 'both'
        ? { of: 'file' }
        : (known ?? {});
    const step: Step = this.honest ? {} : { ...hub };
    if (of !== undefined) {
      const body = this.#bodies.get(this.honest ? 'file' : of) ?? new Uint8Array(0);
      step.headers = {
        ...step.headers,
        'x-linked-size': String((this.honest ? undefined : size) ?? body.length),
      };
      if (hash) step.headers['x-linked-etag'] = `"${sha256Of(body)}"`;
    }
    return step;
  }

  #reply(step: Step, seen: Seen): Buffer {
    if (step.raw !== undefined) return Buffer.from(step.raw);
    if (step.drop) return Buffer.alloc(0);
    const { status, headers, body } = step.honest ? this.#honest(step, seen) : this.#scripted(step, seen);
    const chunked = step.chunked === true || step.length === 'chunked';
    if (chunked) headers['transfer-encoding'] = 'chunked';
    else if (step.length !== 'none') headers['content-length'] = String(body.length);
    // Node takes the end of a connection that was announced for the end of a chunked body; browsers do not.
    if (!chunked) headers.connection = 'close';
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = Buffer.from(`HTTP/1.1 ${status} Scripted\r\n${lines.join('')}\r\n`);
    if (seen.method === 'HEAD') return head;
    const sent = body.subarray(0, step.cut ?? body.length);
    return Buffer.concat([head, chunked ? inChunks(sent, sent.length === body.length) : sent]);
  }

  /** As a server should: ranges, conditions, validators. */
  #honest({ version = 'file', etag, modified, ranges = true }: Step, { headers: asked }: Seen): Reply {
    const body = this.#bodies.get(version) ?? new Uint8Array(0);
    const tag = etag === false ? undefined : (etag ?? (version === 'other' ? '"v2"' : '"v1"'));
    const condition = asked.get('if-range');
    const current = condition === undefined || condition === tag || condition === modified;
    const headers: Record<string, string> = {};
    if (tag !== undefined) headers.etag = tag;
    if (modified !== undefined) headers['last-modified'] = modified;
    const range = asked.get('range');
    if (range === undefined || !ranges || !current) return { status: 200, headers, body };
    const { start, end } = bounds(range, body.length);
    if (start >= body.length) {
      headers['content-range'] = `bytes */${body.length}`;
      return { status: 416, headers, body: new Uint8Array(0) };
    }
    headers['content-range'] = `bytes ${start}-${end - 1}/${body.length}`;
    return { status: 206, headers, body: body.subarray(start, end) };
  }

  /** As the step says. */
  #scripted(step: Step, { headers: asked }: Seen): Reply {
    const file = this.#bodies.get('file') ?? new Uint8Array(0);
    const { start } = bounds(asked.get('range') ?? 'bytes=0-', file.length);
    let body = this.#named(step.body ?? 'empty', start);
    const padded = step.pad === 'file' ? file.length : body.length * (step.repeat ?? 1) + (step.pad ?? 0);
    const whole = new Uint8Array(padded).fill(0x20);
    for (
      let at = 0;
      at + body.length <= padded && at < body.length * (step.repeat ?? 1);
      at += body.length || 1
    )
      whole.set(body, at);
    body = whole.subarray(
      step.from ?? 0,
      (step.to ?? 0) < 0 ? whole.length + (step.to ?? 0) : (step.to ?? whole.length),
    );
    if (step.gzip) body = gzipSync(body);
    const numbers: Record<string, number> = { start, total: file.length, size: body.length };
    const fill = (text: string): string =>
      text
        .replace('{self}', this.url)
        .replace('{other}', this.#other)
        .replace(/\{(\w+)([+-]\d+)?\}/g, (_, name: string, offset = '0') =>
          String((numbers[name] ?? Number.NaN) + Number(offset)),
        );
    const headers = Object.entries(step.headers ?? {}).map(([name, value]) => [name, fill(value)]);
    return { status: step.status ?? 200, headers: Object.fromEntries(headers), body };
  }

  #named(name: string, start: number): Uint8Array {
    const file = this.#bodies.get('file') ?? new Uint8Array(0);
    if (name === 'rest') return file.subarray(start);
    if (name === 'other_rest') return (this.#bodies.get('other') ?? file).subarray(start);
    if (name === 'multipart') {
      const head = `--THIS\r\ncontent-range: bytes ${start}-${file.length - 1}/${file.length}\r\n\r\n`;
      return Buffer.concat([Buffer.from(head), file.subarray(start), Buffer.from('\r\n--THIS--\r\n')]);
    }
    const body = this.#bodies.get(name);
    if (body === undefined) throw new Error(`the table has no body ${name}`);
    return body;
  }
}

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

function parseRequest(text: string): Seen {
  const [first = '', ...lines] = text.split('\r\n');
  const [method = '', path = ''] = first.split(' ');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { method, path, headers };
}

function bounds(range: string, total: number): { start: number; end: number } {
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  return { start: Number(first), end: last === '' ? total : Math.min(Number(last) + 1, total) };
}

function inChunks(body: Uint8Array, ends: boolean): Buffer {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += 60_000) {
    const piece = body.subarray(at, at + 60_000);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  if (ends) pieces.push(Buffer.from('0\r\n\r\n'));
  return Buffer.concat(pieces);
}
