// The SDK on an empty page, as the tests drive it.

/** Opens the empty page with the SDK. Its uncaught errors land in `page.problems`. */
export async function openSdkPage(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  await page.goto(`${url}/sdk.html`);
  await page.waitForFunction(() => window.inshoreSdk !== undefined, undefined, { timeout: 30_000 });
  return page;
}

/** Creates `window.inshore` for the served model and loads it. `options` are those of `createInshore`, without `model`. */
export function createOn(page, options) {
  return page.evaluate(async (options) => {
    window.inshore?.destroy();
    const list = '/models/manifest.json';
    const [{ name, url, bytes, sha256 }] = (await (await fetch(list)).json()).models;
    const model = { name, url: new URL(url, new URL(list, location.href)).href, bytes, sha256 };
    window.inshore = await window.inshoreSdk.createInshore({ model, ...options });
    if (options.mode !== 'only_in_cloud') await window.inshore.download();
    return window.inshore.session?.device;
  }, options);
}

/**
 * Asks on the page and reads the stream to its end or error. At its `faultAt`-th piece of text the page calls the
 * function `fault`, which the test has exposed. Gives the text as shown, how often it was replaced, and the hand-overs.
 */
export function ask(page, body, { faultAt = null } = {}) {
  return page.evaluate(
    async ({ body, faultAt }) => {
      const handovers = [];
      const unlisten = window.inshore.on('handover', (event) =>
        handovers.push({ ...event, shown: read.text }),
      );
      const read = {
        text: '',
        pieces: 0,
        replaced: 0,
        finishReason: undefined,
        report: undefined,
        error: undefined,
      };
      try {
        const stream = await window.inshore.chat.completions.create({ ...body, stream: true });
        for await (const chunk of stream) {
          if (chunk.inshore?.replace) {
            read.replaced += 1;
            read.text = '';
          }
          const choice = chunk.choices[0];
          if (choice?.delta?.content) {
            read.text += choice.delta.content;
            read.pieces += 1;
            if (read.pieces === faultAt) void window.fault();
          }
          if (choice?.finish_reason) read.finishReason = choice.finish_reason;
          if (chunk.inshore?.spans) read.report = chunk.inshore;
        }
      } catch (error) {
        // The policy's last words tell why nothing else was tried.
        const trace = window.inshore.trace().trimEnd().split('\n').slice(-6);
        read.error = { code: error.code, message: `${error.message}\n${trace.join('\n')}` };
      } finally {
        unlisten();
      }
      return { ...read, handovers };
    },
    { body, faultAt },
  );
}

/** The worker that leads the engine: its threads came after it, and a fresh engine comes with each recovery. */
async function engineWorker(page) {
  const device = await page.evaluate(() => window.inshore.session?.device.name ?? '');
  const threads = Number(/(\d+) thread/.exec(device)?.[1] ?? 1);
  return page.workers().at(-threads);
}

/** An error that nobody catches, as a trap in the module is. */
export const crashWorker = async (page) =>
  (await engineWorker(page)).evaluate(() =>
    setTimeout(() => {
      throw new Error('unreachable');
    }),
  );

/** The worker neither goes on nor listens. */
export const hangWorker = async (page) =>
  (await engineWorker(page)).evaluate(() =>
    setTimeout(() => {
      for (;;);
    }),
  );

/** Takes the GPU away for real: its process ends, and every device of the browser with it. */
export async function crashGpu(context, page) {
  const session = await context.newCDPSession(page);
  await session.send('Browser.crashGpuProcess').catch(() => {});
  await session.detach().catch(() => {});
}
