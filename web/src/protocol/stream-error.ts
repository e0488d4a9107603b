/**
 * Why a streamed answer cannot be used. `garbage`: it is not what the protocol says, so text may be missing. `peer_error`:
 * the peer reported an error, or ended its answer for a reason that means no complete answer. `truncated`: it ended before it
 * was complete.
 */
export type ChatStreamFault = 'garbage' | 'peer_error' | 'truncated';

/** A streamed answer that cannot be used. `message` is a sentence about "the endpoint". */
export class ChatStreamError extends Error {
  override readonly name = 'ChatStreamError';

  constructor(
    readonly fault: ChatStreamFault,
    message: string,
    /** What the peer said about its error. It may hold secrets: not for people to read. */
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
  /** HTTP status, told in the stream because its own status was sent before. */
  status?: number;
  retryAfter?: string;
}

/** The endpoint sent something that is not an answer of this protocol. */
export const garbage = (what: string): ChatStreamError =>
  new ChatStreamError('garbage', `The endpoint sent ${what}.`);

/** A peer's own words in an error of ours: short, and without line breaks. */
export const quoted = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60);
