import { beforeEach, describe, expect, it } from 'vitest';
import { InshoreError } from '../error';
import { type DownloadWorld, download } from './download';
import { CHUNK_BYTES } from './layout';
import {
  ggufBytes,
  Killed,
  MemoryServer,
  MemoryStorage,
  randomFrom,
  type Served,
  sha256Of,
} from './memory.testing';
import type { ModelRef } from './model';

const ORIGIN = 'https://page.test';
const FILE = ggufBytes(3_000_000);
const SHA256 = sha256Of(FILE);
const model = (more: Partial<ModelRef> = {}): ModelRef => ({
  name: 'Tiny',
  url: `${ORIGIN}/m.gguf`,
  bytes: FILE.length,
  sha256: SHA256,
  ...more,
});
const unhashed = model({ sha256: undefined, bytes: undefined });

let server: MemoryServer;
let storage: MemoryStorage;
let waits: number[];
beforeEach(() => {
  server = new MemoryServer();
  storage = new MemoryStorage();
  waits = [];
});

const serve = (file: Partial<Served> = {}, path = '/m.gguf') =>
  server.files.set(path, { bytes: FILE, etag: '"v1"', ...file });

function world(more: Partial<DownloadWorld> = {}): DownloadWorld {
  let now = 0;
  return {
    origin: ORIGIN,
    fetch: server.fetch,
    sleep: async (ms) => {
      waits.push(ms);
      now += ms;
    },
    now: () => now,
    checkRoom: async () => {},
    onProgress: () => {},
    signal: new AbortController().signal,
    ...more,
  };
}

const run = (what = model(), more: Partial<DownloadWorld> = {}) => download(what, storage, world(more));
const kept = () => storage.files.get('gguf');
/** Comparing arrays of millions element by element takes seconds. */
const keptSha256 = () => sha256Of(kept() ?? new Uint8Array(0));
const code = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!InshoreError.is(error)) throw error ?? new Error('it did not fail');
  return error.code;
};
/** First bytes of the ranges that were asked for. */
const starts = () =>
  server.requests.map((range) => Number(/\d+/.exec(range)?.[0] ?? -1)).sort((a, b) => a - b);

describe('a download', () => {
  it('comes in several ranges at once, each byte once', async () => {
    serve();
    await expect(run()).resolves.toBe(FILE.length);
    expect(keptSha256()).toBe(SHA256);
    expect(starts()).toEqual([0, 1_048_576, 2_097_152]);
    expect(server.sentBytes).toBe(FILE.length);
  });

  it('needs neither size nor hash beforehand', async () => {
    serve();
    await run(unhashed);
    expect(keptSha256()).toBe(SHA256);
    expect(server.sentBytes).toBe(FILE.length);
  });

  it('goes on inside a range after a cut, and waits in between', async () => {
    serve();
    server.fault = (n) => (n === 1 ? { cutAfter: 100_000 } : {});
    await run();
    expect(keptSha256()).toBe(SHA256);
    expect(server.requests).toContain('bytes=100000-1048575');
    expect(waits).toEqual([250]);
    expect(server.sentBytes).toBe(FILE.length);
  });

  it('takes one stream where there are no ranges', async () => {
    serve({ ranges: false });
    await run();
    expect(keptSha256()).toBe(SHA256);
    expect(server.requests).toEqual(['bytes=0-1048575']);
  });

  it('takes a stream of unknown length', async () => {
    serve({ ranges: false, chunked: true });
    await expect(run(unhashed)).resolves.toBe(FILE.length);
    expect(keptSha256()).toBe(SHA256);
  });

  it('begins a broken stream again, and does not put two together', async () => {
    serve({ ranges: false });
    server.fault = (n) => (n === 1 ? { cutAfter: 1_000_000 } : {});
    await run(unhashed);
    expect(keptSha256()).toBe(SHA256);
    expect(server.requests).toEqual(['bytes=0-1048575', '']);
  });

  it('without hash and validator comes in one answer only', async () => {
    serve({ etag: undefined });
    await run(unhashed);
    expect(keptSha256()).toBe(SHA256);
    expect(server.requests).toEqual(['bytes=0-1048575', '']);
  });

  it('gives up on a stream that never gets further', async () => {
    serve({ ranges: false });
    server.fault = () => ({ cutAfter: 1_000_000 });
    await expect(code(run())).resolves.toBe('network_failed');
    expect(server.requests).toHaveLength(7);
  });

  it('gives up after seven attempts without a byte, and says so', async () => {
    serve();
    server.fault = () => ({ refuse: true });
    await expect(code(run())).resolves.toBe('network_failed');
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000]);
    expect(storage.files.size).toBe(0);
  });

  it('waits as long as a busy server asks, and asks less at once', async () => {
    serve({ bytes: ggufBytes(9_000_000) });
    server.fault = (n) => (n === 2 ? { status: 429, retryAfter: '20' } : {});
    await run(model({ bytes: undefined, sha256: sha256Of(ggufBytes(9_000_000)) }));
    expect(kept()?.length).toBe(9_000_000);
    expect(Math.max(...waits)).toBeGreaterThan(19_000);
  });

  it('keeps what arrived when it is paused, and goes on from there', async () => {
    serve();
    const controller = new AbortController();
    const onProgress: DownloadWorld['onProgress'] = ({ doneBytes }) =>
      doneBytes > 2_000_000 && controller.abort();
    await expect(code(run(model(), { signal: controller.signal, onProgress }))).resolves.toBe('cancelled');
    const before = server.sentBytes;
    await run();
    expect(keptSha256()).toBe(SHA256);
    // At most the chunk that each lane had begun comes again.
    expect(server.sentBytes - before).toBeLessThan(FILE.length - 2_000_000 + 4 * CHUNK_BYTES);
  });
});

