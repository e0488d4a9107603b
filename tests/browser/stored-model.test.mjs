// A model that is stored but not loaded: its estimate asks nobody, and a request that cannot wait for it has it loaded.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { blankPage, serveSources } from './lib/dev-site.mjs';

const QUESTION = [{ role: 'user', content: 'What is the capital of France?' }];

describe('a stored model', { timeout: 600_000 }, () => {
  let site;
  let context;
  let page;
  const modelRequests = [];
  before(async () => {
    site = await serveSources();
    context = await launch('plain');
    ({ page } = await blankPage(context, site));
    context.on('request', (request) => {
      if (/\.gguf/.test(request.url())) modelRequests.push(request.headers().range ?? 'whole');
    });
  });
  after(async () => {
    await context?.close();
    await site?.close();
  });

  /** An instance as `window.inshore`, instead of the one before. */
  const open = (options) =>
    page.evaluate(async (options) => {
      const { createInshore } = await import('/src/sdk/index.ts');
      window.inshore?.destroy();
      window.inshore = await createInshore({
        model: new URL('/models/default.gguf', location.href).href,
        device: 'cpu',
        cloud: { baseURL: new URL('/v1', location.href).href, model: 'default', continuation: 'token_ids' },
        ...options,
      });
    }, options);

  const ask = () =>
    page.evaluate(async (messages) => {
      const request = { messages, max_tokens: 12, temperature: 0 };
      const answer = await window.inshore.chat.completions.create(request);
      return { text: answer.choices[0].message.content, report: answer.inshore };
    }, QUESTION);

  test('is estimated without a request for it', async () => {
    await open();
    await page.evaluate(() => window.inshore.download());
    assert.deepEqual(modelRequests.splice(0).length > 0, true, 'it was fetched once');
    const estimate = await page.evaluate(() => window.inshore.estimate());
    assert.equal(estimate.from, 'probe');
    assert.ok(estimate.memoryBytes > 98e6 && estimate.decodeTps > 0);
    assert.deepEqual(modelRequests, []);
  });

  test('is loaded in the background where a request cannot wait, and has the next one', async () => {
    await open();
    // What the device can keep once the model is loaded, and not before: loading takes far longer than 20 ms.
    const ttft_ms = await page.evaluate(async (messages) => {
      const { estimatePromptTokens } = await import('/src/sdk/prompt-tokens.ts');
      const { prefillTps, decodeTps } = await window.inshore.estimate();
      return 1_000 * (estimatePromptTokens(messages) / prefillTps + 1 / decodeTps) + 20;
    }, QUESTION);
    await open({ slo: { ttft_ms, tokens_per_second: 0.1 }, policy: { default_cloud_ttft_ms: 0 } });
    const first = await ask();
    assert.match(first.text, /Paris/);
    assert.deepEqual([first.report.source, first.report.reason], ['in_cloud', 'predicted_ttft_too_long']);
    await page.waitForFunction(() => window.inshore.session !== undefined);
    const next = await ask();
    assert.match(next.text, /Paris/);
    assert.deepEqual([next.report.source, next.report.reason], ['on_device', 'meets_slo']);
    const types = await page.evaluate(() =>
      window.inshore
        .trace()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).event?.type),
    );
    assert.equal(types.filter((type) => type === 'load_ended').length, 1);
    assert.deepEqual(modelRequests, []);
  });
});
