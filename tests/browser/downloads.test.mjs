// Downloads that go wrong, in a real browser over real HTTP: each ends in the whole, checked model or in a typed error,
// never in other bytes. What the store gives out is read back through the reader that the engine uses.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from './lib/chromium.mjs';
import {
  gate,
  ggufBytes,
  randomFrom,
  rangesOf,
  sentBytes,
  serveModels,
  sha256Of,
} from './lib/model-site.mjs';
import { readTestModel, testModel } from './lib/site.mjs';
import { arrived, filesOf, flip, found, kill, obtain, openTab, readBack } from './lib/store-tab.mjs';

const PATH = '/models/m.gguf';
const SIZE = 4_000_000;
const CHUNK = 256 * 1024;
const LANES = 4;

let context;
let site;
let bytes;
let sha256;
let model;
let seed = 0;

before(async () => {
  context = await launch();
});
after(() => context?.close());

beforeEach(async () => {
  // A site of its own for each test is an origin of its own: an empty store. So is a model of its own.
  site = await serveModels();
  seed += 1;
  bytes = ggufBytes(SIZE, seed);
  sha256 = sha256Of(bytes);
  model = { name: 'Test', url: PATH, bytes: SIZE, sha256 };
  serve();
});
afterEach(async () => {
  for (const page of context.pages()) if (page.url().startsWith(site.url)) await page.close();
  await site.close();
});

const serve = (more = {}, path = PATH) => site.files.set(path, { bytes, etag: '"v1"', ...more });
const tab = () => openTab(context, site);
const unhashed = () => ({ name: 'Test', url: PATH });
/** Which bytes of [0, size) the requests asked for, each as often as it was. */
const isPartition = (ranges, size) => {
  let at = 0;
  for (const [start, end] of ranges) {
    assert.equal(start, at, `the ranges ${JSON.stringify(ranges)} leave a hole or overlap`);
    at = end;
  }
  assert.equal(at, size);
};

