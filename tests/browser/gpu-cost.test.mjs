// What a decoded token costs beside its arithmetic, counted in Chromium on SwiftShader.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { blankPage, serveSources } from './lib/dev-site.mjs';
import { countGpuCalls, gpuCalls } from './lib/gpu-calls.mjs';

const FEW = 4;
const MORE = 12;

describe('a token on WebGPU', { timeout: 900_000 }, () => {
  let site;
  let context;
  let page;
  before(async () => {
    site = await serveSources();
    context = await launch('swiftshader');
    await countGpuCalls(context);
    const tab = await blankPage(context, site);
    page = tab.page;
    page.setDefaultTimeout(600_000);
    await page.evaluate(async (key) => {
      const { openSession } = await import('/src/engine/session.ts');
      window.modelKey = key;
      window.session = await openSession(key, 'gpu', { contextTokens: 512 });
    }, tab.key);
  });
  after(async () => {
    await context?.close();
    await site?.close();
  });

  const answer = (maxTokens) =>
    page.evaluate(async (maxTokens) => {
      const request = { prompt: { raw: 'The sea is' }, maxTokens, sampling: { temperature: 0 } };
      const answer = window.session.engine.generate(request);
      const { timings } = await answer.done;
      return { ids: answer.ids, timings };
    }, maxTokens);

  test('a few dispatches a layer, one readback, nothing created or bound, no waiting for the queue', async (t) => {
    const { layers, loadMs } = await page.evaluate(() => window.session.info);
    const loaded = await gpuCalls(page);
    t.diagnostic(`loaded in ${Math.round(loadMs)} ms: ${JSON.stringify(loaded)}`);

    // Answers that differ by some tokens only: the difference is those tokens. The first ones warm up: one records a step, and the
    // next finds other memory than the record holds.
    const counts = [];
    for (const tokens of [FEW, FEW, FEW, FEW, MORE]) {
      const begun = await gpuCalls(page);
      const { ids, timings } = await answer(tokens);
      assert.equal(ids.length, tokens, 'the answer has as many tokens as it may');
      const ended = await gpuCalls(page);
      const names = Object.keys(ended);
      counts.push(Object.fromEntries(names.map((name) => [name, ended[name] - (begun[name] ?? 0)])));
      t.diagnostic(
        `${tokens} tokens: ${JSON.stringify(counts.at(-1))}; prefill ${timings.prefillTps.toFixed(2)}, ` +
          `decode ${timings.decodeTps.toFixed(2)} tok/s, ttft ${Math.round(timings.ttftMs)} ms`,
      );
    }
    const [few, more] = counts.slice(-2);
    const perToken = (name) => ((more[name] ?? 0) - (few[name] ?? 0)) / (MORE - FEW);
    assert.ok(perToken('dispatchWorkgroups') > layers, 'the counter counts');
    assert.ok(perToken('dispatchWorkgroups') + perToken('dispatchWorkgroupsIndirect') <= 5 * layers + 4);
    assert.ok(perToken('mapAsync') <= 1, `${perToken('mapAsync')} readbacks`);
    assert.equal(perToken('createBindGroup'), 0, 'a recorded step binds nothing anew');
    assert.ok(perToken('writeBuffer') <= 1, 'a position: the token is on the device');
    const created = [
      'createBuffer',
      'createComputePipeline',
      'createComputePipelineAsync',
      'createShaderModule',
    ];
    for (const name of [...created, 'onSubmittedWorkDone']) {
      assert.equal((few[name] ?? 0) + (more[name] ?? 0), 0, `${name} while decoding`);
    }
  });

  test('a context in parts, as on hardware: one dispatch a layer more, the same tokens', async (t) => {
    const { layers } = await page.evaluate(() => window.session.info);
    const { ids } = await answer(FEW + 1);
    await page.evaluate(async () => {
      window.session.engine.close();
      const { openSession } = await import('/src/engine/session.ts');
      const gpuPlan = '16 rows/workgroup/64x32/4 parts';
      window.session = await openSession(window.modelKey, 'gpu', { contextTokens: 512, gpuPlan });
    });
    const dispatches = [];
    for (const tokens of [FEW, FEW, FEW + 1]) {
      const begun = await gpuCalls(page);
      assert.deepEqual((await answer(tokens)).ids, ids.slice(0, tokens));
      dispatches.push((await gpuCalls(page)).dispatchWorkgroups - begun.dispatchWorkgroups);
    }
    t.diagnostic(`dispatches of answers: ${dispatches}`);
    assert.equal(dispatches[2] - dispatches[1], 6 * layers + 4);
  });
});
