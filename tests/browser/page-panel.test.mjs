// The live panel, the switch, the benchmark and the keyboard, with `inshore serve` playing the cloud.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { answers, askForLong, askInPage, shownWords, stats, words } from './lib/chat.mjs';
import { launch } from './lib/chromium.mjs';
import { openPage, waitForEngine } from './lib/inshore-page.mjs';
import { serveBinary } from './lib/site.mjs';

let site;
let context;
let page;
const cloudRequests = [];
before(async () => {
  site = await serveBinary();
  context = await launch('plain', { viewport: { width: 1400, height: 900 }, acceptDownloads: true });
  context.on('request', (request) => {
    if (/\/v1\//.test(request.url())) cloudRequests.push(request.url());
  });
  page = await openPage(context, site.url, { device: 'cpu' });
});
after(async () => {
  await context?.close();
  await site?.close();
});

const spanRows = () => page.getByTestId('spans').locator('tbody tr');
const sources = () => spanRows().evaluateAll((rows) => rows.map(({ dataset }) => dataset.source));
const reasons = () => spanRows().evaluateAll((rows) => rows.map(({ dataset }) => dataset.reason));
const checked = (id) => page.getByTestId(id).isChecked();

/** Clicks what saves a file; gives its name and text. */
async function saved(id) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId(id).click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
}

