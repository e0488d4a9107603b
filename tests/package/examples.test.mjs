// Every example, as its README says: installed from the tarball, built, served, asked a question in Chromium on WASM SIMD.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from '../browser/lib/chromium.mjs';
import { serve } from './lib/site.mjs';
import { npm, Workbench } from './lib/tarball.mjs';

const MODEL = process.env.INSHORE_TEST_MODEL;
/** An idle machine needs 15 s. */
const TIMEOUT_MS = 300_000;

let workbench;
let context;
before(async () => {
  assert.ok(MODEL, 'set INSHORE_TEST_MODEL to the file SmolLM2-135M-Instruct.Q4_1.gguf');
  workbench = new Workbench();
  context = await launch();
});
after(async () => {
  await context?.close();
  workbench?.remove();
});

test('Vite', () => staticExample('vite', 'dist'));
test('webpack', () => staticExample('webpack', 'public'));
test('no bundler', () => staticExample('plain', '.'));
test('Next', nextExample);

async function staticExample(name, output) {
  const folder = workbench.example(name);
  if (output !== '.') npm(folder, ['run', 'build']);
  const site = await serve({ folder: join(folder, output), model: MODEL });
  try {
    await ask(site.url);
  } finally {
    await site.close();
  }
}

async function nextExample() {
  const folder = workbench.example('next');
  const models = await serve({ folder, model: MODEL });
  let server;
  try {
    const env = { INSHORE_URL: models.url, NEXT_TELEMETRY_DISABLED: '1' };
    npm(folder, ['run', 'build'], env);
    server = await startNext(folder, env);
    await ask(server.url);
  } finally {
    await server?.close();
    await models.close();
  }
}

/** `next start`, without npm in between: that would not hand on the signal that ends it. */
async function startNext(folder, env) {
  const port = await freePort();
  const args = [
    join(folder, 'node_modules/next/dist/bin/next'),
    'start',
    '-H',
    '127.0.0.1',
    '-p',
    String(port),
  ];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: 'pipe',
  });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said.push(data));
  const url = `http://127.0.0.1:${port}`;
  const close = () =>
    new Promise((done) => {
      if (child.exitCode !== null) return done();
      child.once('exit', done);
      child.kill('SIGTERM');
    });
  for (let tries = 0; tries < 300 && child.exitCode === null; tries++) {
    const answered = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return { url, close };
    await sleep(100);
  }
  await close();
  throw new Error(`next start did not answer:\n${Buffer.concat(said)}`);
}

/** Asks the page's own question and checks the answer, how it came, and that no policy of the page was broken. */
async function ask(url) {
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const problems = [];
  const foreign = [];
  const broken = new Promise((_, reject) => page.once('pageerror', reject));
  broken.catch((error) => problems.push(String(error)));
  page.on('console', (message) => {
    // The engine warns when a thread did not start: bundlers must get those right as well.
    if (message.type() === 'error' || message.text().startsWith('inshore')) problems.push(message.text());
  });
  context.on('request', (request) => {
    if (!request.url().startsWith(url)) foreign.push(request.url());
  });
  try {
    await page.goto(url);
    assert.ok(await page.evaluate(() => crossOriginIsolated), 'the page is isolated');
    await page.evaluate(() => {
      window.lengths = [];
      const output = document.querySelector('output');
      new MutationObserver(() => window.lengths.push(output.textContent.length)).observe(output, {
        childList: true,
        characterData: true,
        subtree: true,
      });
    });
    const button = page.getByRole('button', { name: 'Ask' });
    const status = page.locator('#status');
    // A page may show the button before its script listens.
    await page.waitForLoadState('networkidle');
    await button.click();
    const refused = status.filter({ hasText: /^[a-z_]+: [A-Z]/ });
    await Promise.race([
      broken,
      page.locator('output[data-done]').or(refused).waitFor({ state: 'attached' }),
    ]);
    const [text, lengths] = await page.evaluate(() => [
      document.querySelector('output').textContent,
      window.lengths,
    ]);
    assert.match(await status.textContent(), /^on_device: /);
    assert.match(text, /Paris/);
    const grew = lengths.filter((length, at) => length > (lengths[at - 1] ?? 0)).length;
    assert.ok(grew >= 5, `the answer came in ${grew} pieces`);
    assert.deepEqual(problems, []);
    assert.deepEqual(foreign, [], 'nothing comes from elsewhere');
  } finally {
    context.removeAllListeners('request');
    await page.close();
  }
}

function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
