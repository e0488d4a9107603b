// Downloads that go wrong: each must end in the whole, checked model or in a typed error that the page shows.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { openPage, shownError, waitForEngine } from './lib/inshore-page.mjs';
import { modelOf, readTestModel, serveFaulty } from './lib/site.mjs';

// Starts like a GGUF file and is none: enough for the store, and a typed error from the engine.
const small = () => modelOf(Buffer.concat([Buffer.from('GGUF'), randomBytes(4_000_000)]));

let context;
before(async () => {
  context = await launch();
});
after(() => context.close());

async function withPage(site, run, query = { device: 'cpu' }) {
  const page = await openPage(context, site.url, query);
  try {
    await run(page);
    assert.deepEqual(page.problems, [], 'uncaught errors on the page');
  } finally {
    await page.close();
    await site.close();
  }
}

const download = (page) => page.getByTestId('download').click();

/** Waits until the page has `amount` on disk. */
const arrived = (page, amount) =>
  page
    .getByTestId('progress-text')
    .filter({ hasText: `${amount} ` })
    .waitFor();

/** What the store says of the page's model: complete or not, and how many bytes. */
const stored = (page) =>
  page.evaluate(async () => {
    const { models } = await (await fetch('/models/manifest.json')).json();
    const { complete, bytes } = await window.inshore.store.find({
      ...models[0],
      url: location.origin + models[0].url,
    });
    return { complete, bytes };
  });

test('a connection that breaks is resumed where it broke, and the model answers', {
  timeout: 300_000,
}, async () => {
  const model = modelOf(readTestModel());
  const site = await serveFaulty({
    model,
    onModel: (_request, _response, send) => send(site.requests.length === 1 ? { until: 40_000_000 } : {}),
  });
  await withPage(site, async (page) => {
    await download(page);
    await arrived(page, '40 MB');
    site.cut();
    await waitForEngine(page);
    assert.deepEqual(site.requests, ['', 'bytes=40000000-']);
  });
});

test('a download that a reload cuts off goes on from its part', async () => {
  const site = await serveFaulty({
    model: small(),
    onModel: (_request, _response, send) => send(site.requests.length === 1 ? { until: 2_500_000 } : {}),
  });
  await withPage(site, async (page) => {
    await download(page);
    await arrived(page, '2.5 MB');
    await page.reload();
    await page.getByTestId('download').filter({ hasText: 'Resume' }).click();
    // The file is whole but no model: the store is content, the engine says what it is.
    await shownError(page);
    assert.deepEqual(site.requests, ['', 'bytes=2500000-']);
    assert.deepEqual(await stored(page), { complete: true, bytes: 4_000_004 });
  });
});

test('pause keeps the part, resume goes on from it', async () => {
  const site = await serveFaulty({
    model: small(),
    onModel: (_request, _response, send) => send(site.requests.length === 1 ? { until: 1_500_000 } : {}),
  });
  await withPage(site, async (page) => {
    await download(page);
    await arrived(page, '1.5 MB');
    await page.getByTestId('pause').click();
    await page.getByTestId('download').filter({ hasText: 'Resume' }).click();
    await shownError(page);
    assert.deepEqual(site.requests, ['', 'bytes=1500000-']);
  });
});

test('a server that ignores ranges sends everything again', async () => {
  const model = small();
  const site = await serveFaulty({
    model,
    onModel: (_request, response, send) => {
      if (site.requests.length === 1) return send({ until: 1_000_000 });
      response.writeHead(200, { 'Content-Length': model.bytes.length });
      return response.end(model.bytes);
    },
  });
  await withPage(site, async (page) => {
    await download(page);
    await arrived(page, '1.0 MB');
    site.cut();
    await shownError(page);
    assert.deepEqual(site.requests, ['', 'bytes=1000000-']);
    assert.deepEqual(await stored(page), { complete: true, bytes: 4_000_004 });
  });
});

test('two tabs download once', async () => {
  const site = await serveFaulty({
    model: small(),
    onModel: (_request, _response, send) => setTimeout(send, 500),
  });
  await withPage(site, async (page) => {
    const other = await openPage(context, site.url, { device: 'cpu' });
    await Promise.all([download(page), download(other)]);
    await Promise.all([shownError(page), shownError(other)]);
    assert.deepEqual(site.requests, ['']);
    assert.equal((await stored(other)).complete, true);
    await other.close();
  });
});

const FAILURES = [
  {
    name: 'not there',
    code: 'model_not_found',
    onModel: (_request, response) => response.writeHead(404).end(),
  },
  {
    name: 'not allowed',
    code: 'access_denied',
    onModel: (_request, response) => response.writeHead(403).end(),
  },
  { name: 'another file of the same size', code: 'wrong_hash', entry: { sha256: 'a'.repeat(64) } },
  { name: 'a truncated file', code: 'wrong_size', entry: { bytes: 5_000_000 } },
  {
    name: 'a web page instead of a model',
    code: 'not_gguf',
    entry: { bytes: undefined },
    onModel: (_request, response) => response.writeHead(200).end('<!doctype html><title>Sign in</title>'),
  },
];

for (const { name, code, entry, onModel } of FAILURES) {
  test(`${name}: ${code}, and nothing is kept`, async () => {
    const model = small();
    Object.assign(model.entry, entry);
    const site = await serveFaulty({ model, onModel });
    await withPage(site, async (page) => {
      await download(page);
      assert.equal(await shownError(page), code);
      assert.deepEqual(await stored(page), { complete: false, bytes: 0 });
      // Nothing half-written is used after a reload either: the page offers the download again.
      await page.reload();
      await page.getByTestId('download').waitFor();
    });
  });
}

test('too little space: quota_exceeded before a byte is fetched', async () => {
  const site = await serveFaulty({ model: small() });
  await withPage(site, async (page) => {
    const cdp = await context.newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 1_000_000 });
    await download(page);
    assert.equal(await shownError(page), 'quota_exceeded');
    assert.match(await page.getByTestId('error-text').textContent(), /needs 4\.0 MB more.*Free disk space/);
    assert.deepEqual(await stored(page), { complete: false, bytes: 0 });
    assert.deepEqual(site.requests, []);
    // With space again, the button on the error goes on.
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url });
    await page.getByTestId('retry').click();
    await page.waitForFunction(
      () => document.querySelector('[data-testid=error-code]').textContent !== 'quota_exceeded',
    );
    await shownError(page);
    assert.deepEqual(await stored(page), { complete: true, bytes: 4_000_004 });
  });
});

test('the disk fills up while writing: quota_exceeded, and the model is not used', async () => {
  const model = small();
  // Neither the list nor the server says how long it is: no room can be asked for beforehand.
  delete model.entry.bytes;
  const site = await serveFaulty({
    model,
    onModel: (_request, response) => {
      response.writeHead(200);
      response.write(model.bytes.subarray(0, 1_000_000));
      site.release = () => response.end(model.bytes.subarray(1_000_000));
    },
  });
  await withPage(site, async (page) => {
    await download(page);
    await arrived(page, '1.0 MB');
    const cdp = await context.newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 1_200_000 });
    site.release();
    assert.equal(await shownError(page), 'quota_exceeded');
    assert.equal((await stored(page)).complete, false);
  });
});

test('a server without a list of models: the page says what to do', async () => {
  const site = await serveFaulty({ model: undefined });
  await withPage(site, async (page) => {
    assert.equal(await shownError(page), 'no_manifest');
    assert.deepEqual(site.requests, []);
  });
});
