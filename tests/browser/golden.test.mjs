// The greedy ids and log-probabilities of the independent f32 reference (tests/golden), on both backends of a browser,
// and with several threads.
//
// INSHORE_GPU_TOKENS: how many tokens per prompt the software GPU must reach whatever the time (default 8).
// INSHORE_GPU_SECONDS: how long it may go on per prompt beyond them (default 180).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { generate, openPage, waitForEngine } from './lib/inshore-page.mjs';
import { serveBinary } from './lib/site.mjs';

const golden = (file) => JSON.parse(readFileSync(join(import.meta.dirname, '../golden', file), 'utf8'));
const REFERENCE = golden('reference.json').numpy_f32_dequantised;
const PROMPTS = golden('prompts.json').prompts;

// Beyond these the reference's own margins are too small to demand the same token.
const COMPARED = { raw: 19, p64: 62 };
/** How far a log-probability may be off: the CPU engine rounds activations. */
const LOGPROB_TOLERANCE = { flex: 0.3, wgpu: 0.02 };
/** An odd number where there are so many cores: rows and heads do not divide evenly. */
const THREADS = Math.min(3, availableParallelism());
const LARGEST_TENSOR_BYTES = 30_081_024;

const BACKENDS = [
  { name: 'WASM SIMD', flags: 'plain', device: 'cpu', threads: 1, backend: 'flex', limits: {} },
  {
    name: 'WASM SIMD on threads',
    flags: 'plain',
    device: 'cpu',
    threads: THREADS,
    backend: 'flex',
    limits: {},
  },
  {
    name: 'WASM SIMD, keys and values in 8 bits',
    flags: 'plain',
    device: 'cpu',
    threads: 1,
    backend: 'flex',
    kvCache: 'q8_0',
    limits: {},
  },
  {
    name: 'WebGPU (SwiftShader)',
    flags: 'swiftshader',
    device: 'gpu',
    threads: 1,
    backend: 'wgpu',
    // Not rounded, as nothing else is here.
    kvCache: 'f32',
    limits: {
      atLeast: Number(process.env.INSHORE_GPU_TOKENS ?? 8),
      budgetMs: Number(process.env.INSHORE_GPU_SECONDS ?? 180) * 1000,
    },
  },
];

/** Where not, one of the two rounds products before it adds them. */
const FUSES = /\b(fma|asimd)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));

let site;
before(async () => {
  site = await serveBinary();
});
after(() => site?.close());

