// What people with other means than mouse and eye find: axe on every state of the page, Lighthouse's score.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import lighthouse from 'lighthouse';
import { chromium } from 'playwright-core';
import { askInPage, stats } from './lib/chat.mjs';
import { openPage, waitForEngine } from './lib/inshore-page.mjs';
import { serveBinary } from './lib/site.mjs';

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const profile = mkdtempSync(join(tmpdir(), 'inshore-chromium-'));

let site;
let port;
let context;
let page;
before(async () => {
  site = await serveBinary();
  port = await freePort();
  // Lighthouse speaks to the browser through a port of its own.
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.INSHORE_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-dev-shm-usage', `--remote-debugging-port=${port}`],
    viewport: { width: 1400, height: 900 },
  });
});
after(async () => {
  await context?.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  await site?.close();
});

function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => done(free));
    });
  });
}

async function violations() {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => window.axe.run());
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

async function score(formFactor, hash = '') {
  const screenEmulation = {
    mobile: formFactor === 'mobile',
    width: formFactor === 'mobile' ? 390 : 1350,
    height: 900,
    deviceScaleFactor: 1,
  };
  const { lhr } = await lighthouse(`${site.url}/?device=cpu${hash}`, {
    port,
    logLevel: 'error',
    onlyCategories: ['accessibility'],
    disableStorageReset: true,
    formFactor,
    screenEmulation,
  });
  return lhr.categories.accessibility.score * 100;
}

describe('accessibility', { timeout: 600_000 }, () => {
  test('axe finds nothing before the download', async () => {
    page = await openPage(context, site.url, { device: 'cpu' });
    await page.getByTestId('download').waitFor();
    assert.deepEqual(await violations(), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`nor with a conversation, a panel full of figures and all of it open (${colorScheme})`, async () => {
      await page.emulateMedia({ colorScheme });
      if (!(await page.getByTestId('composer').isVisible())) {
        await page.getByTestId('download').click();
        await waitForEngine(page);
        await askInPage(
          page,
          'Write the numbers from one to three as a Markdown list, and a line of Python code.',
        );
        await stats(page).waitFor();
        for (const summary of await page.locator('#panel summary').all()) await summary.click();
      }
      assert.deepEqual(await violations(), []);
    });
  }

  test('nor in the benchmark, on a narrow screen, with the sheet open', async () => {
    await page.getByTestId('tab-bench').click();
    assert.deepEqual(await violations(), []);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.deepEqual(await violations(), []);
    await page.getByTestId('panel-toggle').click();
    assert.deepEqual(await violations(), []);
  });

  test('an answer is announced once and whole, and the log itself is quiet', async () => {
    await page.keyboard.press('Escape');
    await page.getByTestId('tab-chat').click();
    await page.evaluate(() => {
      window.said = [];
      const region = document.querySelector('[data-testid=announcer]');
      new MutationObserver(() => window.said.push(region.textContent)).observe(region, { childList: true });
    });
    await page.getByTestId('new-chat').click();
    await askInPage(page, 'Say hello.');
    await stats(page).waitFor();
    await page.waitForFunction(() => window.said.some((words) => words.includes('Answer: ')));
    const { said, text } = await page.evaluate(() => ({
      said: window.said,
      text: window.inshore.answer.text,
    }));
    assert.ok(said.length <= 2, `it spoke ${said.length} times`);
    assert.ok(said.at(-1).includes(text.trim()));
    assert.equal(await page.getByTestId('chat-log').getAttribute('aria-live'), 'off');
  });

  for (const [formFactor, hash] of [
    ['desktop', ''],
    ['mobile', ''],
    ['desktop', '#bench'],
  ]) {
    test(`Lighthouse gives at least 95 (${formFactor} ${hash})`, async (t) => {
      const points = await score(formFactor, hash);
      t.diagnostic(`${points} points`);
      assert.ok(points >= 95, `${points} points`);
    });
  }
});
