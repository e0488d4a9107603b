import { AnswerWatch } from './answer_watch';
import { ApiError } from './errors';
import { QUIET, settled } from './quiet';
import { SSE_HEARTBEAT, SseError, SseSplitter, sseEvent } from './sse';
import type { UpstreamBody } from './upstream_body';

/** After `[DONE]` the upstream has this long to close, so that its connection can serve again. */
const DRAIN_MS = 250;

/** What {@link relay} needs. */
export interface RelayOptions {
  /** The upstream's answer, which may still be waited for. */
  source: Promise<UpstreamBody>;
  /** Struck out wherever it appears. */
  key: string | undefined;
  /**
   * A silent stream gets an empty comment so often; 0: never. workerd learns that an HTTP/1.1 client is gone only where the
   * client's socket was reset, or when something is written to it.
   */
  heartbeatMs: number;
  /** Ends the upstream's request. */
  abort: AbortController;
  /** Called once: `complete`, `aborted`, or an error's code. */
  onEnd(outcome: string, watch: AnswerWatch): void;
}

/** The stream for the client. Each event goes on the moment it is whole; the client's cancel goes upstream. */
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
  readonly #splitter = new SseSplitter();
  readonly #encoder = new TextEncoder();
  #body: UpstreamBody | undefined;
  /** `[DONE]` was passed on. */
  #isDone = false;
  #hasEnded = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    // A client may be gone before the first pull looks at the source.
    options.source.catch(() => {});
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const text = await this.#next();
    if (text !== '') controller.enqueue(this.#encoder.encode(text));
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
        if (bytes === undefined) return this.#endOfBody();
        const text = this.#translate(bytes);
        if (text !== '') return text;
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

  /** The events that are whole now, for the client. */
  #translate(bytes: Uint8Array): string {
    let text = '';
    for (const data of this.#splitter.push(bytes)) {
      switch (this.#watch.event(data)) {
        case 'chunk':
          text += sseEvent(redacted(data, this.#options.key));
          break;
        case 'done':
          this.#isDone = true;
          return text + sseEvent(data);
        case 'error':
          // Its text may name the upstream.
          return text + this.#fail(new ApiError(502, 'upstream_error', 'The model failed in its answer.'));
        case 'garbage':
          return text + this.#fail(garbage());
      }
    }
    return text;
  }

  #endOfBody(): string {
    if (this.#watch.finished) return this.#close(true);
    return this.#fail(new ApiError(502, 'upstream_truncated', 'The answer ended before it was complete.'));
  }

  /** The end after a complete answer. */
  #close(upstreamHasClosed: boolean): string {
    if (!upstreamHasClosed) this.#body?.drop();
    this.#end('complete');
    return '';
  }

  /** An error event and no `[DONE]`: what was cut must not look complete. */
  #fail(thrown: unknown): string {
    this.#options.abort.abort();
    // All words had come; only the farewell is missing.
    if (this.#watch.finished) return this.#close(false);
    const error = thrown instanceof SseError ? garbage() : ApiError.from(thrown);
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

const garbage = (): ApiError =>
  new ApiError(502, 'upstream_garbage', 'The model sent something that is no answer of this protocol.');
