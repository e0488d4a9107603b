// Asks the page one question in headless Chromium: what a visitor sees, printed.
//
// node ask.mjs --url URL --question TEXT [--device auto|gpu|cpu] [--flags plain|swiftshader] [--seconds N]
import { parseArgs } from 'node:util';
import { launch } from './lib/chromium.mjs';
import { openPage, waitForEngine } from './lib/inshore-page.mjs';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    question: { type: 'string' },
    device: { type: 'string', default: 'auto' },
    flags: { type: 'string', default: 'plain' },
    seconds: { type: 'string', default: '300' },
  },
});

async function ask({ url, question, device, flags, seconds }) {
  if (!url || !question) throw new Error('give --url and --question');
  const timeout = Number(seconds) * 1000;
  const context = await launch(flags);
  try {
    const page = await openPage(context, url.replace(/\/$/, ''), { device, autoload: '1' });
    await waitForEngine(page, timeout);
    await page.exposeFunction('printAnswer', (text) => process.stdout.write(text));
    // The answer is printed as it grows on the page: whenever that shows more, in the words before their Markdown was read.
    await page.evaluate(() => {
      let printed = 0;
      new MutationObserver(() => {
        const shown = window.inshore.answer?.text ?? '';
        window.printAnswer(shown.slice(printed));
        printed = shown.length;
      }).observe(document.querySelector('[data-testid=chat-log]'), {
        childList: true,
        characterData: true,
        subtree: true,
      });
    });
    await page.getByTestId('question').fill(question);
    await page.getByTestId('send').click();
    const ended = page.getByTestId('answer-stats').or(page.getByTestId('error').filter({ visible: true }));
    await ended.first().waitFor({ timeout });
    process.stdout.write('\n\n');
    if (await page.getByTestId('error').isVisible())
      throw new Error(await page.getByTestId('error-text').textContent());
    await report(page);
  } finally {
    await context.close();
  }
}

async function report(page) {
  const { end, device, info, memory } = await page.evaluate(async () => {
    const { answer, session } = window.inshore;
    const memory = await session.engine.memoryBytes();
    return { end: await answer.done, device: session.device, info: session.info, memory };
  });
  const { timings, usage } = end;
  const rows = {
    model: `${info.name} (${info.quantisation})`,
    backend: device.backend === 'wgpu' ? 'WebGPU' : 'WASM SIMD',
    adapter: await page.getByTestId('adapter').textContent(),
    ...(device.fallback ? { 'why no GPU': device.fallback.message } : {}),
    load: `${(info.loadMs / 1000).toFixed(2)} s`,
    TTFT: `${(timings.ttftMs / 1000).toFixed(2)} s (${usage.prompt_tokens} prompt tokens)`,
    decode: `${timings.decodeTps.toFixed(1)} tok/s (${timings.completionTokens} tokens)`,
    'wasm memory': `${(memory / 1e6).toFixed(0)} MB`,
    finish: end.finishReason,
  };
  for (const [name, value] of Object.entries(rows)) process.stdout.write(`${name.padEnd(12)} ${value}\n`);
}

try {
  await ask(values);
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
}
