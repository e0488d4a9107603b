// Tabs that share a download, are killed in the middle of one, or change their mind.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  assertPartition,
  bytes,
  context,
  model,
  PATH,
  SIZE,
  serve,
  setUp,
  sha256,
  site,
  tab,
  useModel,
} from './lib/downloads.mjs';
import { gate, ggufBytes, randomFrom, rangesOf, sentBytes, sha256Of } from './lib/model-site.mjs';
import { arrived, found, kill, obtain } from './lib/store-tab.mjs';

const CHUNK = 256 * 1024;
const LANES = 4;

setUp();

describe('a download that is cancelled', () => {
  test('before the store has opened its folder asks nothing, and the next one is whole', async () => {
    const page = await tab();
    // As React does in development: mounted, unmounted and mounted again at once.
    const outcomes = await page.evaluate(async (source) => {
      const model = await window.modelOf(source);
      const first = new AbortController();
      const cancelled = window.store.fetch(model, { signal: first.signal }).catch((error) => error.code);
      first.abort();
      const second = window.store.fetch(model).then(({ complete }) => complete);
      return [await cancelled, await second];
    }, model);
    assert.deepEqual(outcomes, ['cancelled', true]);
    assertPartition(rangesOf(site, PATH), SIZE);
    assert.equal(await obtain(page, model), sha256);
  });
});

describe('a tab that is killed', { timeout: 300_000 }, () => {
  test('in mid-download leaves what arrived to the next one', async () => {
    useModel(ggufBytes(16_000_000, 4711));
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
    assertPartition(rangesOf(site, PATH), SIZE);
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
    assertPartition(rangesOf(site, PATH), SIZE);
  });
});
