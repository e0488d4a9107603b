import type { AnswerCounts } from './answer_watch';

/** Takes one line of the log. */
export type Log = (entry: Readonly<Record<string, unknown>>) => void;

/** One JSON object a line, on standard output or wherever the host collects it. */
export const consoleLog: Log = (entry) => {
  // biome-ignore lint/suspicious/noConsole: the console is the log of an edge runtime.
  console.log(JSON.stringify({ time: new Date().toISOString(), ...entry }));
};

/** What may be logged besides status and times: names and codes of ours, never what a visitor or a model wrote. */
export interface LoggedFields {
  /** Public name, and only one that is on the list: any other could be text of the visitor's. */
  model?: string;
  upstream?: string;
  upstream_status?: number;
  stream?: boolean;
  /** Class and place of an error that was not foreseen; not its message. */
  fault?: string;
}

/** One request in the log: one line, written when the answer is over. */
export class RequestRecord {
  readonly requestId = crypto.randomUUID();
  readonly #startMs = Date.now();
  #fields: Record<string, unknown> = {};
  #isLater = false;
  #hasEnded = false;

  /** @param route method and path, both ones of ours */
  constructor(
    readonly route: string,
    readonly log: Log,
  ) {}

  add(fields: LoggedFields): void {
    Object.assign(this.#fields, fields);
  }

  /** The tokens of an answer; `events` is near their number where no usage was asked for. */
  count(counts: AnswerCounts): void {
    const { events, promptTokens, completionTokens } = counts;
    Object.assign(this.#fields, { events, prompt_tokens: promptTokens, completion_tokens: completionTokens });
  }

  /** The response goes out now; whoever writes its body calls {@link end}. */
  answerLater(): void {
    this.add({});
    this.#fields.begun_ms = Date.now() - this.#startMs;
    this.#isLater = true;
  }

  /** The handler is through: the end, unless the body is still being written. */
  handled(status: number, outcome: string): void {
    if (!this.#isLater) this.end(status, outcome);
  }

  /** @param outcome `complete`, `aborted`, or an error's code */
  end(status: number, outcome: string, counts?: AnswerCounts): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (counts !== undefined) this.count(counts);
    const totalMs = Date.now() - this.#startMs;
    this.log({
      request_id: this.requestId,
      route: this.route,
      status,
      outcome,
      ...this.#fields,
      total_ms: totalMs,
    });
  }
}
