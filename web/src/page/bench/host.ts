import type { Session } from '../../engine/session';
import type { RunningAnswer } from '../../sdk/contract';
import type { ModelRef } from '../../store/model';
import { formatAdapter, formatBackend } from '../format';
import { endpointOf, type Settings } from '../settings';
import type { BenchHost } from './bench-view';
import { BENCH_TOKENS } from './prompts';
import { cloudTarget, engineTarget } from './runner';

/** What of the page a benchmark runs on. */
export interface BenchParts {
  session(): Session | undefined;
  model(): ModelRef | undefined;
  settings(): Settings;
  /** Asks the cloud and nobody else. */
  ask(text: string, signal: AbortSignal): RunningAnswer;
  setRunning(running: boolean): void;
}

/** The page as the host of its benchmark. */
export function benchHost(parts: BenchParts): BenchHost {
  return {
    setRunning: parts.setRunning,
    device() {
      const session = parts.session();
      return session === undefined ? undefined : engineTarget(session.engine);
    },
    cloud() {
      const allowed = !parts.settings().neverCloud && parts.model() !== undefined;
      return allowed ? cloudTarget(parts.ask) : undefined;
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
