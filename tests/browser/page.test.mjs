// The page from end to end, as `inshore serve` serves it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answers, askForLong, askInPage, LONG_QUESTION, shownWords, stats, words } from './lib/chat.mjs';
import { launch } from './lib/chromium.mjs';
import { generate, openPage, waitForEngine } from './lib/inshore-page.mjs';
import { serveBinary } from './lib/site.mjs';

let site;
before(async () => {
  site = await serveBinary();
});
after(() => site?.close());

describe('the page on WASM SIMD', { timeout: 600_000 }, () => {
  let context;
  let page;
  const modelRequests = [];
  // The file comes in ranges; once it is here, there are no more of them.
  let downloaded = 0;
  before(async () => {
    context = await launch('plain');
    context.on('request', (request) => {
      if (/\.gguf/.test(request.url())) modelRequests.push(request.url());
    });
  });
  after(() => context?.close());

  test('offers the model and fetches nothing unasked', async () => {
    page = await openPage(context, site.url, { device: 'cpu' });
    await page.getByTestId('download').waitFor();
    assert.match(await page.getByTestId('download').textContent(), /Download model \(98 MB\)/);
    assert.match(await page.getByTestId('model-name').textContent(), /SmolLM2/);
    assert.deepEqual(modelRequests, []);
  });

  test('downloads with progress and opens the chat', async (t) => {
    // What the page shows on the way, from inside: polling from here would miss a fast one.
    await page.evaluate(() => {
      window.seen = [];
      const line = document.querySelector('[data-testid=progress-text]');
      new MutationObserver(() => window.seen.push(line.textContent)).observe(line, {
        childList: true,
        characterData: true,
        subtree: true,
      });
    });
    await page.getByTestId('download').click();
    await waitForEngine(page);
    const seen = await page.evaluate(() => window.seen);
    const downloading = seen.filter((text) => /^[\d.]+ \w?B of 98 MB · [\d.]+ \w?B\/s · .* left$/.test(text));
    assert.ok(
      downloading.length > 0,
      `no progress with amount, rate and time left among: ${seen.slice(0, 20).join(' | ')}`,
    );
    assert.ok(
      seen.some((text) => /Checking/.test(text)),
      'the check of the hash is not shown',
    );
    downloaded = modelRequests.length;
    assert.ok(downloaded > 0);
    t.diagnostic(`${downloaded} ranges`);
    t.diagnostic(downloading[Math.floor(downloading.length / 2)]);
  });

  test('streams an answer, with its speed', async (t) => {
    await askInPage(page, 'What is the capital of France?');
    await page.getByTestId('stop').waitFor();
    await stats(page).waitFor();
    const text = await page.evaluate(() => window.inshore.answer.text);
    assert.match(text, /Paris/);
    assert.equal(await shownWords(page), words(text));
    const source = answers(page).last().getByTestId('answer-source');
    assert.match(await source.textContent(), /^this device .+/);
    const line = await stats(page).textContent();
    assert.match(line, /^TTFT [\d.]+ m?s · [\d.]+ tok\/s · \d+ tokens/);
    t.diagnostic(`${text.trim()} (${line})`);
  });

  test('model output is text, never markup', async () => {
    const html = '<img src=x onerror="window.hacked = 1"><b>bold</b>';
    await askInPage(page, html);
    assert.equal(await page.getByTestId('message-user').last().textContent(), html);
    assert.equal(await page.getByTestId('message-user').last().locator('b').count(), 0);
    await page.keyboard.press('Escape');
    await stats(page).waitFor();
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  });

  for (const [how, stop] of [
    ['the button', () => page.getByTestId('stop').click()],
    ['Escape', () => page.keyboard.press('Escape')],
  ]) {
    test(`${how} ends the answer within one token`, async () => {
      await askForLong(page);
      await page.evaluate(() => {
        // Notes, at the moment of the stop itself, how many tokens were there.
        const { answer } = window.inshore;
        const original = answer.stop.bind(answer);
        answer.stop = () => {
          window.stepsAtStop = answer.steps.length;
          original();
        };
      });
      await stop();
      await stats(page).filter({ hasText: 'stopped' }).waitFor();
      const {
        before,
        after: total,
        reason,
      } = await page.evaluate(async () => ({
        before: window.stepsAtStop,
        after: window.inshore.answer.steps.length,
        reason: (await window.inshore.answer.done).finishReason,
      }));
      assert.equal(reason, 'cancelled');
      assert.ok(total - before <= 1, `${total - before} tokens after the stop`);
      await page.getByTestId('send').waitFor();
    });
  }

  test('a second question while one runs is refused by the engine, not mixed in', async () => {
    await askForLong(page);
    const code = await page.evaluate(() =>
      window.inshore.engine.generate({ prompt: { raw: 'x' } }).done.then(
        () => 'accepted',
        (error) => error.code,
      ),
    );
    assert.equal(code, 'busy');
    await page.keyboard.press('Escape');
    await stats(page).filter({ hasText: 'stopped' }).waitFor();
  });

  test('new chat begins with an empty page', async () => {
    await page.getByTestId('new-chat').click();
    assert.equal(await answers(page).count(), 0);
  });

  test('the answer goes on where it was when the engine dies, and says so at its place', async (t) => {
    await askForLong(page);
    const before = await page.evaluate(() => window.inshore.answer.text);
    // An error that nobody catches, as a trap in the module is: in every worker, for they have no names here.
    assert.ok(page.workers().length > 0);
    for (const one of page.workers()) {
      await one
        .evaluate(() =>
          setTimeout(() => {
            throw new Error('unreachable');
          }),
        )
        .catch(() => {});
    }
    const mark = answers(page).last().getByTestId('handover');
    await mark.waitFor();
    assert.equal(await mark.getAttribute('data-reason'), 'worker_crashed');
    assert.match(await mark.textContent(), /from this device: the engine crashed/);
    await page.keyboard.press('Escape');
    await stats(page).waitFor();
    const { text, spans } = await page.evaluate(() => window.inshore.answer);
    assert.ok(
      text.startsWith(before),
      `${JSON.stringify(text)} does not begin with ${JSON.stringify(before)}`,
    );
    assert.deepEqual(
      spans.map(({ source }) => source),
      ['on_device', 'on_device'],
    );
    assert.ok(spans[1].start >= before.length);
    assert.equal(await shownWords(page), words(text));
    assert.equal(await page.getByTestId('error').isVisible(), false);
    assert.equal(modelRequests.length, downloaded);
    t.diagnostic(`${spans[1].start} of ${text.length} characters before the crash`);
  });

  test('a reload uses the stored model: no request for it on the network', async () => {
    await page.reload();
    await waitForEngine(page);
    assert.equal(modelRequests.length, downloaded);
    assert.deepEqual(page.problems, []);
  });

  test('deleting the model offers the download again', async () => {
    page.once('dialog', (dialog) => dialog.accept());
    await page.getByTestId('remove').click();
    await page.getByTestId('download').waitFor();
    await page.reload();
    await page.getByTestId('download').waitFor();
    assert.equal(modelRequests.length, downloaded);
  });
});

