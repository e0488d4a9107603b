// A disk and a server in memory, for tests of what goes wrong at one exact moment.
import { createHash } from 'node:crypto';
import type { ModelStorage } from './download';
import type { DiskFile } from './ledger';
import { quotaExceeded } from './quota';
import { parseRecord } from './record';

/** The page was closed: nothing is done any more. */
export class Killed extends Error {}

/** A model's storage in memory. What is on it survives {@link MemoryStorage.revive}, as a disk survives a tab. */
export class MemoryStorage implements ModelStorage {
  files = new Map<string, Uint8Array>();
  /** Bytes that fit. */
  limit = Number.POSITIVE_INFINITY;
  /** Writing operations left until the tab dies. */
  life = Number.POSITIVE_INFINITY;
  operations = 0;

  revive(life = Number.POSITIVE_INFINITY): void {
    this.life = life;
    this.operations = 0;
  }

  record: ModelStorage['record'] = async () => {
    const bytes = this.files.get('json');
    return bytes === undefined ? undefined : parseRecord(new TextDecoder().decode(bytes));
  };

  writeRecord: ModelStorage['writeRecord'] = async (record) => {
    this.#live();
    this.files.set('json', new TextEncoder().encode(JSON.stringify(record)));
  };

  open: ModelStorage['open'] = async () => ({
    data: this.#file('part'),
    sums: this.#file('sums'),
    close: () => {},
  });

  commit: ModelStorage['commit'] = async () => {
    this.#live();
    this.files.set('gguf', this.files.get('part') ?? new Uint8Array(0));
    this.files.delete('part');
  };

  remove: ModelStorage['remove'] = async () => {
    this.#live();
    this.files.clear();
  };

  #file(name: string): DiskFile {
    if (!this.files.has(name)) this.files.set(name, new Uint8Array(0));
    const now = (): Uint8Array => this.files.get(name) ?? new Uint8Array(0);
    const resize = (size: number): Uint8Array => {
      if (name === 'part' && size > this.limit) throw quotaExceeded('full');
      const resized = new Uint8Array(size);
      resized.set(now().subarray(0, size));
      this.files.set(name, resized);
      return resized;
    };
    return {
      size: () => now().length,
      read: (length, at) => now().slice(at, at + length),
      flush: () => this.#live(),
      truncate: (size) => {
        this.#live();
        resize(size);
      },
      write: (bytes, at) => {
        this.#live();
        const file = at + bytes.length > now().length ? resize(at + bytes.length) : now();
        file.set(bytes, at);
      },
    };
  }

  #live(): void {
    if (this.life <= this.operations) throw new Killed();
    this.operations += 1;
  }
}

/** What a served file does at one request. */
export interface Fault {
  /** The body breaks off after so many bytes. */
  cutAfter?: number;
  status?: number;
  retryAfter?: string;
  refuse?: boolean;
}

/** A file on a server. */
export interface Served {
  bytes: Uint8Array;
  etag?: string | undefined;
  lastModified?: string | undefined;
  ranges?: boolean;
  /** Without `Content-Length`. */
  chunked?: boolean;
}

/** A server in memory; `fault` decides how request number n (from 1 on) goes wrong. */
export class MemoryServer {
  readonly files = new Map<string, Served>();
  /** `Range` header, or '', of each request; HEAD requests with their method. */
  readonly requests: string[] = [];
  fault: (request: number) => Fault = () => ({});
  /** Bytes that left the server. */
  sentBytes = 0;

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    const range = headers.get('range') ?? '';
    this.requests.push(range);
    const { status, cutAfter, retryAfter, refuse } = this.fault(this.requests.length);
    if (refuse) throw new TypeError('Failed to fetch');
    const file = this.files.get(new URL(url).pathname);
    if (status !== undefined || file === undefined) {
      const more = retryAfter === undefined ? undefined : { 'retry-after': retryAfter };
      return new Response('no', { status: status ?? 404, ...(more ? { headers: more } : {}) });
    }
    return this.#send(file, range, headers.get('if-range'), cutAfter);
  };

  #send(file: Served, range: string, condition: string | null, cutAfter: number | undefined): Response {
    const { bytes, etag, lastModified, ranges = true, chunked = false } = file;
    const out = new Headers();
    if (etag !== undefined) out.set('etag', etag);
    if (lastModified !== undefined) out.set('last-modified', lastModified);
    const current = condition === null || condition === etag || condition === lastModified;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    if (!ranges || !current || from === undefined) {
      if (!chunked) out.set('content-length', String(bytes.length));
      return new Response(this.#body(bytes, cutAfter), { status: 200, headers: out });
    }
    const start = Number(from);
    const end = Math.min(Number(to) + 1, bytes.length);
    if (start >= bytes.length) {
      out.set('content-range', `bytes */${bytes.length}`);
      return new Response(null, { status: 416, headers: out });
    }
    out.set('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
    return new Response(this.#body(bytes.subarray(start, end), cutAfter), { status: 206, headers: out });
  }

  #body(bytes: Uint8Array, cutAfter = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
    let at = 0;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (at >= cutAfter) return controller.error(new TypeError('network error'));
        const end = Math.min(at + 50_000, bytes.length, cutAfter);
        if (end > at) controller.enqueue(bytes.slice(at, end));
        this.sentBytes += end - at;
        at = end;
        if (at === bytes.length) controller.close();
      },
    });
  }
}

/** Bytes that begin like a GGUF file and are the same for the same `seed`. */
export function ggufBytes(length: number, seed = 1): Uint8Array {
  const next = randomFrom(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let at = 0; at < words.length; at++) words[at] = next() * 2 ** 32;
  const bytes = new Uint8Array(words.buffer, 0, length);
  // Of a version that is not known, so that nothing behind it is judged.
  bytes.set(new TextEncoder().encode('GGUF\u0004\0\0\0').subarray(0, length));
  return bytes;
}

/** Numbers from 0 to 1, the same for the same `seed` (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** SHA-256 in lower-case hex. */
export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
