// A prompt that is still running: the page hears how far it is, and a stop ends it between two of its parts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { blankPage, serveSources } from './lib/dev-site.mjs';

describe('a long prompt', { timeout: 600_000 }, () => {
  let site;
  let context;
  let page;
  let key;
  before(async () => {
    site = await serveSources();
    context = await launch('plain');
    ({ page, key } = await blankPage(context, site));
    await page.evaluate(async (key) => {
      const { openSession } = await import('/src/engine/session.ts');
      window.session = await openSession(key, 'cpu', { contextTokens: 2048 });
      // Runs a prompt of `tokens` and stops it after `parts` parts.
      window.run = async (tokens, parts) => {
        // No two lengths begin alike: a prefix that the cache holds would not run again.
        const ids = Array.from({ length: tokens }, (_, at) => 100 + tokens + at);
        const answer = window.session.engine.generate({
          prompt: { ids },
          maxTokens: 4,
          sampling: { temperature: 0 },
        });
        const told = [];
        answer.onPrefill = ({ doneTokens, totalTokens }) => {
          told.push([doneTokens, totalTokens]);
          if (told.length === parts) answer.stop();
        };
        const { finishReason } = await answer.done;
        return { told, finishReason, tokens: answer.ids.length };
      };
    }, key);
  });
  after(async () => {
    await context?.close();
    await site?.close();
  });

  test('tells how far it is', async () => {
    const { told, finishReason, tokens } = await page.evaluate(() => window.run(1_500, undefined));
    assert.ok(told.length >= 5, JSON.stringify(told));
    assert.ok(told.every(([done, total]) => done <= total && total === 1_500));
    assert.deepEqual([finishReason, tokens], ['length', 4]);
  });

  test('is stopped between its parts, and the engine goes on', async () => {
    const stopped = await page.evaluate(() => window.run(1_400, 2));
    assert.equal(stopped.finishReason, 'cancelled');
    assert.equal(stopped.tokens, 0);
    assert.ok(stopped.told.length <= 4, JSON.stringify(stopped.told));
    const next = await page.evaluate(() => window.run(20, undefined));
    assert.deepEqual([next.finishReason, next.tokens], ['length', 4]);
  });

  test('a bad argument is refused and leaves the engine as it is', async () => {
    const codes = await page.evaluate(async () => {
      const engine = window.session.engine;
      const codes = [];
      for (const more of [
        { sampling: { seed: 0.5 } },
        { sampling: { temperature: Number.NaN } },
        { sampling: { topK: -7 } },
        { maxTokens: -1 },
        { prompt: { ids: [99_999_999] } },
        { prompt: { ids: [] } },
      ]) {
        const answer = engine.generate({ prompt: { ids: [100] }, maxTokens: 2, ...more });
        codes.push(
          await answer.done.then(
            ({ finishReason }) => finishReason,
            ({ code }) => code,
          ),
        );
      }
      return codes;
    });
    for (const code of codes)
      assert.match(code, /^(invalid_(argument|sampling)|unknown_token|empty_prompt)$/);
    const next = await page.evaluate(() => window.run(20, undefined));
    assert.deepEqual([next.finishReason, next.tokens], ['length', 4]);
  });
});
