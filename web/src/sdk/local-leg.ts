import type { Answer } from '../engine/answer';
import type { EngineClient } from '../engine/client';
import type { AnswerEnd, EngineRequest, Sampling, Step } from '../engine/protocol';
import { within } from '../within';
import type { TokenLogprobs } from './contract';
import type { Leg, LegSink, LegTask } from './leg';

/**
 * How long a stopped engine may take to end its step before its worker is terminated: twice its longest silence so far (for
 * example a part of a long prompt), within these bounds.
 */
const STOP_GRACE_MS = { least: 2_000, most: 10_000 };

/** One answer, or the rest of one, on the device. */
export class LocalLeg implements Leg {
  readonly task: LegTask;
  readonly #sink: LegSink;
  readonly #aborted: Promise<void>;
  #answer: Answer | undefined;
  #lastSignMs = 0;
  #longestSilenceMs = 0;
  #abort: () => void = () => {};
  #isAborted = false;

  constructor(task: LegTask, sink: LegSink) {
    this.task = task;
    this.#sink = sink;
    this.#aborted = new Promise((resolve) => {
      this.#abort = resolve;
    });
  }

  /** Whether nobody waits for it any more. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** Resolves when nobody waits for it any more. */
  get aborted(): Promise<void> {
    return this.#aborted;
  }

  abort(): void {
    this.#isAborted = true;
    this.#answer?.stop();
    this.#abort();
  }

  /** What it tells its sink; nothing after an abort. */
  get sink(): LegSink {
    const unlessAborted = (report: () => void): void => {
      if (!this.#isAborted) report();
    };
    return {
      piece: (piece) => unlessAborted(() => this.#sink.piece(piece)),
      alive: () => unlessAborted(() => this.#sink.alive()),
      room: () => this.#sink.room(),
      finished: (end) => unlessAborted(() => this.#sink.finished(end)),
      failed: (error) => unlessAborted(() => this.#sink.failed(error)),
    };
  }

  /**
   * Runs on `engine`. Resolves with the end, or with undefined after an abort; throws where the engine fails. After an
   * abort that the engine does not obey in time it throws `stuck`, and the worker has to go.
   */
  async run(engine: EngineClient): Promise<AnswerEnd | undefined> {
    this.#lastSignMs = performance.now();
    const answer = engine.generate(engineRequest(this.task));
    this.#answer = answer;
    answer.onPrefill = () => {
      this.#heard();
      this.alive();
    };
    const read = this.#read(answer);
    await Promise.race([read, this.#aborted]);
    if (!this.#isAborted) return read;
    read.catch(() => {});
    await within(
      this.#graceMs(),
      read.catch(() => {}),
    );
    if (!answer.ended) throw STUCK;
    return undefined;
  }

  /** Reports to the policy that the device works on this leg, without a token. */
  alive(): void {
    this.sink.alive();
  }

  #heard(): void {
    const now = performance.now();
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - this.#lastSignMs);
    this.#lastSignMs = now;
  }

  #graceMs(): number {
    const silence = Math.max(this.#longestSilenceMs, performance.now() - this.#lastSignMs);
    return Math.min(STOP_GRACE_MS.most, Math.max(STOP_GRACE_MS.least, 2 * silence));
  }

  async #read(answer: Answer): Promise<AnswerEnd> {
    const { topLogprobs } = this.task.request;
    for await (const step of answer) {
      this.#heard();
      const logprobs = topLogprobs === undefined ? undefined : readLogprobs(step);
      this.sink.piece({ text: step.text, tokens: 1, ids: [step.id], logprobs });
      // The engine goes on, and the token log (bounded by the context) keeps its tokens until the reader has room.
      const room = this.#sink.room();
      if (room !== undefined) await Promise.race([room, this.#aborted]);
    }
    return answer.done;
  }
}

/** Thrown by {@link LocalLeg.run} where the engine neither goes on nor stops. */
export const STUCK = Symbol('stuck');

function engineRequest({ request, seed, ids, maxTokens }: LegTask): EngineRequest {
  const { messages, stop, topLogprobs } = request;
  return {
    prompt: { chat: messages },
    ...(ids.length > 0 && { continuation: ids }),
    ...(maxTokens !== undefined && { maxTokens }),
    sampling: sampling(request, seed),
    ...(stop.length > 0 && { stop }),
    ...(topLogprobs !== undefined && { topLogprobs }),
  };
}

function sampling(request: LegTask['request'], seed: number | bigint): Sampling {
  const { temperature, topP, topK, minP, repetitionPenalty, frequencyPenalty, presencePenalty } = request;
  return {
    seed,
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(minP !== undefined && { minP }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(presencePenalty !== undefined && { presencePenalty }),
  };
}

function readLogprobs({ text, logprob, top, bytes = [] }: Step): TokenLogprobs {
  const [own, ...others] = bytes.map((token) => ({
    token: new TextDecoder().decode(token),
    bytes: [...token],
  }));
  return {
    ...(own ?? { token: text, bytes: [...new TextEncoder().encode(text)] }),
    logprob,
    top_logprobs: others.flatMap((other, at) => {
      const logprob = top[at]?.[1];
      return logprob === undefined ? [] : [{ ...other, logprob }];
    }),
  };
}