describe('which device', { timeout: 600_000 }, () => {
  test('without a GPU it runs on WASM SIMD by itself, and says so and why', async (t) => {
    const context = await launch('plain');
    try {
      const page = await openPage(context, site.url, { autoload: '1' });
      await waitForEngine(page);
      assert.equal(await page.getByTestId('backend').textContent(), 'WASM SIMD');
      const why = await page.getByTestId('fallback').textContent();
      assert.match(why, /instead of the GPU: .*(no GPU adapter|no WebGPU)/);
      t.diagnostic(why);
    } finally {
      await context.close();
    }
  });

  test('where the GPU is demanded and there is none, a typed error', async () => {
    const context = await launch('plain');
    try {
      const page = await openPage(context, site.url, { device: 'gpu', autoload: '1' });
      await page.getByTestId('error').waitFor();
      assert.match(await page.getByTestId('error-code').textContent(), /^(no_adapter|no_webgpu)$/);
    } finally {
      await context.close();
    }
  });

  test('with an adapter it runs on WebGPU by itself, names it, and answers', async (t) => {
    const context = await launch('swiftshader');
    try {
      const page = await openPage(context, site.url, { autoload: '1' });
      await waitForEngine(page);
      assert.equal(await page.getByTestId('backend').textContent(), 'WebGPU');
      assert.match(await page.getByTestId('adapter').textContent(), /swiftshader/i);
      assert.equal(await page.getByTestId('fallback').isVisible(), false);
      // Emulated, kernels compile and prompts run for half a minute: longer than the policy waits for a first token while
      // nothing is known of a device's speed. So the question is in the cache when it is asked.
      await generate(page, { prompt: { chat: [{ role: 'user', content: LONG_QUESTION }] }, maxTokens: 1 });
      await askForLong(page);
      await page.getByTestId('stop').click();
      await stats(page).filter({ hasText: 'stopped' }).waitFor();
      t.diagnostic(`${await page.getByTestId('adapter').textContent()}: ${await stats(page).textContent()}`);
    } finally {
      await context.close();
    }
  });
});
