import { ChatStreamReader } from '../protocol/chat-chunk';
import { EventStreamError } from '../protocol/event-stream';
import type { FinishReason } from '../protocol/finish-reason';
import { ChatStreamError } from '../protocol/stream-error';
import { legPieces, modelHash } from './cloud-chunk';
import { streamFailure } from './http-failure';
import { LegError, type LegSink } from './leg';
import { readEvents, whenAborted } from './sse';
import type { StopText } from './stop-text';

/** After the finish reason, an endpoint may still tell the usage; but it need not hold up the end. */
const USAGE_GRACE_MS = 1_000;

/** How an answer is read. */
export interface AnswerOptions {
  stops: StopText;
  /** Of the model on the device. */
  modelSha256: string | undefined;
  /** Ends the reading at once, whatever the body makes of it. */
  signal: AbortSignal;
}

/**
 * Passes an answer's pieces on, as fast as `sink` has room for them. Only a finish reason makes it whole: a stream that just
 * ends is a failure.
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
  /** A refusal is told as a whole: half of one could not be continued elsewhere. */
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

  /** Takes one event. Returns whether nothing more is wanted of the stream. */
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
    // Usage may come with every chunk; the last is that of a chunk without a choice.
    return this.#reader.finishReason !== undefined && chunk.hasUsage && chunk.choice === undefined;
  }

  /** After each read: bytes without a token are a sign of life. */
  reportLife(): void {
    if (!this.#hasSpoken) this.#sink.alive();
    this.#hasSpoken = false;
  }

  /** With the finish reason the answer is whole; that the connection broke later takes nothing from it. */
  mayIgnore(error: unknown): boolean {
    return this.finishReason !== undefined && !(error instanceof ChatStreamError);
  }

  /** The stream has ended. @throws LegError where the answer is not whole */
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

/** Why the leg failed, in the policy's words. */
function legError(error: unknown): LegError {
  if (error instanceof LegError) return error;
  if (error instanceof EventStreamError) {
    const message = `The endpoint sent ${error.message} instead of server-sent events. Check its address and what lies between.`;
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
