import { InshoreError } from '../../error';
import type {
  AnswerEvent,
  FinishReason,
  Reason,
  Report,
  RunningAnswer,
  Source,
  Usage,
} from '../../sdk/contract';

/** A stretch of the text from one source, while it grows. */
export interface ShownSpan {
  source: Source;
  reason: Reason;
  /** Of the text, in UTF-16 units. */
  start: number;
  tokens: number;
}

/** One piece of the answer as it arrived. */
export interface ChatStep {
  text: string;
  tokens: number;
  source: Source;
}

/** A first attempt whose text is void, for the answer began again elsewhere. */
export interface VoidAttempt {
  text: string;
  from: Source | undefined;
  reason: Reason;
}

/** How an answer ended for its reader. */
export interface ChatEnd {
  finishReason: FinishReason | 'cancelled';
  usage: Usage | undefined;
  /** Absent where the reader stopped it: the package reports whole answers only. */
  report: Report | undefined;
  timings: { ttftMs: number; decodeTps: number; completionTokens: number };
}

/** What the page is told of an answer. */
export interface ChatListener {
  span(span: ShownSpan, before: ShownSpan | undefined): void;
  step(step: ChatStep): void;
  replaced(attempt: VoidAttempt): void;
}

/**
 * One answer on the page: its text, its spans and its times, whoever generates it. It belongs to the page and outlives
 * every engine.
 */
export class ChatAnswer {
  text = '';
  spans: ShownSpan[] = [];
  readonly steps: ChatStep[] = [];
  readonly voided: VoidAttempt[] = [];
  /** Resolves when it is whole or stopped; rejects where it failed. What arrived stays. */
  readonly done: Promise<ChatEnd>;
  readonly #running: RunningAnswer;
  readonly #listener: ChatListener;
  readonly #startedMs = performance.now();
  #firstMs: number | undefined;
  #lastMs = 0;
  #tokens = 0;
  #ended = false;
  #stopped = false;

  constructor(running: RunningAnswer, listener: ChatListener) {
    this.#running = running;
    this.#listener = listener;
    this.done = this.#read();
    // Whoever does not wait for the end sees the error on the page.
    this.done.catch(() => {});
  }

  /** Whether nothing more will arrive. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Ends it at once. */
  stop(): void {
    if (this.#ended) return;
    this.#stopped = true;
    this.#running.abort();
  }

  async #read(): Promise<ChatEnd> {
    try {
      for await (const event of this.#running) {
        const end = this.#take(event);
        if (end !== undefined) return end;
      }
    } catch (error) {
      const cancelled = InshoreError.is(error) && error.code === 'cancelled';
      if (!cancelled || !this.#stopped) throw error;
      return { finishReason: 'cancelled', usage: undefined, report: undefined, timings: this.#timings() };
    } finally {
      this.#ended = true;
    }
    throw new InshoreError('internal', 'The answer broke off without an end. Please report this.');
  }

  #take(event: AnswerEvent): ChatEnd | undefined {
    // What was on its way when the reader stopped it is not shown any more.
    if (this.#stopped) return undefined;
    switch (event.type) {
      case 'span': {
        const span = { source: event.source, reason: event.reason, start: this.text.length, tokens: 0 };
        const before = this.spans.at(-1);
        this.spans.push(span);
        this.#listener.span(span, before);
        return undefined;
      }
      case 'delta':
        // A refusal is what the model says instead of an answer.
        this.#step(event.text + (event.refusal ?? ''), event.tokens ?? 1, event.source);
        return undefined;
      case 'replace':
        this.#replace(event.reason);
        return undefined;
      case 'end':
        return {
          finishReason: event.finishReason,
          usage: event.usage,
          report: event.report,
          timings: {
            ttftMs: event.report.timings.ttftMs,
            decodeTps: event.report.timings.decodeTps ?? Number.NaN,
            completionTokens: event.usage.completion_tokens,
          },
        };
    }
  }

  #step(text: string, tokens: number, source: Source): void {
    this.#lastMs = performance.now();
    this.#firstMs ??= this.#lastMs;
    this.#tokens += tokens;
    this.text += text;
    const span = this.spans.at(-1);
    if (span !== undefined) span.tokens += tokens;
    const step = { text, tokens, source };
    this.steps.push(step);
    this.#listener.step(step);
  }

  #replace(reason: Reason): void {
    const attempt = { text: this.text, from: this.spans.at(-1)?.source, reason };
    this.voided.push(attempt);
    this.text = '';
    this.spans = [];
    this.#tokens = 0;
    this.#listener.replaced(attempt);
  }

  #timings(): ChatEnd['timings'] {
    const first = this.#firstMs ?? performance.now();
    const seconds = (this.#lastMs - first) / 1000;
    return {
      ttftMs: first - this.#startedMs,
      decodeTps: seconds > 0 ? (this.#tokens - 1) / seconds : Number.NaN,
      completionTokens: this.#tokens,
    };
  }
}
