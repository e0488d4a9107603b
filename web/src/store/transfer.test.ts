import { describe, expect, it } from 'vitest';
import { InshoreError } from '../error';
import { quotaExceeded } from './resume';
import { type PartFile, type TransferWorld, transfer } from './transfer';

const FILE = Uint8Array.from({ length: 1000 }, (_, i) => ('GGUF'.charCodeAt(i) || i) & 255);

class MemoryPart implements PartFile {
  bytes = new Uint8Array(0);
  limit = Number.POSITIVE_INFINITY;
  size = () => this.bytes.length;
  read = (length: number, at: number) => this.bytes.slice(at, at + length);
  reserve = (total: number) => this.#check(total);
  flush = () => {};
  truncate(size: number): void {
    this.bytes = this.bytes.slice(0, size);
  }
  write(bytes: Uint8Array, at: number): void {
    this.#check(at + bytes.length);
    const grown = new Uint8Array(Math.max(this.bytes.length, at + bytes.length));
    grown.set(this.bytes);
    grown.set(bytes, at);
    this.bytes = grown;
  }
  #check(size: number): void {
    if (size > this.limit) throw quotaExceeded('full');
  }
}

type Serve = (offset: number, attempt: number) => Response | Error;

function world(serve: Serve, more: Partial<TransferWorld> = {}) {
  const ranges: (string | null)[] = [];
  const waits: number[] = [];
  const made: TransferWorld = {
    fetch: async (_url, init) => {
      const range = new Headers(init.headers).get('range');
      ranges.push(range);
      const answer = serve(Number(/\d+/.exec(range ?? '0')), ranges.length);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    sleep: async (ms) => void waits.push(ms),
    freeBytes: async () => undefined,
    onProgress: () => {},
    signal: new AbortController().signal,
    ...more,
  };
  return { made, ranges, waits };
}

/** A proper answer, whose body breaks off (or ends) after `length` bytes. */
function body(offset: number, options: { length?: number; breaks?: boolean; etag?: string } = {}): Response {
  const { length = FILE.length, breaks = false, etag } = options;
  const chunks = [FILE.slice(offset, Math.min(offset + length, FILE.length))];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk !== undefined) controller.enqueue(chunk);
      else if (breaks) controller.error(new TypeError('network error'));
      else controller.close();
    },
  });
  const headers = new Headers({ 'content-length': String(FILE.length - offset) });
  if (etag !== undefined) headers.set('etag', etag);
  if (offset > 0) headers.set('content-range', `bytes ${offset}-${FILE.length - 1}/${FILE.length}`);
  return new Response(stream, { status: offset > 0 ? 206 : 200, headers });
}

const job = (part: PartFile, expectedBytes: number | undefined = FILE.length) => ({
  url: 'https://host.test/m.gguf',
  part,
  expectedBytes,
});

describe('transfer', () => {
  it('brings the whole file', async () => {
    const part = new MemoryPart();
    const { made, ranges } = world((offset) => body(offset));
    await expect(transfer(job(part), made)).resolves.toBe(FILE.length);
    expect(part.bytes).toEqual(FILE);
    expect(ranges).toEqual([null]);
  });

  it('goes on where the connection broke, and waits in between', async () => {
    const part = new MemoryPart();
    const { made, ranges, waits } = world((offset, n) =>
      body(offset, n < 4 ? { length: 100, breaks: true } : {}),
    );
    await transfer(job(part), made);
    expect(part.bytes).toEqual(FILE);
    expect(ranges).toEqual([null, 'bytes=100-', 'bytes=200-', 'bytes=300-']);
    // Bytes keep coming: no reason to wait longer each time.
    expect(waits).toEqual([500, 500, 500]);
  });

  it('does not take a body that ends early for the whole', async () => {
    const part = new MemoryPart();
    const { made, ranges } = world((offset, n) => body(offset, n === 1 ? { length: 400 } : {}));
    await transfer(job(part), made);
    expect(part.bytes).toEqual(FILE);
    expect(ranges).toEqual([null, 'bytes=400-']);
  });

  it('fetches nothing where the part is whole already', async () => {
    const part = new MemoryPart();
    part.write(FILE, 0);
    const { made, ranges } = world(() => new Error('not to be asked'));
    await expect(transfer(job(part), made)).resolves.toBe(FILE.length);
    expect(ranges).toEqual([]);
  });

  it('gives up after six attempts without a byte, keeps the part, and says so', async () => {
    const part = new MemoryPart();
    const { made, waits } = world((offset, n) =>
      n === 1 ? body(offset, { length: 64, breaks: true }) : new TypeError('offline'),
    );
    await expect(transfer(job(part), made)).rejects.toMatchObject({ code: 'network_failed' });
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
    expect(part.size()).toBe(64);
  });

  it('begins again when the file on the server changed', async () => {
    const part = new MemoryPart();
    const { made, ranges } = world((offset, n) =>
      n === 1 ? body(offset, { length: 300, breaks: true, etag: '"old"' }) : body(offset, { etag: '"new"' }),
    );
    await transfer(job(part), made);
    expect(part.bytes).toEqual(FILE);
    expect(ranges).toEqual([null, 'bytes=300-', null]);
  });

  it('throws a part away that is longer than the model', async () => {
    const part = new MemoryPart();
    part.write(new Uint8Array(1200), 0);
    const { made, ranges } = world((offset) => body(offset));
    await transfer(job(part), made);
    expect(part.bytes).toEqual(FILE);
    expect(ranges).toEqual([null]);
  });

  it('refuses another size before it writes', async () => {
    const part = new MemoryPart();
    const { made } = world((offset) => body(offset));
    await expect(transfer(job(part, 999), made)).rejects.toMatchObject({ code: 'wrong_size' });
    expect(part.size()).toBe(0);
  });

  it('refuses what does not start like a GGUF file, also in single bytes', async () => {
    const part = new MemoryPart();
    const page = new TextEncoder().encode('GGUx');
    const { made } = world(
      () =>
        new Response(
          new ReadableStream({
            start(controller) {
              for (const byte of page) controller.enqueue(Uint8Array.of(byte));
              controller.close();
            },
          }),
        ),
    );
    await expect(transfer(job(part, undefined), made)).rejects.toMatchObject({ code: 'not_gguf' });
    expect(part.size()).toBe(0);
  });

  it('refuses an empty file', async () => {
    const { made } = world(() => new Response(''));
    await expect(transfer(job(new MemoryPart(), undefined), made)).rejects.toBeInstanceOf(InshoreError);
  });

  it('asks for room before it asks the server', async () => {
    const part = new MemoryPart();
    part.limit = 999;
    const { made, ranges } = world((offset) => body(offset));
    await expect(transfer(job(part), made)).rejects.toMatchObject({ code: 'quota_exceeded' });
    const told = world((offset) => body(offset), { freeBytes: async () => 999 });
    await expect(transfer(job(new MemoryPart()), told.made)).rejects.toMatchObject({
      code: 'quota_exceeded',
    });
    expect([...ranges, ...told.ranges]).toEqual([]);
  });

  it('stops when it is paused, and keeps what arrived', async () => {
    const controller = new AbortController();
    const part = new MemoryPart();
    const { made } = world((offset) => body(offset, { length: 500, breaks: true }), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(transfer(job(part), made)).rejects.toMatchObject({ code: 'cancelled' });
    expect(part.size()).toBe(500);
  });
});
