import type { RequestExtension, Usage } from '../sdk/contract';
import type { ChatCompletionParams, ChatCompletions } from './chat';
import { isCancelled, toHttpError } from './errors';
import { type LinkedSignal, linkSignals } from './linked-signal';
import { estimateTokens, type PromptInput, type Turn, toTurns, unsupported } from './prompt-input';

/** What a session is made of. */
export interface SessionParts {
  chat: ChatCompletions;
  turns: Turn[];
  temperature: number | undefined;
  topK: number | undefined;
  contextWindow: number;
  countTokens: ((turns: readonly Turn[]) => Promise<number> | number) | undefined;
}

/** Options of `prompt` and `promptStreaming`. */
export interface PromptOptions {
  signal?: AbortSignal | undefined;
  /** Not supported: `NotSupportedError`. */
  responseConstraint?: unknown;
}

/**
 * One conversation in the Prompt API's form. Prompts run one after another. When the conversation outgrows the context,
 * its oldest exchanges are forgotten (never the system message) and `contextoverflow` is fired.
 *
 * Rejections: the reason of the signal; DOMException `AbortError` once destroyed, `NotSupportedError`,
 * `QuotaExceededError`; `InshoreError` for all that the Prompt API has no name for.
 */
export class LanguageModelSession extends EventTarget {
  readonly #parts: SessionParts;
  readonly #destroyed = new AbortController();
  // Requests of one conversation stay where the first one went.
  readonly #conversation = `prompt-api-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
  #turns: Turn[];
  #usage: number;
  /** Resolves when every turn so far is over; never rejects. */
  #last: Promise<void> = Promise.resolve();
  oncontextoverflow: ((event: Event) => void) | null = null;

  /** Made by `create` and `clone`. `usage`: tokens of `parts.turns`. */
  constructor(parts: SessionParts, usage: number) {
    super();
    this.#parts = parts;
    this.#turns = [...parts.turns];
    this.#usage = usage;
  }

  get temperature(): number | undefined {
    return this.#parts.temperature;
  }

  get topK(): number | undefined {
    return this.#parts.topK;
  }

  /** Tokens that fit; Infinity where it is not known yet. */
  get contextWindow(): number {
    return this.#parts.contextWindow;
  }

  /** Tokens of the conversation so far: counted by the model after an answer, an estimate before the first. */
  get contextUsage(): number {
    return this.#usage;
  }

  /** The older name of {@link contextWindow}. */
  get inputQuota(): number {
    return this.contextWindow;
  }

  /** The older name of {@link contextUsage}. */
  get inputUsage(): number {
    return this.contextUsage;
  }

  /** Tokens that `input` would take; an estimate where no tokenizer is at hand. */
  async measureContextUsage(input: PromptInput, options: PromptOptions = {}): Promise<number> {
    this.#check(options);
    return this.#count(toTurns(input, false));
  }

  /** The older name of {@link measureContextUsage}. */
  measureInputUsage(input: PromptInput, options: PromptOptions = {}): Promise<number> {
    return this.measureContextUsage(input, options);
  }

  /** Asks, and gives the whole answer. */
  async prompt(input: PromptInput, options: PromptOptions = {}): Promise<string> {
    this.#check(options);
    const asked = toTurns(input, false);
    return this.#inTurn(options.signal, async (signal) => {
      const body = { ...(await this.#body(asked)), stream: false as const };
      const completion = await this.#parts.chat.completions.create(body, { signal });
      const message = completion.choices[0]?.message;
      // This interface has no field for a refusal, so the refusal becomes text.
      const text = (message?.content ?? '') + (message?.refusal ?? '');
      this.#remember(asked, text, completion.usage);
      return text;
    });
  }

