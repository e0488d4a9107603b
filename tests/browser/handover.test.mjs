// An answer whose engine dies in the middle: it ends as if nothing had happened, or says that it did not.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { ask, crashGpu, crashWorker, createOn, hangWorker, openSdkPage } from './lib/sdk-page.mjs';
import { serveBinary } from './lib/site.mjs';

/**
 * How many different tokens an answer is killed at, by each fault: a few in every run, 25 for the proof. A GPU emulated
 * in software takes two minutes for each.
 */
const KILLS = process.env.INSHORE_KILLS;
const MAX_TOKENS = 40;
const QUESTION = {
  messages: [{ role: 'user', content: 'Write a story about a ship that sails around the world.' }],
  temperature: 0,
  max_tokens: MAX_TOKENS,
};
/** The device is preferred however slow it is, and no breaker opens. */
const PATIENT = {
  mode: 'prefer_on_device',
  slo: { ttft_ms: 600_000, tokens_per_second: 0.001 },
};
// A GPU in software compiles its kernels for the first token, on a busy machine for minutes.
const POLICY = {
  breaker_failures: 1000,
  breaker_ratio: 1,
  // A busy machine is silent for seconds without being stalled.
  stall_ms: 120_000,
  stall_gap_ratio: 6,
  first_token_timeout_ms: 300_000,
};
/** Straight to the cloud: what is under test is the hand-over. */
const NO_RECOVERY = { max_recoveries: 0 };

let site;
before(async () => {
  site = await serveBinary();
});
after(() => site?.close());

const cloud = (continuation, baseURL = `${site.url}/v1`) => ({
  baseURL,
  model: 'SmolLM2-135M-Instruct.Q4_1',
  continuation,
  source: 'edge',
});
// More than are wanted: a fault takes its time, and two may hit the same token.
const killPoints = (tokens) => Array.from({ length: tokens - 6 }, (_, index) => 1 + index);

/** A browser with the SDK on a page, and the fault that `window.fault()` brings about. */
async function openBrowser(flags) {
  const context = await launch(flags);
  const page = await openSdkPage(context, site.url);
  const browser = { context, page, fault: async () => {} };
  await page.exposeFunction('fault', () => browser.fault());
  return browser;
}

/** Kills at these tokens in turn, until `wanted` different ones were hit; every answer must be the undisturbed one, byte for byte. */
async function killEverywhere(t, browser, { question, undisturbed }, kills, wanted = kills.length) {
  const tokens = new Set();
  for (const faultAt of kills) {
    if (tokens.size === wanted) break;
    const read = await ask(browser.page, question, { faultAt });
    assert.deepEqual(read.error, undefined, `killed at ${faultAt}: ${read.error?.message}`);
    assert.equal(read.text, undisturbed, `killed at ${faultAt}`);
    assert.equal(read.replaced, 0);
    assert.ok(['stop', 'length'].includes(read.finishReason));
    // A busy machine may stall by itself too: then there is one more.
    assert.ok(read.handovers.length >= 1, `killed at ${faultAt}`);
    assert.ok(read.handovers.every(({ manner }) => manner === 'token_ids'));
    tokens.add(read.handovers[0].tokens);
  }
  t.diagnostic(`killed at ${tokens.size} different tokens: ${[...tokens].join(' ')}`);
  return tokens.size;
}

const ON_CPU = { flags: 'plain', device: 'cpu', policy: POLICY, usualKills: 5, recoveries: [2, 9, 20] };
const FAULTS = [
  { name: 'a crashed worker', ...ON_CPU, fault: ({ page }) => crashWorker(page) },
  {
    name: 'a worker that hangs',
    ...ON_CPU,
    policy: { ...POLICY, stall_ms: 5_000 },
    fault: ({ page }) => hangWorker(page),
  },
  {
    name: 'a lost GPU',
    flags: 'swiftshader-crashing',
    device: 'gpu',
    policy: POLICY,
    usualKills: 2,
    recoveries: [3],
    fault: ({ context, page }) => crashGpu(context, page),
  },
];

