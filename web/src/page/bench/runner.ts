import type { EngineClient } from '../../engine/client';
import { InshoreError } from '../../error';
import type { RunningAnswer } from '../../sdk/contract';
import { BENCH_PROMPTS, BENCH_TOKENS, type BenchPrompt, benchText } from './prompts';
import type { BenchRun } from './result';

/** Answers `text` greedily with at most {@link BENCH_TOKENS} new tokens. */
export type BenchTarget = (text: string, signal: AbortSignal) => Promise<Omit<BenchRun, 'target' | 'prompt'>>;

/** How far a benchmark is. */
export interface BenchProgress {
  done: number;
  total: number;
  target: BenchRun['target'];
  prompt: string;
}

/**
 * Runs every prompt `runs` times on every target, each target after one run that does not count: it warms up caches and
 * connections. Prompts take turns, so that a device that gets warm and slow does so for all of them.
 *
 * @throws InshoreError of the first run that fails; `cancelled` when `signal` is
 */
export async function runBench(
  targets: readonly [BenchRun['target'], BenchTarget][],
  runs: number,
  signal: AbortSignal,
  onProgress: (progress: BenchProgress, done: readonly BenchRun[]) => void,
): Promise<BenchRun[]> {
  const results: BenchRun[] = [];
  const total = targets.length * (1 + runs * BENCH_PROMPTS.length);
  let done = 0;
  const runOne = async (name: BenchRun['target'], target: BenchTarget, prompt: BenchPrompt, run: number) => {
    if (signal.aborted) throw new InshoreError('cancelled', 'The benchmark was stopped.');
    onProgress({ done, total, target: name, prompt: run === 0 ? 'warming up' : prompt.name }, results);
    const measured = await target(benchText(prompt, run), signal);
    done += 1;
    return { ...measured, target: name, prompt: prompt.name };
  };
  for (const [name, target] of targets) {
    const [first] = BENCH_PROMPTS;
    if (first !== undefined) await runOne(name, target, first, 0);
    for (let run = 1; run <= runs; run++) {
      for (const prompt of BENCH_PROMPTS) results.push(await runOne(name, target, prompt, run));
    }
  }
  return results;
}

/** The engine of this page itself: no policy in between, and it knows its prefill. */
export function engineTarget(engine: EngineClient): BenchTarget {
  return async (text, signal) => {
    const began = performance.now();
    const chat = [{ role: 'user' as const, content: text }];
    const answer = engine.generate(
      { prompt: { chat }, maxTokens: BENCH_TOKENS, sampling: { temperature: 0 } },
      { signal },
    );
    let ttftMs: number | undefined;
    for await (const _step of answer) ttftMs ??= performance.now() - began;
    const { finishReason, timings } = await answer.done;
    if (finishReason === 'cancelled') throw new InshoreError('cancelled', 'The benchmark was stopped.');
    return {
      promptTokens: timings.promptTokens,
      completionTokens: timings.completionTokens,
      ttftMs: ttftMs ?? timings.ttftMs,
      prefillTps: timings.prefillTps,
      decodeTps: timings.decodeTps,
      totalMs: performance.now() - began,
    };
  };
}

/** The cloud endpoint, by way of the package: its gates, its token and its errors hold here too. */
export function cloudTarget(ask: (text: string, signal: AbortSignal) => RunningAnswer): BenchTarget {
  return async (text, signal) => {
    const began = performance.now();
    for await (const event of ask(text, signal)) {
      if (event.type === 'span' && event.source === 'on_device')
        throw new InshoreError(
          'cloud_unused',
          'The policy did not let this run go to the cloud. Check the switch and the mode.',
        );
      if (event.type !== 'end') continue;
      return {
        promptTokens: event.usage.prompt_tokens,
        completionTokens: event.usage.completion_tokens,
        ttftMs: event.report.timings.ttftMs,
        prefillTps: undefined,
        decodeTps: event.report.timings.decodeTps,
        totalMs: performance.now() - began,
      };
    }
    throw new InshoreError('internal', 'The answer broke off without an end. Please report this.');
  };
}
