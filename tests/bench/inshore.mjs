// Our own page in Chromium, as a visitor gets it: model in the origin's private file system, engine in a worker.
//
// Needs INSHORE_BIN and INSHORE_TEST_MODEL, and web/dist as built.
import { openPage, waitForEngine } from '../browser/lib/inshore-page.mjs';
import { serveBinary } from '../browser/lib/site.mjs';
import { describeBrowser, startBrowser } from './lib/browser.mjs';
import { sampleMemory } from './lib/memory.mjs';
import { report, runMain, speeds, within } from './lib/options.mjs';

await runMain(async (options) => {
  const site = await serveBinary();
  try {
    await within(options.limit_s, measureAll(site, options));
  } finally {
    await site.close();
  }
});

async function measureAll(site, options) {
  const context = await startBrowser(options.gpu);
  const memory = sampleMemory(context);
  try {
    for (const prompt of options.prompts) await measure(context, { site, options, prompt, memory });
  } finally {
    memory.stop();
    await context.close();
  }
}

/** A page of its own for each prompt, so that no prompt finds its beginning in the cache of an earlier one. */
async function measure(context, { site, options, prompt, memory }) {
  const device = options.gpu === 'none' ? 'cpu' : 'gpu';
  const page = await openPage(context, site.url, { device, threads: options.threads, autoload: '1' });
  await waitForEngine(page, options.limit_s * 1000);
  const { browser, adapter } = await describeBrowser(context, page);
  const session = await page.evaluate(() => {
    const { info, device } = window.inshore.session;
    return { info, device };
  });
  if (device === 'cpu') checkThreads(session.device.name, options.threads);
  const warmUp = await generate(page, options.warm_up.ids, 4);
  const answer = await memory.undisturbed(() => generate(page, prompt.ids, options.tokens));
  await page.close();
  report({
    ...speeds(prompt, answer.times),
    load_ms: session.info.loadMs,
    warm_up_ms: warmUp.times.at(-1),
    ids: answer.ids,
    ...memory.peak(),
    device: adapter && device === 'gpu' ? adapter.name : session.device.name,
    software_gpu: device === 'gpu' && adapter?.software === true,
    backend: session.device.backend === 'wgpu' ? 'WebGPU' : 'WASM SIMD',
    version: `inshore (page), ${browser}`,
  });
}

/** A browser may give fewer: a figure must not stand under another number than it was measured with. */
function checkThreads(name, wanted) {
  const found = Number(/(\d+) thread/.exec(name)?.[1] ?? 1);
  if (found !== wanted) throw new Error(`the page computes with ${found} thread(s), not with ${wanted}`);
}

/** Times as the page sees them, like those of the peers: from the request to each token. */
function generate(page, ids, maxTokens) {
  return page.evaluate(
    async ({ ids, maxTokens }) => {
      const began = performance.now();
      const times = [];
      const answer = window.inshore.engine.generate({
        prompt: { ids },
        maxTokens,
        sampling: { temperature: 0 },
      });
      for await (const _step of answer) times.push(performance.now() - began);
      await answer.done;
      return { times, ids: [...answer.ids] };
    },
    { ids, maxTokens },
  );
}
