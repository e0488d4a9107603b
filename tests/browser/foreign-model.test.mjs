// What an address line may start: nothing is fetched from another site without a click.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { serveBinary } from './lib/site.mjs';

const BYTES = 123_456_789;

describe('a model of another site', { timeout: 300_000 }, () => {
  let site;
  let context;
  let foreign;
  let url;
  const asked = [];
  before(async () => {
    site = await serveBinary();
    context = await launch('plain');
    foreign = createServer(({ method, headers }, response) => {
      asked.push(method);
      const cors = {
        'access-control-allow-origin': headers.origin ?? '*',
        'access-control-allow-headers': 'range',
      };
      response.writeHead(method === 'OPTIONS' ? 204 : 200, {
        ...cors,
        'content-length': method === 'HEAD' ? BYTES : 0,
      });
      response.end();
    });
    await new Promise((listening) => foreign.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${foreign.address().port}/secret-name.gguf?token=x`;
  });
  after(async () => {
    await context?.close();
    await site?.close();
    foreign?.close();
  });

  const open = async (query) => {
    const page = await context.newPage();
    await page.goto(`${site.url}/?${new URLSearchParams(query)}`);
    await page.getByTestId('download').waitFor();
    return page;
  };

  for (const query of [
    {},
    { autoload: '1' },
    { autoload: '1', sha256: 'a'.repeat(64) },
    { autoload: '1', device: 'cpu' },
  ]) {
    test(`waits for a click with ${JSON.stringify(query)}`, async () => {
      const page = await open({ model: url, ...query });
      const host = new URL(url).host;
      assert.match(
        await page.locator('#model-note').textContent(),
        new RegExp(`secret-name\\.gguf at ${host}`),
      );
      await page.waitForLoadState('networkidle');
      assert.deepEqual(asked, []);
      await page.close();
    });
  }

  test('shows its size after the first click, and is fetched by the second', async () => {
    const page = await open({ model: url, autoload: '1' });
    const button = page.getByTestId('download');
    assert.match(await button.textContent(), /^Ask .* for its size$/);
    await button.click();
    await button.filter({ hasText: '123 MB' }).waitFor();
    assert.deepEqual(asked, ['HEAD']);
    await button.click();
    await page.getByTestId('error').filter({ hasText: /\S/ }).waitFor();
    assert.ok(asked.includes('GET'));
  });
});
