import type { EngineClient } from '../../engine/client';
import { InshoreError } from '../../error';
import type { RunningAnswer } from '../../sdk/contract';
import { BENCH_PROMPTS, BENCH_TOKENS, benchText } from './prompts';
import type { BenchRun } from './result';

/** What one run measures. */
export type Measured = Omit<BenchRun, 'target' | 'prompt'>;

/** Something that answers. */
export interface BenchTarget {
  /** The run that does not count. */
  warmUp(text: string, signal: AbortSignal): Promise<unknown>;
  /** Answers `text` greedily with at most {@link BENCH_TOKENS} new tokens. */
  run(text: string, signal: AbortSignal): Promise<Measured>;
}

/** Asks the package, which decides nothing here: the mode names the side. */
export type BenchAsk = (text: string, signal: AbortSignal) => RunningAnswer;

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
  const next = (target: BenchRun['target'], prompt: string): void => {
    if (signal.aborted) throw new InshoreError('cancelled', 'The benchmark was stopped.');
    onProgress({ done, total, target, prompt }, results);
    done += 1;
  };
  const [first] = BENCH_PROMPTS;
  for (const [name, target] of targets) {
    next(name, 'warming up');
    if (first !== undefined) await target.warmUp(benchText(first, 0), signal);
    for (let run = 1; run <= runs; run++) {
      for (const prompt of BENCH_PROMPTS) {
        next(name, prompt.name);
        const measured = await target.run(benchText(prompt, run), signal);
        results.push({ ...measured, target: name, prompt: prompt.name });
      }
    }
  }
  return results;
}

/**
 * This device. The package warms it up, for it knows how to bring back an engine that has ended and to wait for its turn;
 * then `engine` itself is measured, with no policy in between, for only it knows its prefill.
 */
export function deviceTarget(ask: BenchAsk, engine: () => EngineClient | undefined): BenchTarget {
  return {
    async warmUp(text, signal) {
      for await (const _event of ask(text, signal));
    },
    async run(text, signal) {
      const client = engine();
      if (client === undefined)
        throw new InshoreError('no_model', 'The engine has ended. Start the benchmark again.');
      return measure(client, text, signal);
    },
  };
}

async function measure(engine: EngineClient, text: string, signal: AbortSignal): Promise<Measured> {
  const began = performance.now();
  const chat = [{ role: 'user' as const, content: text }];
  const asked = { prompt: { chat }, maxTokens: BENCH_TOKENS, sampling: { temperature: 0 } };
  const answer = engine.generate(asked, { signal });
  let ttftMs: number | undefined;
  for await (const _step of answer) ttftMs ??= performance.now() - began;
  const { finishReason, timings } = await answer.done;
  if (finishReason === 'cancelled') throw new InshoreError('cancelled', 'The benchmark was stopped.');
  const { promptTokens, completionTokens, prefillTps, decodeTps } = timings;
  return {
    promptTokens,
    completionTokens,
    ttftMs: ttftMs ?? timings.ttftMs,
    prefillTps,
    decodeTps,
    totalMs: performance.now() - began,
  };
}

/** The cloud endpoint, by way of the package: its gates, its token and its errors hold here too. */
export function cloudTarget(ask: BenchAsk): BenchTarget {
  const run = async (text: string, signal: AbortSignal): Promise<Measured> => {
    const began = performance.now();
    for await (const event of ask(text, signal)) {
      if (event.type === 'span' && event.source === 'on_device') throw unused();
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
  return { warmUp: run, run };
}

const unused = (): InshoreError =>
  new InshoreError(
    'cloud_unused',
    'The policy did not let this run go to the cloud. Check the switch and the mode.',
  );