describe('a file that changes on the server', () => {
  const NEW = ggufBytes(3_000_000, 2);
  const changeAfter = (request: number) => {
    server.fault = (n) => {
      if (n === request) serve({ bytes: NEW, etag: '"v2"' });
      return n < request ? { cutAfter: 300_000 } : {};
    };
  };

  it('is fetched anew from the start', async () => {
    serve();
    changeAfter(2);
    await run(unhashed);
    expect(keptSha256()).toBe(sha256Of(NEW));
  });

  it('is refused where another one was asked for', async () => {
    serve();
    changeAfter(2);
    await expect(code(run())).resolves.toBe('wrong_hash');
    expect(storage.files.size).toBe(0);
  });

  it('between two visits is not put together with the old one', async () => {
    serve();
    storage.revive(20);
    await expect(run(unhashed)).rejects.toBeInstanceOf(Killed);
    storage.revive();
    serve({ bytes: NEW, etag: '"v2"' });
    await run(unhashed);
    expect(keptSha256()).toBe(sha256Of(NEW));
  });

  it('unnoticed (no validator) costs another download, not a wrong model', async () => {
    serve({ bytes: NEW, etag: undefined });
    server.fault = (n) => {
      if (n === 2) serve({ etag: undefined });
      return {};
    };
    await run();
    expect(keptSha256()).toBe(SHA256);
  });

  it('all the time ends in an error', async () => {
    serve();
    server.fault = (n) => {
      serve({ etag: `"v${n}"` });
      return n % 2 === 1 ? { cutAfter: 1000 } : {};
    };
    await expect(code(run(unhashed))).resolves.toBe('model_changed');
  });
});

describe('what is refused', () => {
  it.each([
    ['another size', { bytes: FILE.slice(0, 2_999_999) }, {}, 'wrong_size'],
    ['another content', { bytes: ggufBytes(3_000_000, 2) }, {}, 'wrong_hash'],
    ['no model', { bytes: new TextEncoder().encode('<!doctype html>') }, { bytes: undefined }, 'not_gguf'],
    ['a stream too long', { bytes: ggufBytes(3_000_001), ranges: false, chunked: true }, {}, 'wrong_size'],
    ['nothing', { bytes: new Uint8Array(0) }, { bytes: undefined }, 'not_gguf'],
  ])('%s, and nothing is kept', async (_, file, more, expected) => {
    serve(file);
    await expect(code(run(model(more)))).resolves.toBe(expected);
    expect(storage.files.size).toBe(0);
  });

  it('a download without room, before the server is asked', async () => {
    serve();
    storage.limit = FILE.length - 1;
    await expect(code(run())).resolves.toBe('quota_exceeded');
    expect(server.requests).toEqual([]);
    storage.limit = FILE.length;
    await run();
    expect(keptSha256()).toBe(SHA256);
  });
});

