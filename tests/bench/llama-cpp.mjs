// llama.cpp by node-llama-cpp's prebuilt binaries, in this process, so that its peak memory is this process's.
import { readFileSync } from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { report, runMain, speeds, versionOf, within } from './lib/options.mjs';

await runMain((options) => within(options.limit_s, measureAll(options)));

async function measureAll(options) {
  const wanted = options.gpu === 'none' ? false : 'vulkan';
  // Unless a device is named, llama.cpp passes over those that are emulated on the CPU.
  if (options.gpu === 'software') process.env.GGML_VK_VISIBLE_DEVICES ??= '0';
  const llama = await getLlama({
    gpu: wanted,
    build: 'never',
    progressLogs: false,
    maxThreads: options.threads,
    logLevel: LlamaLogLevel.error,
  });
  if (llama.gpu !== wanted) throw new Error(`llama.cpp took ${llama.gpu || 'the CPU'} instead of ${wanted}`);
  const devices = wanted ? await llama.getGpuDeviceNames() : [];
  // It would compute on the CPU and still call itself Vulkan.
  if (wanted && devices.length === 0) throw new Error('llama.cpp found no Vulkan device');
  const began = performance.now();
  const model = await llama.loadModel({ modelPath: options.model, gpuLayers: wanted ? 'max' : 0 });
  const context = await model.createContext({
    contextSize: options.context_tokens,
    batchSize: options.context_tokens,
    threads: options.threads,
    sequences: 1,
  });
  const load_ms = performance.now() - began;
  const sequence = context.getSequence();
  const warmUp = await generate(sequence, options.warm_up.ids, 4);
  for (const prompt of options.prompts) {
    const { ids, times } = await generate(sequence, prompt.ids, options.tokens);
    report({
      ...speeds(prompt, times),
      load_ms,
      warm_up_ms: warmUp.times.at(-1),
      ids,
      peak_memory_bytes: peakBytes(),
      device: wanted ? devices.join(', ') : `CPU, ${context.currentThreads} thread(s)`,
      software_gpu: devices.some((name) => /llvmpipe|swiftshader/i.test(name)),
      backend: wanted ? 'Vulkan' : 'CPU',
      version: `${versionOf('node-llama-cpp')} (llama.cpp ${llama.llamaCppRelease.release})`,
    });
  }
}

async function generate(sequence, promptIds, count) {
  await sequence.clearHistory();
  const ids = [];
  const times = [];
  const began = performance.now();
  for await (const id of sequence.evaluate(promptIds, { temperature: 0, topK: 1, yieldEogToken: true })) {
    times.push(performance.now() - began);
    ids.push(id);
    if (ids.length >= count) break;
  }
  return { ids, times };
}

/** Undefined where there is no /proc. */
function peakBytes() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {
    return undefined;
  }
}