for (const { name, flags, device, threads, backend, limits, kvCache = 'f16' } of BACKENDS) {
  describe(name, { timeout: 1_800_000 }, () => {
    let context;
    let page;
    before(async () => {
      context = await launch(flags);
      page = await openPage(context, site.url, { device, threads, kvCache, autoload: '1' });
      await waitForEngine(page);
    });
    after(() => context?.close());

    test('this backend computes', async (t) => {
      const { info, device: report } = await page.evaluate(() => {
        const { info, device } = window.inshore.session;
        return { info, device };
      });
      assert.equal(report.backend, backend);
      assert.equal(info.backend, backend);
      if (backend === 'flex') assert.equal(report.name, `CPU, ${threads} thread(s)`);
      t.diagnostic(`${report.name}; loaded in ${Math.round(info.loadMs)} ms`);
    });

    for (const [prompt, compared] of Object.entries(COMPARED)) {
      test(`${prompt}: greedy ids and top-5 log-probabilities`, async (t) => {
        const expected = REFERENCE[prompt];
        const request = {
          prompt: { ids: PROMPTS[prompt].ids },
          maxTokens: compared,
          sampling: { temperature: 0 },
          // Rounded, neighbours may change places.
          topLogprobs: 10,
        };
        const answer = await generate(page, request, limits);
        const count = answer.ids.length;
        t.diagnostic(
          `${count} of ${compared} tokens; ttft ${Math.round(answer.timings.ttftMs)} ms, ` +
            `prefill ${answer.timings.prefillTps.toFixed(1)} tok/s, decode ${answer.timings.decodeTps.toFixed(1)} tok/s`,
        );
        assert.ok(count >= Math.min(limits.atLeast ?? compared, compared), `only ${count} tokens`);
        assert.deepEqual(answer.ids, expected.greedy.ids.slice(0, count));
        const off = compareTop(answer.steps[0].top, expected, LOGPROB_TOLERANCE[backend]);
        t.diagnostic(`largest distance of a top-5 log-probability: ${off.toExponential(1)}`);
      });
    }

    if (backend === 'flex') {
      // So an answer that goes on on another CPU cannot turn at a near tie.
      test('log-probabilities are those of the native host, to the last bit', { skip: !FUSES }, async () => {
        const request = {
          prompt: { ids: PROMPTS.p64.ids },
          maxTokens: 62,
          sampling: { temperature: 0 },
          topLogprobs: 10,
        };
        const { steps } = await generate(page, request, limits);
        const bits = (top) => top.map(([id, logprob]) => [id, Math.fround(logprob)]);
        assert.deepEqual(
          steps.map(({ top }) => bits(top)),
          natively(request, kvCache).map(bits),
        );
      });
    }

    if (backend === 'wgpu') {
      test('wasm memory stays within 150 MB of the largest tensor', async (t) => {
        const bytes = await page.evaluate(() => window.inshore.engine.memoryBytes());
        t.diagnostic(`${(bytes / 1e6).toFixed(1)} MB of wasm memory at its peak`);
        assert.ok(bytes <= LARGEST_TENSOR_BYTES + 150_000_000, `${bytes} bytes`);
      });
    }

    test('same seed, same text; another seed, another text', async () => {
      const ask = (seed) =>
        generate(page, {
          prompt: { ids: PROMPTS.raw.ids },
          maxTokens: 5,
          sampling: { temperature: 1.2, seed },
        });
      const [first, second] = [await ask(7), await ask(7)];
      assert.deepEqual(second.ids, first.ids);
      assert.equal(second.text, first.text);
      for (const seed of [8, 9, 10]) {
        if ((await ask(seed)).ids.join() !== first.ids.join()) return;
      }
      assert.fail('four seeds gave one text: the seed has no effect');
    });

    test('an empty prompt and one longer than the context are typed errors, and the engine goes on', async () => {
      const refused = (prompt) =>
        page.evaluate(
          (given) =>
            window.inshore.engine.generate({ prompt: given, maxTokens: 1 }).done.then(
              () => 'accepted',
              (error) => error.code,
            ),
          prompt,
        );
      assert.equal(await refused({ ids: [] }), 'empty_prompt');
      assert.equal(await refused({ ids: new Array(20_000).fill(504) }), 'prompt_too_long');
      const { ids } = await generate(page, {
        prompt: { ids: PROMPTS.raw.ids },
        maxTokens: 1,
        sampling: { temperature: 0 },
      });
      assert.deepEqual(ids, REFERENCE.raw.greedy.ids.slice(0, 1));
    });

    if (backend === 'flex' && threads === 1) {
      // The template knows no backend: once is enough, and where it is quick.
      test('the chat template gives the reference prompt', async () => {
        const chat = [{ role: 'user', content: PROMPTS.p64.user }];
        const answer = await generate(page, { prompt: { chat }, maxTokens: 1, sampling: { temperature: 0 } });
        assert.deepEqual(answer.promptIds, PROMPTS.p64.ids);
      });
    }
  });
}

function compareTop(top, { top5, logsumexp }, tolerance) {
  const found = new Map(top);
  const distances = top5.map(({ id, logit }) => {
    assert.ok(found.has(id), `token ${id} is not in the top 10`);
    return Math.abs(found.get(id) - (logit - logsumexp));
  });
  const largest = Math.max(...distances);
  assert.ok(largest <= tolerance, `a log-probability is ${largest} off`);
  return largest;
}

/** What `inshore generate` says of each token's most probable ones: `[id, log-probability]`. */
function natively({ prompt, maxTokens, topLogprobs }, kvCache) {
  const folder = mkdtempSync(join(tmpdir(), 'inshore-golden-'));
  try {
    const ids = join(folder, 'ids');
    writeFileSync(ids, prompt.ids.join(' '));
    const engine = ['--model', process.env.INSHORE_TEST_MODEL, '--device', 'cpu', '--kv-cache', kvCache];
    const request = `--prompt-ids ${ids} --max-tokens ${maxTokens} --logprobs ${topLogprobs}`.split(' ');
    const args = ['generate', ...engine, ...request, '--temperature', '0', '--json'];
    const said = execFileSync(process.env.INSHORE_BIN, args, { encoding: 'utf8' });
    return JSON.parse(said).top_logprobs.map((top) => top.map(({ id, logprob }) => [id, logprob]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
