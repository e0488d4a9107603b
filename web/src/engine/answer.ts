import type { InshoreError } from '../error';
import type { AnswerEnd, PrefillProgress, Step } from './protocol';

/**
 * One answer on the page's side. It keeps every token that arrived, so that what was generated survives the death of
 * the worker. Iterate it (as often as you like) for the steps; the iteration throws where the answer failed.
 */
export class Answer implements AsyncIterable<Step> {
  /** Ids of the prompt, template included; empty until the engine has accepted it. */
  promptIds: readonly number[] = [];
  /** Resolves with the finish reason, or rejects: nothing cut off ever looks complete. */
  readonly done: Promise<AnswerEnd>;
  /** Called for each part of the prompt that has run, before the first step. */
  onPrefill: ((progress: PrefillProgress) => void) | undefined;
  readonly #steps: Step[] = [];
  readonly #onStop: () => void;
  #end: AnswerEnd | undefined;
  #error: InshoreError | undefined;
  #wake: (() => void)[] = [];

  constructor(onStop: () => void) {
    this.#onStop = onStop;
    this.done = this.#settled();
    // Whoever only iterates gets the error there; that must not count as unhandled here.
    this.done.catch(() => {});
  }

  /** The steps that arrived so far. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Ids that arrived so far. */
  get ids(): number[] {
    return this.#steps.map((step) => step.id);
  }

  /** Text that arrived so far. */
  get text(): string {
    return this.#steps.map((step) => step.text).join('');
  }

  /** Asks the engine to end before the next token. */
  stop(): void {
    if (!this.ended) this.#onStop();
  }

  /** Whether nothing more will arrive. */
  get ended(): boolean {
    return this.#end !== undefined || this.#error !== undefined;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Step> {
    for (let next = 0; ; ) {
      const step = this.#steps[next];
      if (step !== undefined) {
        next += 1;
        yield step;
      } else if (this.#error !== undefined) throw this.#error;
      else if (this.#end !== undefined) return;
      else await this.#change();
    }
  }

  /** For the client: a token arrived. */
  push(step: Step): void {
    this.#steps.push(step);
    this.#notify();
  }

  /** For the client: the engine ended the answer. */
  finish(end: AnswerEnd): void {
    this.#end ??= end;
    this.#notify();
  }

  /** For the client: the answer ends in an error; what arrived stays. */
  fail(error: InshoreError): void {
    if (!this.ended) this.#error = error;
    this.#notify();
  }

  async #settled(): Promise<AnswerEnd> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#end !== undefined) return this.#end;
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