describe('a download', () => {
  test('comes in parallel ranges, each byte once', async () => {
    serve({ pace: 5 });
    assert.equal(await obtain(await tab(), model), sha256);
    isPartition(rangesOf(site, PATH), SIZE);
    assert.equal(sentBytes(site), SIZE);
    assert.ok(site.most > 1 && site.most <= LANES, `${site.most} requests at once`);
  });

  test('needs no size and no hash, only the address', async () => {
    assert.equal(await obtain(await tab(), `${site.url}${PATH}`), sha256);
    isPartition(rangesOf(site, PATH), SIZE);
  });

  test('cut 100 times at random places ends with the right file', { timeout: 300_000 }, async () => {
    const random = randomFrom(2_026);
    const cuts = () => site.log.filter(({ cut }) => cut).length;
    site.fault = () =>
      cuts() < 100 ? { cutAfter: Math.floor(random() * 70_000), reset: random() < 0.5 } : {};
    assert.equal(await obtain(await tab(), model), sha256);
    assert.ok(cuts() >= 100, `${cuts()} cuts`);
  });

  test('from a server without ranges comes in one stream', async () => {
    serve({ ranges: false });
    assert.equal(await obtain(await tab(), model), sha256);
    assert.deepEqual(
      site.log.map(({ status, sentBytes }) => [status, sentBytes]),
      [[200, SIZE]],
    );
  });

  test('from a server without ranges begins again where it broke', async () => {
    serve({ ranges: false, etag: undefined, chunked: true });
    site.fault = (_, n) => (n === 1 ? { cutAfter: 1_000_000 } : {});
    assert.equal(await obtain(await tab(), unhashed()), sha256);
    assert.deepEqual(
      site.log.map((entry) => entry.range),
      ['bytes=0-1048575', ''],
    );
  });

  test('survives bursts of server errors', async () => {
    site.fault = (_, n) => (n % 5 < 2 ? { status: [500, 502, 503, 504][n % 4] } : {});
    assert.equal(await obtain(await tab(), model), sha256);
    assert.ok(site.log.filter(({ status }) => status >= 500).length >= 2);
  });

  test('waits as long as `Retry-After` says, with every request', async () => {
    let refused;
    site.fault = ({ at }, n) => {
      if (n !== 2) return {};
      refused = at;
      return { status: 429, retryAfter: '3' };
    };
    serve({ pace: 2 });
    assert.equal(await obtain(await tab(), model), sha256);
    const next = site.log.find(({ at }) => at > refused + 200);
    assert.ok(next.at - refused >= 2_950, `asked again after ${next.at - refused} ms`);
  });

  test('of a server that asks for an hour ends at once', async () => {
    site.fault = () => ({ status: 503, retryAfter: '3600' });
    assert.equal(await obtain(await tab(), model), 'server_busy');
    assert.equal(site.log.length, 1);
  });

  test('is not misled by compression, here or across origins', async () => {
    // Compresses well, so that the length on the wire is far from the file's.
    bytes = Buffer.alloc(SIZE, 'GGUF and the like ');
    const other = await serveModels({ sources: false });
    const page = await tab();
    // The other origin says neither its validators nor that it compresses.
    for (const [from, headers] of [
      [site, {}],
      [other, { 'Access-Control-Allow-Origin': '*' }],
    ]) {
      from.files.set(PATH, { bytes, gzip: true, ranges: false, headers });
      // A browser accepts no compression of a range; of the second request, which asks for all, it does.
      from.fault = (_, n) => (n === 1 ? { cutAfter: 1_000_000 } : {});
      assert.equal(await obtain(page, { name: 'Test', url: from.url + PATH }), sha256Of(bytes));
      assert.deepEqual(
        from.log.map(({ zipped }) => Boolean(zipped)),
        [false, true],
      );
    }
    await other.close();
  });

  test('of a server that compresses what must not be ends in an error', async () => {
    serve({ gzip: 'always', ranges: false });
    const page = await tab();
    assert.equal(await obtain(page, model), 'network_failed');
    assert.deepEqual(await filesOf(page), {});
  });

  test('across origins needs no leave for its headers, and still sees a change', async () => {
    const other = await serveModels({ sources: false });
    const headers = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Expose-Headers': 'Content-Range, ETag',
    };
    other.files.set(PATH, { bytes, etag: '"v1"', headers });
    other.fault = (_, n) => {
      if (n === 3) other.files.set(PATH, { bytes: ggufBytes(SIZE, 999), etag: '"v2"', headers });
      return {};
    };
    const page = await tab();
    assert.equal(await obtain(page, { name: 'Away', url: other.url + PATH }), sha256Of(ggufBytes(SIZE, 999)));
    assert.deepEqual([...new Set(other.log.map(({ method }) => method))], ['GET']);
    await other.close();
  });
});

describe('a file that changes on the server', () => {
  const change = (more) => {
    serve({ pace: 5, ...more });
    site.fault = (_, n) => {
      if (n === 3) site.files.set(PATH, { bytes: ggufBytes(SIZE, 77), etag: '"v2"', ...more });
      return n < 3 ? { cutAfter: 500_000 } : {};
    };
  };

  test('is fetched anew, and never mixed', async () => {
    change();
    assert.equal(await obtain(await tab(), unhashed()), sha256Of(ggufBytes(SIZE, 77)));
    // Asked for under the condition that it is the same still.
    assert.ok(site.log.some(({ condition, status }) => condition === '"v1"' && status === 200));
  });

  test('is a wrong hash where one is known', async () => {
    change();
    const page = await tab();
    assert.equal(await obtain(page, model), 'wrong_hash');
    assert.deepEqual(await filesOf(page), {});
  });

  test('without a validator is a wrong hash or the right file, never a mix', async () => {
    change({ etag: undefined });
    assert.equal(await obtain(await tab(), model), 'wrong_hash');
  });
});

