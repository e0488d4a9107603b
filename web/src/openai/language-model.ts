import type { Availability, Progress } from '../sdk/contract';
import type { ChatCompletions } from './chat';
import { LanguageModelSession, quotaExceeded } from './language-model-session';
import {
  estimateTokens,
  type PromptInput,
  type PromptMessage,
  type Turn,
  toTurns,
  unsupported,
} from './prompt-input';

export { LanguageModelSession, type PromptOptions } from './language-model-session';
export type { PromptInput, PromptMessage } from './prompt-input';

/** What answers, as far as the wrapper must know it. */
export interface LanguageModelHost {
  /** Whether the device can answer. */
  availability(): Promise<Availability> | Availability;
  /** Whether an endpoint may answer at this moment; then nothing need be downloaded first. */
  cloudMayAnswer?(): boolean;
  download(options: {
    onProgress?: (progress: Progress) => void;
    signal?: AbortSignal | undefined;
  }): Promise<unknown>;
  /** Tokens that fit, once it is known. */
  contextTokens?(): number | undefined;
  /** Exact, where a tokenizer is at hand. */
  countTokens?(turns: readonly Turn[]): Promise<number> | number;
}

/** Expected kinds of input or output; only text exists here. */
interface Expected {
  type: string;
  languages?: readonly string[];
}

/** Options of `availability`. */
export interface LanguageModelCoreOptions {
  temperature?: number;
  topK?: number;
  expectedInputs?: readonly Expected[];
  expectedOutputs?: readonly Expected[];
  tools?: readonly unknown[];
}

/** Options of `create`. */
export interface LanguageModelCreateOptions extends LanguageModelCoreOptions {
  initialPrompts?: readonly PromptMessage[];
  signal?: AbortSignal;
  /** Gets an event target that fires `downloadprogress`, with `loaded` from 0 to 1. */
  monitor?: (monitor: EventTarget) => void;
}

/** The static side of the Prompt API's `LanguageModel`. */
export interface LanguageModelLike {
  availability(options?: LanguageModelCoreOptions): Promise<Availability>;
  create(options?: LanguageModelCreateOptions): Promise<LanguageModelSession>;
}

/** `LanguageModel` for code that was written for the browser's Prompt API. */
export function createLanguageModel(chat: ChatCompletions, host: LanguageModelHost): LanguageModelLike {
  return {
    async availability(options = {}) {
      return refused(options) === undefined ? availabilityOf(host) : 'unavailable';
    },
    async create(options = {}) {
      const { signal, temperature, topK } = options;
      signal?.throwIfAborted();
      const reason = refused(options);
      if (reason !== undefined) throw unsupported(reason);
      if (temperature !== undefined && !(temperature >= 0))
        throw new RangeError('temperature must be at least 0.');
      if (topK !== undefined && !(topK >= 1)) throw new RangeError('topK must be at least 1.');
      const turns = toTurns((options.initialPrompts ?? []) as PromptInput, true);
      await makeAvailable(host, options);
      signal?.throwIfAborted();
      const contextWindow = host.contextTokens?.() ?? Number.POSITIVE_INFINITY;
      const usage = (await host.countTokens?.(turns)) ?? estimateTokens(turns);
      if (usage > contextWindow) throw quotaExceeded();
      const parts = {
        chat,
        turns,
        temperature: temperature === undefined ? undefined : Math.min(temperature, 2),
        topK: topK === undefined ? undefined : Math.floor(topK),
        contextWindow,
        countTokens: host.countTokens?.bind(host),
      };
      return new LanguageModelSession(parts, usage);
    },
  };
}

/** Why these options ask for more than text. */
function refused({
  expectedInputs = [],
  expectedOutputs = [],
  tools = [],
}: LanguageModelCoreOptions): string | undefined {
  if (tools.length > 0) return 'Tools are not supported here; use chat.completions with a cloud endpoint.';
  const other = [...expectedInputs, ...expectedOutputs].find(({ type }) => type !== 'text');
  return other && `The model takes and writes text only, not ${String(other.type).slice(0, 100)}.`;
}

/** An endpoint that may answer counts: the device is not asked, and its model is not waited for. */
async function availabilityOf(host: LanguageModelHost): Promise<Availability> {
  return host.cloudMayAnswer?.() === true ? 'available' : host.availability();
}

async function makeAvailable(
  host: LanguageModelHost,
  { signal, monitor }: LanguageModelCreateOptions,
): Promise<void> {
  const target = new EventTarget();
  monitor?.(target);
  let shown = -1;
  const report = (loaded: number): void => {
    // Only forward, as a progress bar wants it.
    if (loaded <= shown) return;
    shown = loaded;
    target.dispatchEvent(new DownloadProgressEvent(loaded));
  };
  const availability = await availabilityOf(host);
  signal?.throwIfAborted();
  if (availability === 'unavailable')
    throw unsupported('The model does not run on this device, and no endpoint may answer in its place.');
  report(0);
  if (availability !== 'available') {
    const onProgress = ({ phase, doneBytes, totalBytes }: Progress): void => {
      if (phase === 'downloading' && totalBytes) report(Math.min(doneBytes / totalBytes, 1));
    };
    await host.download({ onProgress, signal });
  }
  report(1);
}

/** Not `ProgressEvent`: that one is missing in workers of some runtimes and in Node. */
class DownloadProgressEvent extends Event {
  readonly lengthComputable = true;
  readonly total = 1;
  readonly loaded: number;

  constructor(loaded: number) {
    super('downloadprogress');
    this.loaded = loaded;
  }
}
