// What every test of downloads starts with: a browser, a site of its own with one model, and a tab that has the store.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach } from 'node:test';
import { launch } from './chromium.mjs';
import { ggufBytes, serveModels, sha256Of } from './model-site.mjs';
import { openTab } from './store-tab.mjs';

export const PATH = '/models/m.gguf';
export const SIZE = 4_000_000;

/** The browser, the site of this test, its model's bytes and hash, and how the store is asked for it. */
export let context;
export let site;
export let bytes;
export let sha256;
export let model;

/** Starts the browser for the tests of a file, and for each test a site with a model. */
export function setUp() {
  let seed = 0;
  before(async () => {
    context = await launch();
  });
  after(() => context?.close());
  beforeEach(async () => {
    // A site of its own for each test is an origin of its own: an empty store. So is a model of its own.
    site = await serveModels();
    seed += 1;
    useModel(ggufBytes(SIZE, seed));
    serve();
  });
  afterEach(async () => {
    for (const page of context.pages()) if (page.url().startsWith(site.url)) await page.close();
    await site.close();
  });
}

/** Makes `content` the model of this test; {@link serve} puts it on the site. */
export function useModel(content, name = 'Test') {
  bytes = content;
  sha256 = sha256Of(content);
  model = { name, url: PATH, bytes: content.length, sha256 };
}

/** Serves the model at `path`; `more` are properties of the site's files. */
export const serve = (more = {}, path = PATH) => site.files.set(path, { bytes, etag: '"v1"', ...more });

/** A fresh tab with the store. */
export const tab = () => openTab(context, site);

/** The model as one of whom nothing is known but the address. */
export const unhashed = () => ({ name: 'Test', url: PATH });

/** Checks that `ranges` are all of [0, size), each byte once. */
export function assertPartition(ranges, size) {
  let at = 0;
  for (const [start, end] of ranges) {
    assert.equal(start, at, `the ranges ${JSON.stringify(ranges)} leave a hole or overlap`);
    at = end;
  }
  assert.equal(at, size);
}
