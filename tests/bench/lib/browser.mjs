// Chromium for the bench: started as the browser tests do it, on a real GPU adapter where there is one.
import { launch } from '../../browser/lib/chromium.mjs';

const ALWAYS = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
];
const REAL = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--ignore-gpu-blocklist'];

/** Starts Chromium; `gpu`: `none`, `software` or `real`. */
export function startBrowser(gpu) {
  if (gpu === 'real') return launch('plain', { args: [...ALWAYS, ...REAL] });
  return launch(gpu === 'software' ? 'swiftshader' : 'plain');
}

/** A page that fails with what it logged instead of in silence. */
export async function newPage(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(600_000);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('crash', () => page.problems.push('the page crashed'));
  page.on('console', (message) => {
    if (message.type() === 'error') page.problems.push(message.text().slice(0, 300));
  });
  return page;
}

/** What the browser and its WebGPU adapter are. `page` must be of a secure origin. */
export async function describeBrowser(context, page) {
  const adapter = await page.evaluate(async () => {
    const found = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
    if (!found) return null;
    const { vendor, architecture, description, isFallbackAdapter } = found.info;
    return {
      name: [vendor, architecture, description].filter(Boolean).join(' '),
      software: isFallbackAdapter,
    };
  });
  return { browser: `Chromium ${context.browser()?.version() ?? ''}`.trim(), adapter };
}
