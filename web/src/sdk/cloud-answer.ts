import { ChatStreamReader } from '../protocol/chat-chunk';
import { EventStreamError } from '../protocol/event-stream';
import type { FinishReason } from '../protocol/finish-reason';
import { ChatStreamError } from '../protocol/stream-error';
import { legPieces, modelHash } from './cloud-chunk';
import { streamFailure } from './http-failure';
import { LegError, type LegSink } from './leg';
import { readEvents, whenAborted } from './sse';
import type { StopText } from './stop-text';

/** Longest wait for the usage, which some endpoints send after the finish reason. */
const USAGE_GRACE_MS = 1_000;

/** How an answer is read. */
export interface AnswerOptions {
  stops: StopText;
  /** Hash of the model on the device. */
  modelSha256: string | undefined;
  /** Ends the reading at once, even if the body ignores its cancellation. */
  signal: AbortSignal;
}

/**
 * Passes an answer's pieces to `sink`, as fast as it has room for them. An answer without a finish reason is a failure, even
 * if its stream ends without an error.
 */
export async function relayAnswer(
  body: ReadableStream<Uint8Array>,
  options: AnswerOptions,
  sink: LegSink,
): Promise<void> {
  const answer = new CloudAnswer(options, sink);
  const grace = new AbortController();
  const aborted = whenAborted([options.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for await (const events of readEvents(body, options.signal, grace.signal)) {
      const isOver = events.some((event) => answer.take(event));
      if (isOver || options.signal.aborted) break;
      answer.reportLife();
      if (answer.finishReason !== undefined) timer ??= setTimeout(() => grace.abort(), USAGE_GRACE_MS);
      const room = sink.room();
      if (room !== undefined) await Promise.race([room, aborted.promise]);
    }
  } catch (error) {
    if (!answer.mayIgnore(error)) throw legError(error);
  } finally {
    clearTimeout(timer);
    aborted.forget();
  }
  if (!options.signal.aborted) answer.finish();
}

/** One answer while it arrives. */
class CloudAnswer {
  readonly #reader = new ChatStreamReader();
  readonly #sink: LegSink;
  readonly #stops: StopText;
  readonly #modelSha256: string | undefined;
  #sameModel = false;
  #stopped = false;
  /** Refusals are passed on only when they are complete, because another endpoint cannot continue half of one. */
  #refusal = { text: '', tokens: 0 };
  #hasSpoken = false;

  constructor({ stops, modelSha256 }: AnswerOptions, sink: LegSink) {
    this.#stops = stops;
    this.#modelSha256 = modelSha256;
    this.#sink = sink;
  }

  get finishReason(): FinishReason | undefined {
    return this.#stopped ? 'stop' : this.#reader.finishReason;
  }

  /** Takes one event. Returns whether the rest of the stream can be ignored. */
  take(event: Parameters<ChatStreamReader['read']>[0]): boolean {
    const chunk = this.#reader.read(event);
    if (chunk.isDone) return true;
    const hash = modelHash(chunk);
    if (hash !== undefined) this.#sameModel = hash === this.#modelSha256;
    if (chunk.refusal !== '') {
      this.#refusal.text += chunk.refusal;
      this.#refusal.tokens += 1;
    }
    for (const piece of legPieces(chunk, this.#sameModel)) {
      const { text, stopped } = this.#stops.push(piece.text);
      this.#hasSpoken ||= piece.tokens > 0;
      this.#sink.piece({ ...piece, text });
      if (!stopped) continue;
      this.#stopped = true;
      return true;
    }
    // Usage may come with every chunk; the final counts come in a chunk without a choice.
    return this.#reader.finishReason !== undefined && chunk.hasUsage && chunk.choice === undefined;
  }

  /** Call after each read: bytes without a token show that the endpoint is alive. */
  reportLife(): void {
    if (!this.#hasSpoken) this.#sink.alive();
    this.#hasSpoken = false;
  }

  /** Whether an error can be ignored: after the finish reason, a broken connection no longer matters. */
  mayIgnore(error: unknown): boolean {
    return this.finishReason !== undefined && !(error instanceof ChatStreamError);
  }

  /** Call when the stream has ended. @throws LegError if the answer is not complete */
  finish(): void {
    const finishReason = this.#finishReason();
    const rest = this.#stopped ? '' : this.#stops.finish();
    if (rest !== '') this.#sink.piece({ text: rest, tokens: 0, ids: [] });
    const { text: refusal, tokens } = this.#refusal;
    if (refusal !== '') this.#sink.piece({ text: '', tokens, refusal });
    this.#sink.finished({ finishReason, ...this.#reader.usage });
  }

  #finishReason(): FinishReason {
    try {
      return this.#stopped ? 'stop' : this.#reader.end();
    } catch (error) {
      throw legError(error);
    }
  }
}

/** Converts an error to the failure that the policy understands. */
function legError(error: unknown): LegError {
  if (error instanceof LegError) return error;
  if (error instanceof EventStreamError) {
    const message = `The endpoint sent ${error.message} instead of server-sent events. Check its address and any proxy in between.`;
    return new LegError('protocol', 'protocol', message, { cause: error });
  }
  if (!(error instanceof ChatStreamError) || error.fault === 'truncated') return connectionLost(error);
  if (error.fault === 'peer_error') return streamFailure(error);
  const advice = "Check that it speaks OpenAI's chat completions.";
  return new LegError('protocol', 'protocol', `${error.message} ${advice}`);
}

function connectionLost(cause: unknown): LegError {
  const message = 'The connection ended in the middle of the answer. Try again.';
  return new LegError('network', 'network', message, { cause });
}
