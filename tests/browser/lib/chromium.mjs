// Real Chromium through playwright-core, one throw-away profile per browser: storage in an incognito context would
// live in memory and count against another quota.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.INSHORE_CHROMIUM ?? '/usr/bin/chromium';
const ALWAYS = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
];

/** Named sets of command-line flags. `plain` has no GPU adapter on a machine without a GPU. */
export const FLAGS = {
  plain: [],
  swiftshader: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  // For tests that crash the GPU's process: Chromium would take the GPU away from the page for good.
  'swiftshader-crashing': [
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--disable-gpu-process-crash-limit',
    '--disable-domain-blocking-for-3d-apis',
  ],
};

/** Starts Chromium; `close()` of what comes back also removes its profile. */
export async function launch(flags = 'plain', options = {}) {
  const args = FLAGS[flags];
  if (args === undefined)
    throw new Error(`there is no flag set ${flags}: use ${Object.keys(FLAGS).join(' or ')}`);
  const profile = mkdtempSync(join(tmpdir(), 'inshore-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    args: [...ALWAYS, ...args],
    ...options,
  });
  context.profile = profile;
  const close = context.close.bind(context);
  context.close = async () => {
    await close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return context;
}
