import { InshoreError } from '../error';
import type {
  AnswerEvent,
  CheckedRequest,
  Dispatcher,
  FinishReason,
  Report,
  RunningAnswer,
} from '../sdk/contract';

/** `hang`: nothing more comes until the answer is aborted. An error: the answer fails with it. */
export type Step = AnswerEvent | InshoreError | 'hang';

/** What a test says will happen: the real dispatcher's faults cannot be had at will. */
export class ScriptedDispatcher implements Dispatcher {
  readonly requests: CheckedRequest[] = [];
  /** Events that were asked for, over all answers. */
  taken = 0;
  aborted = 0;
  /** Iterations that ran to their end or were closed. */
  closed = 0;
  readonly #script: (request: CheckedRequest) => readonly Step[];

  constructor(script: readonly Step[] | ((request: CheckedRequest) => readonly Step[])) {
    this.#script = typeof script === 'function' ? script : () => script;
  }

  run(request: CheckedRequest, { signal }: { signal?: AbortSignal | undefined }): RunningAnswer {
    this.requests.push(request);
    const stop = new AbortController();
    let over = false;
    const abort = (): void => {
      if (!stop.signal.aborted && !over) this.aborted += 1;
      stop.abort();
    };
    const finish = (): void => {
      this.closed += 1;
      over = true;
    };
    signal?.addEventListener('abort', abort, { once: true });
    const events = this.#events(this.#script(request), stop.signal, finish);
    return { request: this.requests.length, abort, [Symbol.asyncIterator]: () => events };
  }

  async *#events(
    steps: readonly Step[],
    signal: AbortSignal,
    finish: () => void,
  ): AsyncGenerator<AnswerEvent, void, undefined> {
    const cancelled = () => new InshoreError('cancelled', 'The request was cancelled by its caller.');
    try {
      for (const step of steps) {
        this.taken += 1;
        if (step === 'hang') {
          await new Promise<void>((resolve) => {
            if (signal.aborted) resolve();
            signal.addEventListener('abort', () => resolve());
          });
        } else await new Promise((resolve) => setTimeout(resolve, 0));
        if (signal.aborted || step === 'hang') throw cancelled();
        if (step instanceof InshoreError) throw step;
        yield step;
      }
    } finally {
      finish();
    }
  }
}

/** The report of an answer from the device alone. */
export const report: Report = {
  source: 'on_device',
  reason: 'meets_slo',
  spans: [
    { source: 'on_device', reason: 'meets_slo', start: 0, end: 5, tokens: 2, ttftMs: 12, decodeTps: 30 },
  ],
  predicted: { ttftMs: 10, decodeTps: 31 },
  timings: { ttftMs: 12, totalMs: 80, decodeTps: 30 },
  handovers: 0,
};

export const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };

export const span: AnswerEvent = { type: 'span', source: 'on_device', reason: 'meets_slo' };

export const delta = (text: string, more: { logprob?: number } = {}): AnswerEvent => ({
  type: 'delta',
  text,
  source: 'on_device',
  ...(more.logprob === undefined
    ? {}
    : {
        logprobs: {
          token: text,
          logprob: more.logprob,
          bytes: [...new TextEncoder().encode(text)],
          top_logprobs: [],
        },
      }),
});

export const end = (finishReason: FinishReason = 'stop'): AnswerEvent => ({
  type: 'end',
  finishReason,
  usage,
  report,
});

/** An answer of these texts, from the device. */
export const answer = (...texts: string[]): AnswerEvent[] => [
  span,
  ...texts.map((text) => delta(text)),
  end(),
];
