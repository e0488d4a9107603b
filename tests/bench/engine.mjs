// Our engine on pages/engine.js: what launching a step takes, and contexts that the demo page does not allocate.
import { newPage, startBrowser } from './lib/browser.mjs';
import { report, runMain, within } from './lib/options.mjs';
import { serve } from './lib/site.mjs';

await runMain(async (options) => {
  // Isolated, as clocks are finer there.
  const site = await serve({
    isolated: true,
    files: { '/model.gguf': options.model },
    folders: { '/wasm/': options.wasm },
  });
  try {
    await within(options.limit_s, measure(site, options));
  } finally {
    await site.close();
  }
});

async function measure(site, options) {
  const context = await startBrowser(options.gpu);
  try {
    const page = await newPage(context);
    await page.goto(`${site.url}/pages/engine.html`);
    await page.waitForFunction(() => window.answer !== undefined, undefined, { timeout: 60_000 });
    const { prompts, tokens, ...engine } = options;
    await page.evaluate((given) => window.load(given), engine);
    for (const ids of prompts) {
      const answer = await page.evaluate((given) => window.answer(...given), [ids, tokens]);
      // The first step is the prompt's.
      const steps = answer.done.slice(1);
      if (steps.length === 0) throw new Error('the answer ended at its first token');
      report({
        ttft_ms: answer.done[0],
        decode_ms: steps.reduce((sum, ms) => sum + ms, 0),
        generated_tokens: answer.done.length,
        launch_us: 1e3 * settled(answer.launched.slice(1, answer.done.length)),
        step_us: 1e3 * settled(steps),
        dispatches: answer.dispatches / steps.length,
        device: answer.device,
      });
    }
  } finally {
    await context.close();
  }
}

/** The median without the first third, in which the browser still compiles hot functions anew. */
function settled(values) {
  const last = values.slice(Math.floor(values.length / 3)).sort((a, b) => a - b);
  return last[Math.floor(last.length / 2)];
}
