/**
 * Why a streamed answer cannot be used. `garbage`: it breaks the protocol, so text may be missing. `peer_error`: the peer
 * reported an error, or a finish reason that means an incomplete answer. `truncated`: the stream ended too early.
 */
export type ChatStreamFault = 'garbage' | 'peer_error' | 'truncated';

/** A streamed answer that cannot be used. `message` is a sentence about "the endpoint". */
export class ChatStreamError extends Error {
  override readonly name = 'ChatStreamError';

  constructor(
    readonly fault: ChatStreamFault,
    message: string,
    /** The peer's own description of its error. It may hold secrets, so it is never shown. */
    readonly said: PeerError = {},
  ) {
    super(message);
  }
}

/** The fields of a peer's error that programs may use. */
export interface PeerError {
  message?: string;
  code?: string;
  /** OpenAI's `type`. */
  kind?: string;
  /** HTTP status that is reported inside the stream, after the response began with status 200. */
  status?: number;
  retryAfter?: string;
}

/** Creates the error for data that is not an answer of this protocol. */
export const garbage = (what: string): ChatStreamError =>
  new ChatStreamError('garbage', `The endpoint sent ${what}.`);

/** Quotes a value of the peer for an error message: short, and without line breaks. */
export const quoted = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60);
