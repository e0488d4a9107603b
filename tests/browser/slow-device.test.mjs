// The prediction before the download: a device that is too slow goes to the cloud without fetching the model, a good one
// stays on the device.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { serveSources } from './lib/dev-site.mjs';
import { throttle } from './lib/throttle.mjs';

/** What a core gives with room to spare (30 to 120 tokens/s) and a fortieth of it (below 6) does not. */
const SLO = { ttft_ms: 60_000, tokens_per_second: 9 };

describe('a device is measured before the model is downloaded', { timeout: 600_000 }, () => {
  let site;
  before(async () => {
    site = await serveSources();
  });
  after(() => site?.close());

  /** A fresh browser (nothing remembered) with an instance as `window.inshore`; counts what is fetched of the model. */
  async function instance(flags, device) {
    const context = await launch(flags);
    const modelRequests = [];
    context.on('request', (request) => {
      if (/\.gguf/.test(request.url())) modelRequests.push(request.headers().range ?? 'whole');
    });
    const page = await context.newPage();
    page.setDefaultTimeout(300_000);
    await page.goto(`${site.url}/icon.svg`);
    await page.evaluate(
      async ({ slo, device }) => {
        const { createInshore } = await import('/src/sdk/index.ts');
        window.inshore = await createInshore({
          model: new URL('/models/default.gguf', location.href).href,
          device,
          slo,
          cloud: { baseURL: new URL('/v1', location.href).href, model: 'default', continuation: 'token_ids' },
        });
      },
      { slo: SLO, device },
    );
    return { context, page, modelRequests };
  }

  const ask = (page) =>
    page.evaluate(async () => {
      const answer = await window.inshore.chat.completions.create({
        messages: [{ role: 'user', content: 'What is the capital of France?' }],
        max_tokens: 24,
        temperature: 0,
      });
      return { text: answer.choices[0].message.content, report: answer.inshore };
    });

  test('held to a fortieth of a core, it goes to the cloud', async (t) => {
    const { context, page, modelRequests } = await instance('plain', 'cpu');
    const release = throttle(context, 0.025);
    try {
      const estimate = await page.evaluate(() => window.inshore.estimate());
      t.diagnostic(
        `predicted ${estimate.decodeTps.toFixed(2)} tok/s, TTFT ${Math.round(estimate.ttftMs)} ms, probe ${Math.round(estimate.probeMs)} ms`,
      );
      assert.equal(estimate.meetsSlo, false);
      assert.match(estimate.reason, /^predicted_/);
      const { text, report } = await ask(page);
      assert.match(text, /Paris/);
      assert.equal(report.source, 'in_cloud');
      // The first bytes for the probe, and nothing more.
      assert.deepEqual(modelRequests, ['bytes=0-65535']);
    } finally {
      await release();
      await context.close();
    }
  });

  for (const [flags, device] of [
    ['plain', 'cpu'],
    ['swiftshader', 'gpu'],
  ]) {
    test(`at full speed the prediction holds on ${flags === 'plain' ? 'WASM SIMD' : 'SwiftShader'}`, async (t) => {
      const { context, page } = await instance(flags, device);
      try {
        const estimate = await page.evaluate(() => window.inshore.estimate());
        assert.equal(estimate.from, 'probe');
        assert.ok(estimate.memoryBytes > 98e6 && estimate.decodeTps > 0);
        await page.evaluate(() => window.inshore.download());
        // A GPU emulated in software meets no SLO; its speed is measured all the same.
        if (device === 'gpu') await page.evaluate(() => window.inshore.configure({ mode: 'only_on_device' }));
        const { text, report } = await ask(page);
        assert.match(text, /Paris/);
        assert.equal(report.source, 'on_device');
        const measured = report.spans[0].decodeTps;
        t.diagnostic(
          `decode: predicted ${estimate.decodeTps.toFixed(2)}, measured ${measured.toFixed(2)} tok/s, ratio ${(estimate.decodeTps / measured).toFixed(2)}; probe ${Math.round(estimate.probeMs)} ms`,
        );
        if (device === 'cpu') assert.equal(estimate.meetsSlo, true);
      } finally {
        await context.close();
      }
    });
  }
});
