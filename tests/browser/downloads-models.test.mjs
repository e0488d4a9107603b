// What a model may be: shards, files of a hub, the user's own file; and that the engine answers from what is stored.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assertPartition,
  bytes,
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
import { rangesOf, sentBytes, serveModels, sha256Of } from './lib/model-site.mjs';
import { readTestModel, testModel } from './lib/site.mjs';
import { filesOf, flip, found, obtain } from './lib/store-tab.mjs';

const CHUNK = 256 * 1024;

setUp();

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
    assertPartition(rangesOf(storage, PATH), SIZE);
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
    useModel(readTestModel(), 'Real');
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