describe('a disk that does not keep what is written to it', () => {
  it('has its damaged chunk fetched again, and only that', async () => {
    serve();
    // Killed just before the commit: all is here.
    await run();
    const operations = storage.operations;
    storage.files.clear();
    storage.revive(operations - 1);
    await expect(run()).rejects.toBeInstanceOf(Killed);
    storage.revive();
    const part = storage.files.get('part');
    if (part !== undefined) part[1_500_000] = (part[1_500_000] ?? 0) ^ 1;
    server.requests.length = 0;
    await run();
    expect(keptSha256()).toBe(SHA256);
    expect(server.requests).toEqual(['bytes=1310720-1572863']);
  });

  it('ends in an error where it stays so', async () => {
    serve();
    const { open } = storage;
    storage.open = async () => {
      const files = await open();
      const { read } = files.data;
      const flipped = (length: number, at: number): Uint8Array =>
        read(length, at).map((byte, i) => (at + i === 99 ? ~byte : byte));
      return { ...files, data: { ...files.data, read: flipped } };
    };
    await expect(code(run())).resolves.toBe('write_failed');
    expect(kept()).toBeUndefined();
  });
});

describe('files of the store that were damaged', () => {
  const contents: [string, Uint8Array][] = [
    ['empty', new Uint8Array(0)],
    ['zeros', new Uint8Array(400)],
    ['text', new TextEncoder().encode('{"version":1,')],
    ['another record', new TextEncoder().encode('{"version":1,"name":"x","url":"x","parts":[{"bytes":5}]}')],
    ['random', ggufBytes(5000, 77).slice(8)],
  ];
  const cases = ['json', 'sums', 'part'].flatMap((file) =>
    contents.map(([what, bytes]): [string, string, Uint8Array] => [file, what, bytes]),
  );

  it.each(cases)('%s: %s', async (file, _, bytes) => {
    serve();
    storage.revive(30);
    await expect(run()).rejects.toBeInstanceOf(Killed);
    storage.revive();
    storage.files.set(file, bytes.slice());
    await run();
    expect(keptSha256()).toBe(SHA256);
  });
});

describe('a tab killed at every single write', () => {
  it.each([
    ['hashed', model()],
    ['not hashed', unhashed],
  ])(
    'leaves the whole model or none (%s)',
    async (_, what) => {
      serve();
      await run(what);
      const operations = storage.operations;
      expect(operations).toBeGreaterThan(20);
      for (let life = 0; life < operations; life++) {
        storage.files.clear();
        storage.revive(life);
        await expect(run(what)).rejects.toBeInstanceOf(Killed);
        expect(kept()).toBeUndefined();
        storage.revive();
        await run(what);
        expect(keptSha256()).toBe(SHA256);
      }
    },
    60_000,
  );
});

describe('shards', () => {
  const pieces = [FILE.slice(0, 1_000_000), FILE.slice(1_000_000, 1_300_000), FILE.slice(1_300_000)];
  const sharded = (): ModelRef => {
    const shards = pieces.map((bytes, n) => ({
      url: `${ORIGIN}/s${n}`,
      bytes: bytes.length,
      sha256: sha256Of(bytes),
    }));
    return model({ url: `${ORIGIN}/s0`, sha256: undefined, shards });
  };
  const serveShards = () => {
    for (const [n, bytes] of pieces.entries()) serve({ bytes, etag: `"s${n}"` }, `/s${n}`);
  };

  it('make one file', async () => {
    serveShards();
    server.fault = (n) => (n === 3 ? { cutAfter: 10_000 } : {});
    await run(sharded());
    expect(keptSha256()).toBe(SHA256);
    expect(server.sentBytes).toBe(FILE.length);
  });

  it('are checked each by itself: a wrong one costs itself alone', async () => {
    serveShards();
    serve({ bytes: ggufBytes(300_000, 9), etag: '"wrong"' }, '/s1');
    await expect(download(sharded(), storage, world())).rejects.toThrow(/Shard 2 of 3/);
    expect(kept()).toBeUndefined();
    serveShards();
    const before = server.sentBytes;
    await run(sharded());
    expect(keptSha256()).toBe(SHA256);
    expect(server.sentBytes - before).toBe(300_000);
  });

  it('are checked as a whole too', async () => {
    serveShards();
    await expect(code(run({ ...sharded(), sha256: 'b'.repeat(64) }))).resolves.toBe('wrong_hash');
    expect(storage.files.size).toBe(0);
  });
});

