// What is kept: too little room, bytes that change on the disk, lists and removal. The store's bytes are read back
// through the reader that the engine uses.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { context, model, PATH, SIZE, serve, setUp, sha256, site, tab, unhashed } from './lib/downloads.mjs';
import { gate, ggufBytes, randomFrom, rangesOf } from './lib/model-site.mjs';
import { arrived, filesOf, flip, found, kill, obtain, readBack } from './lib/store-tab.mjs';

const CHUNK = 256 * 1024;

setUp();

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

  test('while writing what nobody knew the size of is not a model', async () => {
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
