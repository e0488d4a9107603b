import { EventStreamError, EventStreamParser, type StreamEvent } from '../../web/src/protocol/event-stream';
import { AnswerWatch, garbage } from './answer_watch';
import { ApiError } from './errors';
import { openAiChunk } from './openai_shape';
import { QUIET, settled } from './quiet';
import { SSE_HEARTBEAT, sseEvent } from './sse';
import { timeout, type UpstreamBody } from './upstream_body';

/** After `[DONE]` the upstream has this long to close, so that its connection can serve again. */
const DRAIN_MS = 250;
/** Shortest time between the empty comments that pass keep-alives and incomplete events on to the client. */
const LIFE_EVERY_MS = 250;

/** What {@link relay} needs. */
export interface RelayOptions {
  /** The upstream's answer; it may not have arrived yet. */
  source: Promise<UpstreamBody>;
  /** Struck out wherever it appears. */
  key: string | undefined;
  /**
   * Interval of the empty comments on a silent stream; 0: none. workerd notices a lost HTTP/1.1 client only when the
   * client resets its socket or when the worker writes to it.
   */
  heartbeatMs: number;
  /** The answer must go on within this time, whatever keep-alives the upstream sends. */
  aliveTimeoutMs: number;
  /** Ends the upstream's request. */
  abort: AbortController;
  /** Called once: `complete`, `aborted`, or an error's code. */
  onEnd(outcome: string, watch: AnswerWatch): void;
}

/** Returns the stream for the client. Passes each event on as soon as it is complete, and cancels upstream with the client. */
export function relay(options: RelayOptions): ReadableStream<Uint8Array> {
  const run = new Relay(options);
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => run.pull(controller),
      cancel: () => run.cancel(),
    },
    // Nothing is read ahead: a slow reader slows the upstream.
    { highWaterMark: 0 },
  );
}

class Relay {
  readonly #options: RelayOptions;
  readonly #watch = new AnswerWatch();
  readonly #events: StreamEvent[] = [];
  readonly #parser = new EventStreamParser((event) => this.#events.push(event));
  readonly #encoder = new TextEncoder();
  #body: UpstreamBody | undefined;
  /** `[DONE]` was passed on. */
  #isDone = false;
  #hasEnded = false;
  #lastSentMs = Date.now();
  /** When the answer went on last. */
  #lastChunkMs = Date.now();

  constructor(options: RelayOptions) {
    this.#options = options;
    // A client may be gone before the first pull looks at the source.
    options.source.catch(() => {});
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const text = await this.#next();
    if (text !== '') {
      this.#lastSentMs = Date.now();
      controller.enqueue(this.#encoder.encode(text));
    }
    if (this.#hasEnded) controller.close();
  }

  cancel(): void {
    this.#options.abort.abort();
    this.#end('aborted');
  }

  /** The next text for the client; with `#hasEnded`, the last. */
  async #next(): Promise<string> {
    try {
      for (;;) {
        const bytes = await this.#read();
        if (this.#isDone) return this.#close(bytes === undefined);
        if (bytes === QUIET) return SSE_HEARTBEAT;
        const text = this.#translate(bytes);
        if (bytes === undefined && !this.#hasEnded) return text + this.#endOfBody();
        if (text !== '' || this.#hasEnded) return text;
        this.#checkProgress();
        if (Date.now() - this.#lastSentMs >= LIFE_EVERY_MS) return SSE_HEARTBEAT;
      }
    } catch (thrown) {
      return this.#fail(thrown);
    }
  }

  async #read(): Promise<Uint8Array | undefined | typeof QUIET> {
    const quietMs = this.#options.heartbeatMs === 0 ? Number.POSITIVE_INFINITY : this.#options.heartbeatMs;
    if (this.#body === undefined) {
      const body = await settled(this.#options.source, quietMs);
      if (body === QUIET) return QUIET;
      this.#body = body;
    }
    return this.#body.next(this.#isDone ? DRAIN_MS : quietMs);
  }

  /** Returns the events that `bytes` complete, as text for the client; `undefined` means that the upstream has ended. */
  #translate(bytes: Uint8Array | undefined): string {
    let text = '';
    try {
      try {
        if (bytes === undefined) this.#parser.end();
        else this.#parser.push(bytes);
      } finally {
        // The events before the fault are good, so they still go to the client.
        for (const event of this.#events.splice(0)) if (!this.#isDone) text += this.#pass(event);
      }
    } catch (thrown) {
      text += this.#fail(thrown);
    }
    return text;
  }

  #pass(event: StreamEvent): string {
    const piece = this.#watch.event(event);
    if (piece.isDone) {
      this.#watch.end();
      this.#isDone = true;
      return sseEvent('[DONE]');
    }
    if (piece.choice !== undefined) this.#lastChunkMs = Date.now();
    const chunk = openAiChunk(piece, event.data);
    return chunk === undefined ? '' : sseEvent(redacted(chunk, this.#options.key));
  }

  #checkProgress(): void {
    if (Date.now() - this.#lastChunkMs < this.#options.aliveTimeoutMs) return;
    throw timeout('sent nothing but keep-alives for too long');
  }

  #endOfBody(): string {
    try {
      this.#watch.end();
    } catch (thrown) {
      return this.#fail(thrown);
    }
    return this.#close(true);
  }

  /** The end after a complete answer. */
  #close(upstreamHasClosed: boolean): string {
    if (!upstreamHasClosed) this.#body?.drop();
    this.#end('complete');
    return '';
  }

  /** Ends with an error event and no `[DONE]`, so that a cut answer does not look complete. */
  #fail(thrown: unknown): string {
    this.#options.abort.abort();
    // After the finish reason the answer is complete, so a broken connection no longer matters. More text after it means
    // that the answer was not complete.
    const hasMore = thrown instanceof ApiError && thrown.code === 'upstream_garbage';
    if (this.#watch.finished && !hasMore) return this.#close(false);
    const error = thrown instanceof EventStreamError ? garbage() : ApiError.from(thrown);
    this.#end(error.code);
    return sseEvent(JSON.stringify(error.event));
  }

  #end(outcome: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.onEnd(outcome, this.#watch);
  }
}

/** The text without the key, should an upstream echo it. */
export function redacted(text: string, key: string | undefined): string {
  return key === undefined ? text : text.replaceAll(key, '[redacted]');
}