describe('a tab that is killed', { timeout: 300_000 }, () => {
  test('in mid-download leaves what arrived to the next one', async () => {
    bytes = ggufBytes(16_000_000, 4711);
    sha256 = sha256Of(bytes);
    model = { name: 'Test', url: PATH, bytes: bytes.length, sha256 };
    const random = randomFrom(5);
    for (let turn = 0; turn < 8; turn++) {
      // Each request gets so far and no further.
      const { until, open } = gate();
      serve({ hold: { after: 200_000 + Math.floor(random() * 300_000), until } });
      const page = await tab();
      const before = await found(page, model);
      assert.equal(before.complete, false);
      const work = obtain(page, model).catch(() => {});
      await arrived(page, before.bytes + 1 + Math.floor(random() * 700_000));
      await kill(context, page);
      open();
      await work;
    }
    serve();
    const before = sentBytes(site);
    const page = await tab();
    const { bytes: kept } = await found(page, model);
    assert.ok(kept >= CHUNK, `${kept} bytes were kept`);
    assert.equal(await obtain(page, model), sha256);
    // Nothing that was kept is fetched again.
    assert.equal(sentBytes(site) - before, bytes.length - kept);
  });

  test('while it checks and commits leaves the whole model or a download that needs no more bytes', async () => {
    const random = randomFrom(6);
    const outcomes = { whole: 0, part: 0 };
    for (let turn = 0; turn < 10; turn++) {
      const path = `/models/${turn}.gguf`;
      const content = ggufBytes(12_000_000, 100 + turn);
      serve({ bytes: content }, path);
      const what = { name: 'Test', url: path, bytes: content.length, sha256: sha256Of(content) };
      const page = await tab();
      const work = obtain(page, what).catch(() => {});
      await arrived(page, 0, 'verifying');
      await sleep(random() * 80);
      await kill(context, page);
      await work;
      const next = await tab();
      const sent = sentBytes(site);
      outcomes[(await found(next, what)).complete ? 'whole' : 'part'] += 1;
      assert.equal(await obtain(next, what), what.sha256);
      assert.equal(sentBytes(site), sent);
      await next.close();
    }
    assert.equal(outcomes.whole + outcomes.part, 10);
  });
});

describe('two tabs', () => {
  test('share one download, and the one that waits sees how far it is', async () => {
    const { until, open } = gate();
    serve({ hold: { after: 300_000, until } });
    const tabs = [await tab(), await tab()];
    const work = Promise.all(tabs.map((page) => obtain(page, model)));
    await Promise.any(tabs.map((page) => arrived(page, 1_000_000, 'waiting')));
    open();
    assert.deepEqual(await work, [sha256, sha256]);
    isPartition(rangesOf(site, PATH), SIZE);
    assert.equal(sentBytes(site), SIZE);
    const seen = await Promise.all(
      tabs.map((page) => page.evaluate(() => window.progress.filter(({ phase }) => phase === 'waiting'))),
    );
    const waited = seen.filter((progress) => progress.length > 0);
    assert.equal(waited.length, 1);
    assert.ok(
      waited[0].some(({ doneBytes, totalBytes }) => doneBytes > 0 && doneBytes < SIZE && totalBytes === SIZE),
    );
  });

  test('the one that waits takes over where the other dies', async () => {
    const { until, open } = gate();
    serve({ hold: { after: 300_000, until } });
    const first = await tab();
    const work = obtain(first, model).catch(() => {});
    await arrived(first, 1_000_000);
    const second = await tab();
    const outcome = obtain(second, model);
    await arrived(second, 1_000_000, 'waiting');
    const killedAt = performance.now();
    await kill(context, first);
    serve();
    open();
    await work;
    assert.equal(await outcome, sha256);
    // What the first had on disk, a chunk of each request, is not fetched again.
    const again = site.log.filter(({ at }) => at > killedAt).reduce((sum, entry) => sum + entry.sentBytes, 0);
    assert.equal(again, SIZE - LANES * CHUNK);
  });

  test('the one that waits fails as the other does, and asks nothing itself', async () => {
    serve({ pace: 10 });
    const wrong = { ...model, sha256: 'a'.repeat(64) };
    const tabs = [await tab(), await tab()];
    assert.deepEqual(await Promise.all(tabs.map((page) => obtain(page, wrong))), [
      'wrong_hash',
      'wrong_hash',
    ]);
    isPartition(rangesOf(site, PATH), SIZE);
  });
});

