// A peer's page in Chromium: pages/wllama.js or pages/transformers.js, named by the option `page`.
import { describeBrowser, newPage, startBrowser } from './lib/browser.mjs';
import { sampleMemory } from './lib/memory.mjs';
import { report, runMain, speeds, versionOf, within } from './lib/options.mjs';
import { serve } from './lib/site.mjs';

const PACKAGES = { wllama: '@wllama/wllama', transformers: '@huggingface/transformers' };

await runMain(async (options) => {
  const site = await serve({
    isolated: options.threads > 1,
    files: { '/model.gguf': options.model },
    folders: { '/onnx/': options.onnx ?? '' },
  });
  try {
    await within(options.limit_s, measureAll(site, options));
  } finally {
    await site.close();
  }
});

async function measureAll(site, options) {
  const context = await startBrowser(options.gpu);
  const memory = sampleMemory(context);
  const page = await newPage(context);
  try {
    await page.goto(`${site.url}/pages/${options.page}.html`);
    await page.waitForFunction(() => window.peer !== undefined, undefined, { timeout: 60_000 });
    const { browser, adapter } = await describeBrowser(context, page);
    const loaded = await page.evaluate((given) => window.peer.load(given), options);
    const warmUp = await page.evaluate((prompt) => window.peer.generate(prompt, 4), options.warm_up);
    const common = {
      load_ms: loaded.load_ms,
      warm_up_ms: warmUp.times.at(-1),
      device: options.gpu === 'none' ? `CPU, ${loaded.threads} thread(s)` : (adapter?.name ?? 'no adapter'),
      software_gpu: options.gpu !== 'none' && adapter?.software === true,
      version: `${versionOf(PACKAGES[options.page])}, ${browser}`,
    };
    for (const prompt of options.prompts) {
      const answer = await memory.undisturbed(() =>
        page.evaluate(([one, count]) => window.peer.generate(one, count), [prompt, options.tokens]),
      );
      const { ids, text, backend } = answer;
      report({ ...speeds(prompt, answer.times), ...common, ids, text, backend, ...memory.peak() });
    }
  } catch (error) {
    const said = page.problems.length > 0 ? `; the page says: ${[...new Set(page.problems)].join('; ')}` : '';
    throw new Error(`${error.message}${said}`);
  } finally {
    memory.stop();
    await context.close();
  }
}
