// The example in the README, as it stands there, on a page of `inshore serve`: the cloud answers first, the device later.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blocksOf } from '../package/lib/markdown.mjs';
import { launch } from './lib/chromium.mjs';
import { openSdkPage } from './lib/sdk-page.mjs';
import { serveBinary } from './lib/site.mjs';

const README = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');

describe('the example of the README', { timeout: 600_000 }, () => {
  let site;
  let context;
  let page;
  const modelRequests = [];
  before(async () => {
    site = await serveBinary();
    context = await launch('plain');
    context.on('request', (request) => {
      if (/\.gguf/.test(request.url())) modelRequests.push(request.url());
    });
    page = await openSdkPage(context, site.url);
  });
  after(async () => {
    await context?.close();
    await site?.close();
  });

  test('streams an answer at once, while the model is downloaded', async () => {
    const [example] = blocksOf(README).filter(({ language }) => language === 'js');
    const [, name] = /import \{ (\w+) \} from 'inshore';\n/.exec(example.code);
    const code = example.code.replace(/^import .*$/m, '');
    const logged = [];
    page.on('console', async (message) => {
      if (message.type() === 'log') logged.push(message.text());
    });
    await page.evaluate(
      `(async () => { const { ${name} } = window.inshoreSdk; ${code}; window.inshore = inshore; })()`,
    );
    assert.ok(logged.length > 3, `${logged.length} pieces`);
    assert.ok(logged.some((line) => line.includes('in_cloud')));
    assert.ok(modelRequests.length > 0, 'the download has begun');
  });

  test('and the device has the later ones', async () => {
    await page.evaluate(() => window.inshore.configure({ mode: 'prefer_on_device' }));
    await page.waitForFunction(async () => (await window.inshore.availability()) === 'available', undefined, {
      timeout: 300_000,
      polling: 500,
    });
    const answer = await page.evaluate(() =>
      window.inshore.chat.completions.create({
        messages: [{ role: 'user', content: 'What is the capital of France?' }],
        max_tokens: 12,
        temperature: 0,
      }),
    );
    assert.match(answer.choices[0].message.content, /Paris/);
    assert.equal(answer.inshore.source, 'on_device');
    assert.deepEqual(page.problems, []);
  });

  test('without an endpoint the question waits for the model', async () => {
    const other = await openSdkPage(context, site.url);
    const phases = await other.evaluate(async () => {
      const phases = new Set();
      const inshore = await window.inshoreSdk.createInshore({ model: '/models/default.gguf', device: 'cpu' });
      await inshore.remove();
      inshore.destroy();
      const fresh = await window.inshoreSdk.createInshore({ model: '/models/default.gguf', device: 'cpu' });
      fresh.on('progress', ({ phase }) => phases.add(phase));
      const messages = [{ role: 'user', content: 'What is the capital of France?' }];
      const { choices } = await fresh.chat.completions.create({ messages, max_tokens: 12, temperature: 0 });
      fresh.destroy();
      return [...phases, choices[0].message.content];
    });
    assert.ok(phases.includes('downloading') && phases.includes('loading'), phases.join(' | '));
    assert.match(phases.at(-1), /Paris/);
  });
});