describe('a model on a hub', () => {
  const onHub = model({ sha256: undefined, bytes: undefined, pointerUrl: `${ORIGIN}/raw` });
  const pointer = (sha256: string) =>
    serve(
      {
        bytes: new TextEncoder().encode(
          `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${FILE.length}\n`,
        ),
        ranges: false,
      },
      '/raw',
    );

  it('is checked against the hash of the hub', async () => {
    pointer(SHA256);
    serve();
    await run(onHub);
    expect(keptSha256()).toBe(SHA256);
    pointer('c'.repeat(64));
    storage.files.clear();
    await expect(code(run(onHub))).resolves.toBe('wrong_hash');
  });

  it('keeps the hash that the hub has said, where the hub says none later', async () => {
    pointer(SHA256);
    serve();
    storage.revive(20);
    await expect(run(onHub)).rejects.toBeInstanceOf(Killed);
    storage.revive();
    server.files.delete('/raw');
    serve({ bytes: ggufBytes(3_000_000, 2) });
    await expect(code(run(onHub))).resolves.toBe('wrong_hash');
    expect(kept()).toBeUndefined();
  });

  it('is finished without a request where only the commit is left', async () => {
    pointer(SHA256);
    serve();
    await run(onHub);
    const { operations } = storage;
    storage.files.clear();
    storage.revive(operations - 1);
    await expect(run(onHub)).rejects.toBeInstanceOf(Killed);
    storage.revive();
    server.requests.length = 0;
    await run(onHub);
    expect([server.requests, keptSha256()]).toEqual([[], SHA256]);
  });
});

describe('random faults', () => {
  it('end with the right bytes or a typed error', async () => {
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= 150; seed++) {
      const random = randomFrom(seed);
      server = new MemoryServer();
      storage = new MemoryStorage();
      const bytes = ggufBytes(1 + Math.floor(random() * 600_000), seed);
      const what = model({ bytes: bytes.length, sha256: sha256Of(bytes) });
      const ranges = random() < 0.7;
      const etag = random() < 0.7 ? '"e"' : undefined;
      serve({ bytes, ranges, etag });
      server.fault = () => {
        const dice = random();
        if (dice < 0.2) return { cutAfter: Math.floor(random() * 200_000) };
        if (dice < 0.3) return { status: [500, 503, 429][Math.floor(random() * 3)] ?? 500 };
        if (dice < 0.35) return { refuse: true };
        if (dice < 0.37) serve({ bytes: ggufBytes(bytes.length, seed + 1), ranges, etag: etag && '"f"' });
        return {};
      };
      let outcome = 'whole';
      for (let visit = 0; visit < 20 && kept() === undefined; visit++) {
        storage.revive(random() < 0.5 ? Math.floor(random() * 40) : Number.POSITIVE_INFINITY);
        outcome = await run(what).then(
          () => 'whole',
          (error: unknown) => {
            if (error instanceof Killed) return 'killed';
            if (!InshoreError.is(error)) throw error;
            return error.code;
          },
        );
        if (outcome !== 'whole' && outcome !== 'killed') break;
      }
      if (kept() !== undefined) expect(sha256Of(kept() ?? bytes), `seed ${seed}`).toBe(what.sha256);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(outcomes.get('whole')).toBeGreaterThan(100);
    expect([...outcomes.keys()].sort()).toEqual(expect.arrayContaining(['whole', 'wrong_hash']));
    expect(outcomes.has('internal')).toBe(false);
  }, 60_000);
});
