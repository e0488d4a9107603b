import type { Session } from '../../engine/session';
import type { CheckedRequest, RunningAnswer } from '../../sdk/contract';
import type { ModelRef } from '../../store/model';
import { requestOf } from '../ask';
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
  /** Whether the chat has the engine. */
  answering(): boolean;
  run(request: CheckedRequest, signal: AbortSignal): RunningAnswer;
  setRunning(running: boolean): void;
}

/** The page as the host of its benchmark. */
export function benchHost(parts: BenchParts): BenchHost {
  return {
    setRunning: parts.setRunning,
    answering: parts.answering,
    device() {
      const session = parts.session();
      return session === undefined ? undefined : engineTarget(session.engine);
    },
    cloud() {
      const allowed = !parts.settings().neverCloud && parts.model() !== undefined;
      if (!allowed) return undefined;
      return cloudTarget((text, signal) => {
        const asked = { maxTokens: BENCH_TOKENS, temperature: 0 };
        const onlyThere = { mode: 'only_in_cloud' as const, accept_replace: false };
        return parts.run(requestOf([{ role: 'user', content: text }], onlyThere, asked), signal);
      });
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
