import { type ChatPiece, ChatStreamReader } from '../../web/src/protocol/chat-chunk';
import type { StreamEvent } from '../../web/src/protocol/event-stream';
import { peerStatus } from '../../web/src/protocol/peer-error';
import { parseRetryAfter, retryAfterSeconds } from '../../web/src/protocol/retry-after';
import { ChatStreamError, type PeerError } from '../../web/src/protocol/stream-error';
import { ApiError } from './errors';

/** Counts of an answer, as far as the upstream told them. */
export interface AnswerCounts {
  events: number;
  promptTokens: number | undefined;
  completionTokens: number | undefined;
}

/** Follows an answer, streamed or whole, to know whether it is complete and how many tokens it has. */
export class AnswerWatch {
  readonly #reader = new ChatStreamReader();
  #events = 0;

  /** Counts for the log. */
  get counts(): AnswerCounts {
    const { promptTokens, completionTokens } = this.#reader.usage;
    return { events: this.#events, promptTokens, completionTokens };
  }

  /** Whether a `finish_reason` was seen; only usage may follow it. */
  get finished(): boolean {
    return this.#reader.finishReason !== undefined;
  }

  /** Takes an event, or a whole answer. @throws ApiError where it is not an answer, or not a complete one */
  event(event: StreamEvent): ChatPiece {
    try {
      const piece = this.#reader.read(event);
      if (piece.isChunk) this.#events += 1;
      return piece;
    } catch (error) {
      throw apiError(error);
    }
  }

  /** Call when the answer has ended. @throws ApiError `upstream_truncated` without a finish reason */
  end(): void {
    try {
      this.#reader.end();
    } catch (error) {
      throw apiError(error);
    }
  }
}

/** Converts a fault of the answer to our own error. The upstream's text is dropped because it may name the upstream. */
function apiError(error: unknown): ApiError {
  if (!(error instanceof ChatStreamError)) return ApiError.from(error);
  switch (error.fault) {
    case 'garbage':
      return garbage();
    case 'truncated':
      return new ApiError(502, 'upstream_truncated', 'The answer ended before it was complete.');
    case 'peer_error':
      return failed(error.said);
  }
}

/** Creates the error for an upstream that reported one in its stream, or in a body with status 200. */
export function failed(said: PeerError): ApiError {
  const waitMs = parseRetryAfter(said.retryAfter, Date.now());
  const retryAfter = waitMs === undefined ? undefined : retryAfterSeconds(waitMs);
  switch (peerStatus(said)) {
    case 402:
      return new ApiError(
        402,
        'upstream_quota',
        "The operator's account at the model's endpoint is used up.",
      );
    case 429: {
      const message = 'The model has too much to do; try again later.';
      return new ApiError(429, 'upstream_rate_limited', message, { retryAfter });
    }
    default:
      return new ApiError(502, 'upstream_error', 'The model failed in its answer.', { retryAfter });
  }
}

export const garbage = (): ApiError =>
  new ApiError(502, 'upstream_garbage', 'The model sent something that is not an answer of this protocol.');