describe('the live panel', { timeout: 600_000 }, () => {
  test('at first the cloud is off, and without a model nobody can be asked', async () => {
    await page.getByTestId('download').waitFor();
    assert.equal(await checked('never-cloud'), true);
    assert.equal(await page.getByTestId('composer').isVisible(), false);
    assert.match(await page.getByTestId('cloud-state').textContent(), /Not used/);
    assert.deepEqual(cloudRequests, []);
  });

  test('the device is tested before any download', async (t) => {
    await page.getByTestId('estimate').click();
    const text = page.getByTestId('estimate-text').filter({ hasText: /Predicted on/ });
    await text.waitFor();
    assert.match(
      await text.textContent(),
      /first token after .*tok\/s, .* of memory\. That (keeps|does not keep)/,
    );
    t.diagnostic(await text.textContent());
  });

  test('the cloud, once allowed, answers before the download, and the page says where from and why', async () => {
    await page.getByTestId('never-cloud').click();
    await askInPage(page, 'What is the capital of France?');
    await stats(page).waitFor();
    assert.equal(cloudRequests.length, 1);
    const source = answers(page).last().getByTestId('answer-source');
    assert.match(await source.textContent(), /^the cloud the model is not downloaded yet/);
    assert.deepEqual(await sources(), ['in_cloud']);
    assert.deepEqual(await reasons(), ['not_downloaded']);
    const figures = page.getByTestId('figures').locator('tbody tr');
    assert.equal(await figures.count(), 1);
    assert.match(await figures.first().textContent(), /the cloud/);
  });

  test('mode, promise and switch are still there after a reload; the token is not', async () => {
    await page.getByTestId('mode').selectOption('prefer_in_cloud');
    await page.getByTestId('slo-ttft').fill('100');
    await page.locator('summary', { hasText: 'Access' }).click();
    await page.getByTestId('token').fill('not-to-be-kept');
    await page.getByTestId('token').blur();
    const promised = await page.locator('#slo-ttft-value').textContent();
    await page.reload();
    await page.getByTestId('download').waitFor();
    assert.equal(await page.getByTestId('mode').inputValue(), 'prefer_in_cloud');
    assert.equal(await page.locator('#slo-ttft-value').textContent(), promised);
    assert.equal(await checked('never-cloud'), false);
    assert.equal(await page.getByTestId('token').inputValue(), '');
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.doesNotMatch(kept, /not-to-be-kept/);
  });

  test('an address that cannot be an endpoint is refused at its field', async () => {
    const endpoint = page.getByTestId('endpoint');
    await endpoint.fill('http://api.example/v1');
    await endpoint.blur();
    assert.equal(await endpoint.getAttribute('aria-invalid'), 'true');
    assert.match(await endpoint.evaluate((field) => field.validationMessage), /https/);
    assert.equal(await page.evaluate(() => window.inshore.settings.current.endpoint), '');
    await endpoint.fill('');
    await endpoint.blur();
    assert.equal(await endpoint.getAttribute('aria-invalid'), 'false');
  });

  test('“Never cloud” in the middle of an answer: it goes on here, word for word, and no request leaves', async (t) => {
    await page.getByTestId('download').click();
    await waitForEngine(page);
    await page.getByTestId('backend').waitFor();
    // Long enough to be caught in the middle, short enough to be awaited on a busy machine.
    await askInPage(page, 'Explain in three sentences why the sea is salty.');
    await page.waitForFunction(() => window.inshore.answer?.steps.length >= 3);
    const before = await page.evaluate(() => window.inshore.answer.text);
    await page.getByTestId('never-cloud').click();
    const requests = cloudRequests.length;
    const mark = answers(page).last().getByTestId('handover');
    await mark.waitFor();
    assert.equal(await mark.getAttribute('data-source'), 'on_device');
    assert.equal(await mark.getAttribute('data-reason'), 'cloud_disabled');
    await stats(page).waitFor();
    const { text, spans } = await page.evaluate(() => window.inshore.answer);
    assert.ok(
      text.startsWith(before),
      `${JSON.stringify(text)} does not begin with ${JSON.stringify(before)}`,
    );
    assert.equal(await shownWords(page), words(text));
    assert.equal(await answers(page).last().getByTestId('answer-void').count(), 0);
    assert.deepEqual(await sources(), ['in_cloud', 'on_device']);
    assert.match(await page.getByTestId('events').textContent(), /goes from the cloud to this device/);
    await askInPage(page, 'What is the capital of France?');
    await page.waitForFunction(() => window.inshore.answer?.spans.length === 1);
    assert.equal(await page.evaluate(() => window.inshore.answer.spans[0].source), 'on_device');
    await page.keyboard.press('Escape');
    await stats(page).waitFor();
    assert.equal(cloudRequests.length, requests);
    t.diagnostic(`${spans[1].start} of ${text.length} characters came from the cloud`);
  });

  test('where an endpoint’s answer cannot be continued, the first attempt is shown as void', async () => {
    await page.getByTestId('continuation').selectOption('none');
    await page.getByTestId('never-cloud').click();
    await askForLong(page);
    const before = await page.evaluate(() => window.inshore.answer.text);
    await page.getByTestId('never-cloud').click();
    const attempt = answers(page).last().getByTestId('answer-void');
    await attempt.waitFor();
    assert.match(await attempt.locator('summary').textContent(), /began again: “Never cloud” is on/);
    const kept = await attempt.locator('del').textContent();
    assert.ok(
      kept.startsWith(before),
      `${JSON.stringify(kept)} does not begin with ${JSON.stringify(before)}`,
    );
    await page.waitForFunction(() => window.inshore.answer.steps.at(-1).source === 'on_device');
    await page.keyboard.press('Escape');
    await stats(page).waitFor();
    const text = await page.evaluate(() => window.inshore.answer.text);
    assert.equal(await shownWords(page), words(text));
    await page.getByTestId('continuation').selectOption('token_ids');
  });

  test('charts tell their figures in words, and the table has them all', async () => {
    const labels = await page.locator('svg.chart').evaluateAll((all) => all.map((svg) => svg.ariaLabel));
    assert.equal(labels.length, 2);
    for (const label of labels) assert.match(label, /of answer \d+: .*measured [\d.]+/);
    assert.ok((await page.locator('#speed-chart path.line').count()) > 0, 'no line of speed was drawn');
  });

  test('a slow device is slow for real', async () => {
    await askForLong(page);
    const tokensIn = async (ms) => {
      const count = () => page.evaluate(() => window.inshore.answer.steps.length);
      const before = await count();
      await page.waitForTimeout(ms);
      return (await count()) - before;
    };
    const atFullSpeed = await tokensIn(1000);
    await page.getByTestId('slow').fill('5');
    await page.waitForTimeout(1000);
    const slowed = await tokensIn(4000);
    assert.ok(
      slowed < (4 * atFullSpeed) / 10,
      `${slowed} tokens in four seconds, ${atFullSpeed} in one at full speed`,
    );
    await page.getByTestId('stop').click();
    await stats(page).waitFor();
    await page.getByTestId('slow').fill('0');
  });

  test('the trace is a file for replay, without a word of the conversation', async () => {
    const { name, text } = await saved('save-trace');
    assert.equal(name, 'inshore-trace.jsonl');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.ok(lines[0].config.stall_ms > 0);
    assert.ok(lines.some(({ orders }) => orders?.some(({ type }) => type === 'start')));
    assert.equal(/France|long story|chapters/.exec(text), null);
  });

  test('nothing broke the page’s own rules', () => assert.deepEqual(page.problems, []));
});