for (const { name, flags, device, policy, usualKills, recoveries, fault } of FAULTS) {
  const wanted = Number(KILLS ?? usualKills);
  // Room for as many different tokens as are wanted.
  const question = { ...QUESTION, max_tokens: device === 'gpu' ? wanted + 8 : MAX_TOKENS };
  describe(`${name} in the middle of an answer`, { timeout: 3_600_000 }, () => {
    let browser;
    let undisturbed;
    before(async () => {
      browser = await openBrowser(flags);
      const alone = { device, ...PATIENT, mode: 'only_on_device', policy: POLICY };
      const opened = await createOn(browser.page, alone);
      assert.equal(opened.backend, device === 'cpu' ? 'flex' : 'wgpu');
      undisturbed = (await ask(browser.page, question)).text;
      assert.ok(undisturbed.length > 20, undisturbed);
      browser.fault = () => fault(browser);
    });
    after(() => browser?.context.close());

    test('our own host ends it as if nothing had happened', async (t) => {
      await createOn(browser.page, {
        device,
        ...PATIENT,
        policy: { ...policy, ...NO_RECOVERY },
        cloud: cloud('token_ids'),
      });
      const answer = { question, undisturbed };
      const different = await killEverywhere(t, browser, answer, killPoints(question.max_tokens), wanted);
      assert.equal(different, wanted);
    });

    test('alone, the device recovers from its token log', async (t) => {
      const options = { device, ...PATIENT, mode: 'only_on_device', policy };
      await createOn(browser.page, options);
      await killEverywhere(t, browser, { question, undisturbed }, recoveries);
    });

    test('no request under any gate', async () => {
      const trap = await openTrap();
      try {
        const gates = [
          ['mode', { mode: 'only_on_device' }, question],
          ['privacy', {}, { ...question, inshore: { privacy: 'local_only' } }],
          ['switch', {}, question],
        ];
        for (const [gate, options, body] of gates) {
          const trapped = {
            device,
            ...PATIENT,
            policy,
            cloud: cloud('token_ids', trap.url),
            ...options,
          };
          await createOn(browser.page, trapped);
          if (gate === 'switch') await browser.page.evaluate(() => window.inshore.setCloudEnabled(false));
          const read = await ask(browser.page, body, { faultAt: 4 });
          assert.equal(read.text, undisturbed, gate);
          assert.equal(trap.connections, 0, `${gate}: something left the device`);
        }
      } finally {
        await trap.close();
      }
    });
  });
}

describe('endpoints that do not know our token ids', { timeout: 3_600_000 }, () => {
  let browser;
  let undisturbed;
  before(async () => {
    browser = await openBrowser('plain');
    browser.fault = () => crashWorker(browser.page);
    await createOn(browser.page, { device: 'cpu', ...PATIENT, mode: 'only_on_device', policy: POLICY });
    undisturbed = (await ask(browser.page, QUESTION)).text;
  });
  after(() => browser?.context.close());

  test('a prefix-capable one goes on behind the last word: none lost, none doubled', async () => {
    await createOn(browser.page, {
      device: 'cpu',
      ...PATIENT,
      policy: { ...POLICY, ...NO_RECOVERY },
      cloud: cloud('prefix'),
    });
    for (const faultAt of [1, 5, 12, 19]) {
      const read = await ask(browser.page, QUESTION, { faultAt });
      assert.equal(read.error, undefined);
      const [{ manner, shown }] = read.handovers;
      assert.equal(manner, 'prefix');
      assert.ok(shown.length > 0 && read.text.startsWith(shown));
      assert.equal(read.text, undisturbed, `killed at ${faultAt}`);
      assert.equal(read.replaced, 0);
    }
  });

  test('any other one begins again, with exactly one replace', async () => {
    await createOn(browser.page, {
      device: 'cpu',
      ...PATIENT,
      policy: { ...POLICY, ...NO_RECOVERY },
      cloud: cloud('none'),
    });
    for (const faultAt of [1, 12]) {
      const read = await ask(browser.page, QUESTION, { faultAt });
      assert.deepEqual([read.replaced, read.text], [1, undisturbed]);
      assert.equal(read.report.source, 'edge');
    }
  });

  test('the switch in mid-stream: the cloud is cut, the device ends the answer', async () => {
    const options = {
      device: 'cpu',
      ...PATIENT,
      mode: 'prefer_in_cloud',
      policy: POLICY,
      cloud: cloud('token_ids'),
    };
    await createOn(browser.page, options);
    browser.fault = () => browser.page.evaluate(() => window.inshore.setCloudEnabled(false));
    const read = await ask(browser.page, QUESTION, { faultAt: 5 });
    assert.equal(read.text, undisturbed);
    assert.deepEqual(
      read.report.spans.map(({ source }) => source),
      ['edge', 'on_device'],
    );
    assert.deepEqual(browser.page.problems, []);
  });
});

/** A cloud that must never be asked: it counts connections, whatever comes over them. */
async function openTrap() {
  const trap = { connections: 0 };
  const server = createServer((_request, response) => response.writeHead(500).end());
  server.on('connection', () => {
    trap.connections += 1;
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  trap.url = `http://127.0.0.1:${server.address().port}/v1`;
  trap.close = () =>
    new Promise((closed) => {
      server.closeAllConnections();
      server.close(closed);
    });
  return trap;
}