describe('too little room', () => {
  const limit = async (page, quotaSize) => {
    const cdp = await context.newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', {
      origin: site.url,
      ...(quotaSize ? { quotaSize } : {}),
    });
  };

  test('is told before a byte is fetched, and mended by more', async () => {
    const page = await tab();
    await limit(page, 1_000_000);
    assert.equal(await obtain(page, model), 'quota_exceeded');
    assert.deepEqual([site.log.length, await filesOf(page)], [0, {}]);
    await limit(page);
    assert.equal(await obtain(page, model), sha256);
  });

  test('is told after one request where only the server knows the size', async () => {
    const page = await tab();
    // The browser itself grants room by the megabyte.
    await limit(page, 3_900_000);
    assert.equal(await obtain(page, unhashed()), 'quota_exceeded');
    assert.equal(site.log.length, 1);
    assert.deepEqual(await filesOf(page), {});
  });

  test('while writing what nobody knew the size of is no model', async () => {
    serve({ ranges: false, chunked: true });
    const page = await tab();
    await limit(page, 2_000_000);
    assert.equal(await obtain(page, unhashed()), 'quota_exceeded');
    assert.equal((await found(page, unhashed())).complete, false);
  });
});

describe('a byte flipped on disk', { timeout: 300_000 }, () => {
  test('is noticed when it is read; only its chunk is fetched again', async () => {
    const page = await tab();
    assert.equal(await obtain(page, model), sha256);
    await flip(page, `${sha256}.gguf`, 2_500_000);
    assert.equal(await readBack(page, sha256), 'model_damaged');
    assert.equal((await found(page, model)).complete, false);
    assert.equal(await readBack(page, sha256), 'model_not_stored');
    site.log.length = 0;
    assert.equal(await obtain(page, model), sha256);
    assert.deepEqual(rangesOf(site, PATH), [[9 * CHUNK, 10 * CHUNK]]);
  });

  test('in any file at any place never gives other bytes', async () => {
    const random = randomFrom(9);
    const page = await tab();
    const outcomes = {};
    for (let turn = 0; turn < 40; turn++) {
      assert.equal(await obtain(page, model), sha256, `turn ${turn}`);
      const files = await filesOf(page);
      const names = Object.keys(files).sort();
      assert.deepEqual(names, ['gguf', 'json', 'sums'].map((ending) => `${sha256}.${ending}`).sort());
      const name = names[turn % names.length];
      await flip(page, name, Math.floor(random() * files[name]));
      const outcome = await readBack(page, sha256);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    const { [sha256]: right = 0, model_damaged: damaged = 0 } = outcomes;
    assert.equal(right + damaged, 40, JSON.stringify(outcomes));
    assert.ok(damaged >= 26, `${damaged} of 40 noticed: every one in the model and in the digests must be`);
  });

  test('in a download that was broken off is fetched again', async () => {
    const { until, open } = gate();
    serve({ hold: { after: 600_000, until } });
    const page = await tab();
    const work = obtain(page, model).catch(() => {});
    await arrived(page, 2_000_000);
    await kill(context, page);
    open();
    await work;
    serve();
    const next = await tab();
    await flip(next, `${sha256}.part`, 100);
    assert.equal(await obtain(next, model), sha256);
  });
});

describe('what a model may be', () => {
  test('shards, each checked by itself', async () => {
    const pieces = [
      bytes.subarray(0, 1_500_000),
      bytes.subarray(1_500_000, 1_500_001),
      bytes.subarray(1_500_001),
    ];
    const manifest = {
      name: 'Split',
      url: pieces.map((piece, n) => ({ url: `/models/s${n}`, bytes: piece.length, sha256: sha256Of(piece) })),
    };
    for (const [n, piece] of pieces.entries()) serve({ bytes: piece, etag: `"s${n}"` }, `/models/s${n}`);
    serve({ bytes: Buffer.concat([pieces[2].subarray(1), Buffer.of(0)]), etag: '"bad"' }, '/models/s2');
    const page = await tab();
    assert.equal(await obtain(page, manifest), 'wrong_hash');
    assert.deepEqual(await found(page, manifest), { complete: false, bytes: 1_500_001 });
    site.log.length = 0;
    serve({ bytes: pieces[2], etag: '"s2"' }, '/models/s2');
    assert.equal(await obtain(page, manifest), sha256);
    assert.deepEqual([...new Set(site.log.map(({ path }) => path))], ['/models/s2']);
  });

  test('a file of a hub, whose hash the hub says and whose bytes are elsewhere', async () => {
    const storage = await serveModels({ sources: false });
    storage.files.set(PATH, {
      bytes,
      headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Content-Range' },
    });
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${SIZE}\n`;
    serve({ bytes: Buffer.from(pointer), ranges: false }, '/models/hub/own/repo/raw/main/m.gguf');
    // The headers on the redirect are out of a script's sight, as on the real hub.
    const headers = { 'X-Linked-Etag': `"${'f'.repeat(64)}"`, 'X-Linked-Size': '1' };
    serve({ redirect: storage.url + PATH, headers }, '/models/hub/own/repo/resolve/main/m.gguf');
    const page = await tab();
    assert.equal(await obtain(page, 'hf:own/repo/m.gguf'), sha256);
    isPartition(rangesOf(storage, PATH), SIZE);
    // And a file that is not what the hub says is refused.
    serve(
      { bytes: Buffer.from(pointer.replace(sha256, 'e'.repeat(64))), ranges: false },
      '/models/hub/own/repo/raw/v2/m.gguf',
    );
    serve({ redirect: storage.url + PATH, headers }, '/models/hub/own/repo/resolve/v2/m.gguf');
    assert.equal(await obtain(page, 'hf:own/repo/m.gguf@v2'), 'wrong_hash');
    await storage.close();
  });

  test('a file of a hub that says its hash in headers', async () => {
    const headers = { 'X-Linked-Etag': `"${sha256}"`, 'X-Linked-Size': String(SIZE) };
    serve({ headers }, '/models/hub/own/repo/resolve/main/m.gguf');
    const page = await tab();
    assert.equal(await obtain(page, 'hf:own/repo/m.gguf'), sha256);
    const [{ sha256: known }] = await page.evaluate(() => window.store.list());
    assert.equal(known, sha256);
    assert.equal(await obtain(page, 'hf:own/repo/none.gguf'), 'model_not_found');
  });

  test("the user's own file, used where it is", async () => {
    const page = await tab();
    await page.evaluate(() =>
      document.body.append(Object.assign(document.createElement('input'), { type: 'file' })),
    );
    await page.setInputFiles('input', { name: 'mine.gguf', mimeType: '', buffer: bytes });
    const outcome = await page.evaluate(async () => {
      const { resolveModel } = await import('/src/store/resolve.ts');
      const model = await resolveModel(document.querySelector('input').files[0], location.href);
      const stored = await window.store.fetch(model);
      const { complete } = stored;
      return { name: model.name, complete, sha256: await window.readSha256(stored.key) };
    });
    assert.deepEqual(outcome, { name: 'mine', complete: true, sha256 });
    // Not a request, not a byte copied.
    assert.deepEqual([site.log, await filesOf(page)], [[], {}]);
  });
});

describe('what is stored', () => {
  test('starts without a request, also when the hub and the server are gone', async () => {
    const headers = { 'X-Linked-Etag': `"${sha256}"`, 'X-Linked-Size': String(SIZE) };
    serve({ headers }, '/models/hub/own/repo/resolve/main/m.gguf');
    const first = await tab();
    assert.equal(await obtain(first, 'hf:own/repo/m.gguf'), sha256);
    await first.close();
    const page = await tab();
    // The store's own script is the page's to have.
    await page.evaluate(() => window.store.list());
    site.log.length = 0;
    await context.setOffline(true);
    try {
      assert.equal(await obtain(page, 'hf:own/repo/m.gguf'), sha256);
    } finally {
      await context.setOffline(false);
    }
    assert.deepEqual(site.log, []);
  });

  test('is listed, weighed and removed', async () => {
    serve({ bytes: ggufBytes(1_000_000, 500) }, '/models/other.gguf');
    const page = await tab();
    await obtain(page, model);
    await obtain(page, `${site.url}/models/other.gguf?signature=secret`);
    const [listed, usage] = await page.evaluate(async () => [
      await window.store.list(),
      await window.store.usage(),
    ]);
    assert.deepEqual(
      listed.map(({ name, url, complete, bytes, totalBytes }) => ({
        name,
        url,
        complete,
        bytes,
        totalBytes,
      })),
      [
        { name: 'Test', url: site.url + PATH, complete: true, bytes: SIZE, totalBytes: SIZE },
        {
          name: 'other',
          url: `${site.url}/models/other.gguf`,
          complete: true,
          bytes: 1_000_000,
          totalBytes: 1_000_000,
        },
      ].sort(
        (a, b) =>
          listed.findIndex(({ name }) => name === a.name) - listed.findIndex(({ name }) => name === b.name),
      ),
    );
    assert.ok(usage.modelBytes >= SIZE + 1_000_000 && usage.modelBytes < SIZE + 1_010_000);
    assert.ok(usage.originBytes >= usage.modelBytes && usage.quotaBytes > usage.originBytes);
    await page.evaluate(async (key) => window.store.remove(key), listed[0].key);
    const left = await page.evaluate(() => window.store.list());
    assert.deepEqual(left, [listed[1]]);
    assert.equal(Object.keys(await filesOf(page)).length, 3);
  });

  test('is not removed while it is being downloaded', async () => {
    const { until, open } = gate();
    serve({ hold: { after: 300_000, until } });
    const page = await tab();
    const work = obtain(page, model);
    await arrived(page, 500_000);
    const refused = await page.evaluate(
      (key) => window.store.remove(key).catch((error) => error.code),
      sha256,
    );
    assert.equal(refused, 'store_busy');
    open();
    assert.equal(await work, sha256);
  });
});

describe('what is refused, with nothing kept', () => {
  const CASES = [
    ['a model that is not there', 'model_not_found', () => site.files.delete(PATH)],
    [
      'one that is not allowed',
      'access_denied',
      () => {
        site.fault = () => ({ status: 403 });
      },
    ],
    ['another file of the same size', 'wrong_hash', () => serve({ bytes: ggufBytes(SIZE, 1234) })],
    ['a truncated file', 'wrong_size', () => serve({ bytes: bytes.subarray(0, SIZE - 1) })],
    [
      'a web page',
      'not_gguf',
      () => {
        serve({ bytes: Buffer.from('<!doctype html><title>Sign in</title>') });
        delete model.bytes;
      },
    ],
  ];
  for (const [name, code, prepare] of CASES) {
    test(`${name}: ${code}`, async () => {
      prepare();
      const page = await tab();
      assert.equal(await obtain(page, model), code);
      assert.deepEqual(await filesOf(page), {});
    });
  }
});

describe('the engine', { timeout: 600_000 }, () => {
  const ask = (page, source) =>
    page.evaluate(async (source) => {
      const { openSession } = await import('/src/engine/session.ts');
      const file = document.querySelector('input')?.files[0];
      const { resolveModel } = await import('/src/store/resolve.ts');
      const model = source ?? (await resolveModel(file, location.href));
      const { key } = await window.store.fetch({ ...model, url: new URL(model.url, location.href).href });
      try {
        const { engine } = await openSession(key, 'cpu', { contextTokens: 128 });
        const answer = engine.generate({
          prompt: { raw: 'The sea is' },
          maxTokens: 4,
          sampling: { temperature: 0 },
        });
        await answer.done;
        engine.close();
        return answer.text;
      } catch (error) {
        return error.code;
      }
    }, source);

  test('gives no answer from a damaged model, and the same as ever from a mended one', async () => {
    bytes = readTestModel();
    sha256 = sha256Of(bytes);
    model = { name: 'Real', url: PATH, bytes: bytes.length, sha256 };
    serve();
    const page = await tab();
    const text = await ask(page, model);
    assert.ok(text.length > 4, text);
    // In a weight, and in the vocabulary.
    for (const offset of [70_000_001, 400_000]) {
      await flip(page, `${sha256}.gguf`, offset);
      assert.equal(await ask(page, model), 'model_damaged');
      site.log.length = 0;
      assert.equal(await ask(page, model), text);
      assert.equal(sentBytes(site), CHUNK);
    }
  });

  test("answers from the user's own file without a request for it or a copy of it", async () => {
    const page = await tab();
    await page.evaluate(() =>
      document.body.append(Object.assign(document.createElement('input'), { type: 'file' })),
    );
    await page.setInputFiles('input', testModel());
    const text = await ask(page, undefined);
    assert.ok(text.length > 4, text);
    assert.deepEqual([site.log, await filesOf(page)], [[], {}]);
  });
});
