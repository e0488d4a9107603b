import type { Session } from '../../engine/session';
import type { CheckedRequest, Mode, RunningAnswer } from '../../sdk/contract';
import type { ModelRef } from '../../store/model';
import { requestOf } from '../ask';
import { formatAdapter, formatBackend } from '../format';
import { endpointOf, type Settings } from '../settings';
import type { BenchHost } from './bench-view';
import { BENCH_TOKENS } from './prompts';
import { type BenchAsk, cloudTarget, deviceTarget } from './runner';

/** What of the page a benchmark runs on. */
export interface BenchParts {
  session(): Session | undefined;
  /** Whether the model was loaded; its engine may have ended since. */
  loaded(): boolean;
  model(): ModelRef | undefined;
  settings(): Settings;
  /** Whether the chat has the engine. */
  answering(): boolean;
  run(request: CheckedRequest, signal: AbortSignal): RunningAnswer;
  setRunning(running: boolean): void;
}

/** The page as the host of its benchmark. */
export function benchHost(parts: BenchParts): BenchHost {
  const askOnly =
    (mode: Mode): BenchAsk =>
    (text, signal) => {
      const extension = { mode, accept_replace: false };
      return parts.run(requestOf([{ role: 'user', content: text }], extension, BENCH_TOKENS), signal);
    };
  return {
    setRunning: parts.setRunning,
    answering: parts.answering,
    device: () =>
      parts.loaded() ? deviceTarget(askOnly('only_on_device'), () => parts.session()?.engine) : undefined,
    cloud() {
      const allowed = !parts.settings().neverCloud && parts.model() !== undefined;
      return allowed ? cloudTarget(askOnly('only_in_cloud')) : undefined;
    },
    async facts(withCloud) {
      const [session, model] = [parts.session(), parts.model()];
      return {
        model: session?.info.name ?? model?.name ?? '',
        sha256: model?.sha256,
        backend: session === undefined ? '–' : formatBackend(session.device),
        device: session === undefined ? '–' : formatAdapter(session.device),
        userAgent: navigator.userAgent,
        logicalCores: navigator.hardwareConcurrency,
        memoryBytes: await session?.engine.memoryBytes().catch(() => undefined),
        cloud: withCloud ? new URL(endpointOf(parts.settings(), location.origin)).host : undefined,
        maxTokens: BENCH_TOKENS,
      };
    },
  };
}