  /** Asks at once, and gives the answer piece by piece. Cancelling the stream ends the generation. */
  promptStreaming(input: PromptInput, options: PromptOptions = {}): ReadableStream<string> {
    const cancelled = new AbortController();
    const link = linkSignals(cancelled.signal, options.signal, this.#destroyed.signal);
    const { signal } = link;
    const pieces = this.#pieces(input, options, signal);
    return new ReadableStream<string>({
      start(controller) {
        const onAbort = (): void => {
          link.release();
          controller.error(signal.reason);
          // Gives the turn back, also while nobody reads.
          pieces.return().catch(() => {});
        };
        signal.addEventListener('abort', onAbort, { once: true });
      },
      async pull(controller) {
        try {
          const { value, done } = await pieces.next();
          if (signal.aborted) return;
          if (!done) return controller.enqueue(value);
          link.release();
          controller.close();
        } catch (error) {
          link.release();
          controller.error(error);
        }
      },
      cancel: (reason) => cancelled.abort(reason),
    });
  }

  /** Adds messages to the conversation without asking for an answer. */
  async append(input: PromptInput, options: PromptOptions = {}): Promise<void> {
    this.#check(options);
    const turns = toTurns(input, false);
    await this.#inTurn(options.signal, async () => {
      await this.#makeRoom(turns);
      this.#turns.push(...turns);
      this.#usage += await this.#count(turns);
    });
  }

  /** A second conversation that goes on from here. */
  async clone(options: { signal?: AbortSignal | undefined } = {}): Promise<LanguageModelSession> {
    this.#check(options);
    return this.#inTurn(
      options.signal,
      async () => new LanguageModelSession({ ...this.#parts, turns: this.#turns }, this.#usage),
    );
  }

  /** Ends what runs, and refuses what comes. */
  destroy(): void {
    this.#destroyed.abort(new DOMException('The session was destroyed.', 'AbortError'));
  }

  async *#pieces(
    input: PromptInput,
    options: PromptOptions,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    this.#check(options);
    const asked = toTurns(input, false);
    const leave = await this.#enter(signal);
    try {
      // Text that was handed out cannot be taken back here.
      const body = await this.#body(asked, { accept_replace: false });
      const stream = await this.#parts.chat.completions.create(
        { ...body, stream: true, stream_options: { include_usage: true } },
        { signal },
      );
      let text = '';
      let usage: Usage | undefined;
      for await (const chunk of stream) {
        const delta = chunk.choices[0]?.delta;
        const piece = (delta?.content ?? '') + (delta?.refusal ?? '');
        usage = chunk.usage ?? usage;
        text += piece;
        if (piece !== '') yield piece;
      }
      this.#remember(asked, text, usage);
    } catch (error) {
      throw told(error, signal);
    } finally {
      leave();
    }
  }

  /** Refuses what cannot be done. */
  #check({ signal, responseConstraint }: PromptOptions): void {
    if (responseConstraint !== undefined && responseConstraint !== null)
      throw unsupported('responseConstraint is not supported: the model writes free text.');
    this.#destroyed.signal.throwIfAborted();
    signal?.throwIfAborted();
  }

  /** Runs `work` after all earlier calls have ended. Its signal aborts with the caller's and with `destroy`. */
  async #inTurn<T>(caller: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const link: LinkedSignal = linkSignals(caller, this.#destroyed.signal);
    try {
      const leave = await this.#enter(link.signal);
      try {
        return await work(link.signal);
      } catch (error) {
        throw told(error, link.signal);
      } finally {
        leave();
      }
    } finally {
      link.release();
    }
  }

  /** Waits until all that was asked before is over; what it gives ends this turn. */
  async #enter(signal: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let leave = (): void => {};
    const mine = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.#last = before.then(() => mine);
    try {
      await unlessAborted(before, signal);
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #body(asked: Turn[], extension: RequestExtension = {}): Promise<ChatCompletionParams> {
    await this.#makeRoom(asked);
    const { temperature, topK } = this.#parts;
    return {
      messages: [...this.#turns, ...asked],
      ...(temperature === undefined ? {} : { temperature }),
      ...(topK === undefined ? {} : { top_k: topK }),
      inshore: { conversation: this.#conversation, ...extension },
    };
  }

  /** Forgets the oldest exchanges until `more` fits beside the rest. */
  async #makeRoom(more: Turn[]): Promise<void> {
    const needed = await this.#count(more);
    let forgot = false;
    while (this.#usage + needed > this.contextWindow) {
      const oldest = this.#turns.findIndex(({ role }) => role !== 'system');
      if (oldest < 0) throw quotaExceeded();
      // A question goes together with its answers.
      const next = this.#turns.findIndex(({ role }, index) => index > oldest && role === 'user');
      this.#turns.splice(oldest, (next < 0 ? this.#turns.length : next) - oldest);
      this.#usage = await this.#count(this.#turns);
      forgot = true;
    }
    if (!forgot) return;
    const event = new Event('contextoverflow');
    this.dispatchEvent(event);
    this.oncontextoverflow?.(event);
  }

  #remember(asked: Turn[], answer: string, usage: Usage | undefined): void {
    this.#turns.push(...asked, { role: 'assistant', content: answer });
    this.#usage = usage?.total_tokens ?? estimateTokens(this.#turns);
  }

  async #count(turns: readonly Turn[]): Promise<number> {
    return (await this.#parts.countTokens?.(turns)) ?? estimateTokens(turns);
  }
}

/** The failure under the Prompt API's name, where it has one. */
function told(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted && (isCancelled(error) || error === signal.reason)) return signal.reason;
  return toHttpError(error).body.error.code === 'context_length_exceeded' ? quotaExceeded() : error;
}

/** For what is longer than the context. */
export const quotaExceeded = (): DOMException =>
  new DOMException('The prompt is longer than the context of the model.', 'QuotaExceededError');

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
