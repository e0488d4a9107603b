// One engine for all tabs of an origin: one model in memory, answers in turn, and what is left when a tab or the engine dies.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { blankPage, serveSources } from './lib/dev-site.mjs';

const PROMPT = { raw: 'The sea is' };

describe('the shared engine', { timeout: 600_000 }, () => {
  let site;
  let context;
  let tabs;
  before(async () => {
    site = await serveSources();
    context = await launch('plain');
    tabs = [await blankPage(context, site), await blankPage(context, site)];
  });
  after(async () => {
    await context?.close();
    await site?.close();
  });

  /** Opens the shared engine in a tab as `window.session`; gives how long the load took, by the engine's own clock. */
  const open = ({ page, key }, share) =>
    page.evaluate(
      async ({ key, share }) => {
        const { openSession } = await import('/src/engine/session.ts');
        window.session = await openSession(key, 'cpu', { share, contextTokens: 512 });
        window.session.engine.onCrash = (error) => {
          window.crash = error.code;
        };
        return window.session.info.loadMs;
      },
      { key, share },
    );

  const answer = ({ page }, request) =>
    page.evaluate(async (request) => {
      const answer = window.session.engine.generate({ sampling: { temperature: 0 }, ...request });
      window.answer = answer;
      const { finishReason } = await answer.done;
      return { text: answer.text, ids: answer.ids, finishReason };
    }, request);

  test('two tabs have one model, and both get their answers', async () => {
    const [first, second] = [await open(tabs[0], 'one'), await open(tabs[1], 'one')];
    // The same load: the second tab found the model there.
    assert.equal(first, second);
    const request = { prompt: PROMPT, maxTokens: 6 };
    const both = await Promise.all([answer(tabs[0], request), answer(tabs[1], request)]);
    assert.equal(both[0].ids.length, 6);
    assert.deepEqual(both[0], both[1]);
  });

  test('a tab has one answer at a time', async () => {
    const code = await tabs[0].page.evaluate(async (prompt) => {
      const { engine } = window.session;
      const first = engine.generate({ prompt, maxTokens: 50 });
      const second = await engine.generate({ prompt, maxTokens: 1 }).done.catch((error) => error.code);
      first.stop();
      await first.done;
      return second;
    }, PROMPT);
    assert.equal(code, 'busy');
  });

  test('a closed tab gives the engine free', async () => {
    const third = await blankPage(context, site);
    await open(third, 'one');
    await third.page.evaluate((prompt) => {
      window.answer = window.session.engine.generate({ prompt, maxTokens: 400 });
    }, PROMPT);
    await third.page.waitForFunction(() => window.answer.steps.length >= 2);
    const waiting = answer(tabs[0], { prompt: PROMPT, maxTokens: 3 });
    await third.page.close();
    // 400 tokens would take most of a minute; the answer behind them comes because they were dropped.
    assert.equal((await waiting).ids.length, 3);
    const dropped = await tabs[1].page.evaluate(async () => (await navigator.locks.query()).held.length);
    assert.equal(dropped, 2);
  });

  test('an error that nobody catches is told to every tab, tokens stay, and a fresh engine answers', async () => {
    await tabs[0].page.evaluate((prompt) => {
      window.answer = window.session.engine.generate({
        prompt,
        maxTokens: 400,
        sampling: { temperature: 0 },
      });
    }, PROMPT);
    await tabs[0].page.waitForFunction(() => window.answer.steps.length >= 2);
    // A promise that nobody holds is rejected in the worker, as after a trap: locks may not be called so.
    await tabs[1].page.evaluate(async (key) => {
      const { sharedEngine } = await import('/src/engine/shared.ts');
      const { sharedName } = await import('/src/engine/session.ts');
      const name = sharedName('one', key, 'cpu', { contextTokens: 512 });
      sharedEngine(name).postMessage({ alive: '-no name of a lock' });
    }, tabs[1].key);
    for (const { page } of tabs) await page.waitForFunction(() => window.crash === 'worker_crashed');
    const { code, kept } = await tabs[0].page.evaluate(async () => ({
      code: await window.answer.done.catch((error) => error.code),
      kept: window.answer.ids,
    }));
    assert.equal(code, 'worker_crashed');
    await open(tabs[0], 'one');
    const undisturbed = await answer(tabs[0], { prompt: PROMPT, maxTokens: kept.length + 4 });
    const rest = await answer(tabs[0], { prompt: PROMPT, continuation: kept, maxTokens: 4 });
    assert.deepEqual([...kept, ...rest.ids], undisturbed.ids);
  });

  /** An instance of the SDK in a fresh tab, with the model loaded; gives the load's time by the engine's own clock. */
  async function sdkTab(options) {
    const { page } = await blankPage(context, site);
    const loadMs = await page.evaluate(async (options) => {
      const { createInshore } = await import('/src/sdk/index.ts');
      const model = new URL('/models/default.gguf', location.href).href;
      window.inshore = await createInshore({ model, device: 'cpu', mode: 'only_on_device', ...options });
      await window.inshore.download();
      return window.inshore.session.info.loadMs;
    }, options);
    return { page, loadMs };
  }

  const capital = ({ page }) =>
    page.evaluate(async () => {
      const messages = [{ role: 'user', content: 'What is the capital of France?' }];
      const answer = await window.inshore.chat.completions.create({
        messages,
        max_tokens: 12,
        temperature: 0,
      });
      return answer.choices[0].message.content;
    });
  const engineWorkers = ({ page }) => page.workers().filter((worker) => /engine\/worker/.test(worker.url()));

  test('shareEngine: the SDK in two tabs has one engine, and one tab closes without the other', async () => {
    const first = await sdkTab({ shareEngine: true });
    const second = await sdkTab({ shareEngine: true });
    assert.equal(first.loadMs, second.loadMs);
    assert.deepEqual([...engineWorkers(first), ...engineWorkers(second)], []);
    const texts = await Promise.all([capital(first), capital(second)]);
    assert.match(texts[0], /Paris/);
    assert.equal(texts[0], texts[1]);
    await first.page.close();
    assert.equal(await capital(second), texts[0]);
  });

  test('assets.engineWorker: the engine comes from there, and is not shared', async () => {
    const elsewhere = '/src/engine/worker.ts?elsewhere';
    const tab = await sdkTab({ shareEngine: true, assets: { engineWorker: elsewhere } });
    assert.deepEqual(
      engineWorkers(tab).map((worker) => worker.url()),
      [new URL(elsewhere, site.url).href],
    );
    assert.match(await capital(tab), /Paris/);
  });
});