describe('the benchmark', { timeout: 600_000 }, () => {
  test('measures this device and compares it with the cloud', async (t) => {
    await page.getByTestId('tab-bench').click();
    assert.equal(await page.getByTestId('composer').isVisible(), false);
    assert.equal(await page.getByTestId('bench-cloud').isDisabled(), true);
    await page.getByTestId('never-cloud').click();
    await page.getByTestId('bench-cloud').check();
    await page.getByTestId('bench-runs').selectOption('1');
    await page.getByTestId('bench-start').click();
    await page.getByTestId('bench-stop').waitFor();
    await page.getByTestId('bench-status').filter({ hasText: 'Done: 6 runs.' }).waitFor({ timeout: 400_000 });
    const rows = await page.getByTestId('bench-table').locator('tbody tr').allTextContents();
    assert.equal(rows.length, 6);
    for (const row of rows.slice(0, 3)) assert.match(row, /^This device.*tok\/s.*tok\/s/);
    for (const row of rows.slice(3)) assert.match(row, /^Cloud.*–.*tok\/s/);
    for (const row of rows) t.diagnostic(row);
  });

  test('exports JSON and Markdown', async () => {
    const json = await saved('bench-json');
    assert.match(json.name, /^inshore-bench-.*\.json$/);
    const result = JSON.parse(json.text);
    assert.equal(result.format, 'inshore-bench-1');
    assert.equal(result.runs.length, 6);
    assert.equal(result.summary.length, 6);
    for (const run of result.runs) {
      assert.ok(run.ttftMs > 0 && run.decodeTps > 0, JSON.stringify(run));
      assert.equal(run.prefillTps > 0, run.target === 'on_device');
    }
    const [short, middle, long] = result.runs.map(({ promptTokens }) => promptTokens);
    assert.ok(short < middle && middle < long, 'the prompts do not grow');
    const markdown = await saved('bench-markdown');
    assert.match(markdown.name, /\.md$/);
    assert.equal(markdown.text.split('\n').filter((line) => line.startsWith('|')).length, 8);
  });

  test('can be stopped, and then has nothing to export', async () => {
    await page.getByTestId('bench-start').click();
    await page.getByTestId('bench-stop').click();
    await page.getByTestId('bench-status').filter({ hasText: 'Stopped' }).waitFor();
    assert.equal(await page.getByTestId('bench-result').isVisible(), false);
    await page.getByTestId('tab-chat').click();
    await page.getByTestId('question').waitFor();
  });
});

describe('by keyboard alone', { timeout: 300_000 }, () => {
  const focused = () =>
    page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.id);

  test('question, Stop and the switch', async () => {
    await page.getByTestId('mode').selectOption('only_on_device');
    await page.getByTestId('question').focus();
    await page.keyboard.type('Write a long story about the sea.');
    await page.keyboard.press('Shift+Enter');
    assert.equal(await page.getByTestId('send').isVisible(), true);
    await page.keyboard.press('Enter');
    await page.getByTestId('stop').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'stop');
    await page.keyboard.press('Enter');
    await stats(page).filter({ hasText: 'stopped' }).waitFor();
    assert.equal(await focused(), 'question');
    await page.getByTestId('never-cloud').focus();
    await page.keyboard.press('Space');
    assert.equal(await checked('never-cloud'), true);
  });

  test('on a narrow screen the panel is a sheet: it takes the focus, Escape gives it back', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByTestId('panel').waitFor({ state: 'hidden' });
    await page.getByTestId('panel-toggle').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('panel').waitFor();
    assert.equal(await focused(), 'panel-close');
    assert.equal(await page.getByTestId('panel').getAttribute('role'), 'dialog');
    for (let steps = 0; steps < 60; steps++) {
      await page.keyboard.press('Tab');
      const outside = await page.evaluate(() => {
        const { activeElement } = document;
        return activeElement !== document.body && activeElement?.closest('#panel') === null;
      });
      assert.equal(outside, false, 'the focus left the sheet');
    }
    await page.keyboard.press('Escape');
    await page.getByTestId('panel').waitFor({ state: 'hidden' });
    assert.equal(await focused(), 'panel-toggle');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`);
  });
});
