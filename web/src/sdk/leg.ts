import { InshoreError } from '../error';
import type { ErrorCode } from '../protocol/error-codes';
import type { FailureKind, Manner, Plan, RequestSpec, Source } from '../route/types';
import type { CheckedRequest, FinishReason, TokenLogprobs, ToolCallDelta } from './contract';

/** What a leg has to do: one order `start` of the policy, with the answer so far. */
export interface LegTask {
  readonly request: CheckedRequest;
  /** What the policy was told of the request; the gates are checked against it once more. */
  readonly spec: RequestSpec;
  readonly source: Source;
  readonly manner: Manner;
  readonly plan: Plan;
  /** Token ids of the answer so far; only for the manner `token_ids`. */
  readonly ids: readonly number[];
  /** Text of the answer so far; only for the manner `prefix`. */
  readonly text: string;
  /** What is left of the request's `max_tokens`. */
  readonly maxTokens: number | undefined;
  /** The request's seed, or one that was drawn for it: every leg on the device continues the same draws. */
  readonly seed: number | bigint;
}

/** What arrived on a leg: text, and the tokens it took. */
export interface LegPiece {
  text: string;
  /** How many tokens; estimated as one per chunk where the endpoint does not say. */
  tokens: number;
  /** Their ids, where the endpoint tells them: without ids, nobody can continue from ids. */
  ids?: readonly number[] | undefined;
  logprobs?: TokenLogprobs | undefined;
  toolCalls?: ToolCallDelta[] | undefined;
  /** Reasoning of the model; not part of the answer. */
  reasoning?: string | undefined;
  /** The model's complete refusal. */
  refusal?: string | undefined;
}

/** How a leg ended well. */
export interface LegEnd {
  finishReason: FinishReason;
  promptTokens?: number | undefined;
  /** Those of the prompt that were not computed anew. */
  cachedTokens?: number | undefined;
  /** New tokens of this leg, where the endpoint counted them. */
  completionTokens?: number | undefined;
  prefillTps?: number | undefined;
  decodeTps?: number | undefined;
}

/** Where a leg reports. Never called inside `start`, and not at all after `abort`. */
export interface LegSink {
  piece(piece: LegPiece): void;
  /** The leg makes progress without a token of the answer: a keep-alive, reasoning, or a part of the prompt. */
  alive(): void;
  /** Resolves when the answer's reader has room again; undefined if it has room now. A leg waits for it before it reads more. */
  room(): Promise<void> | undefined;
  finished(end: LegEnd): void;
  failed(error: LegError): void;
}

/** A running leg. */
export interface Leg {
  /** Ends it at once: nothing is reported any more, and a request on the network is cut. */
  abort(): void;
}

/** A failed leg: the error for a person, and its kind for the policy. */
export class LegError extends InshoreError {
  readonly kind: FailureKind;
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: FailureKind,
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(code, message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** `error` as a failed leg; an error that is one already keeps its kind. */
  static of(error: unknown, kind: FailureKind = 'other'): LegError {
    if (error instanceof LegError) return error;
    const { code, message } = InshoreError.from(error);
    return new LegError(kind, code, message, { cause: error });
  }
}
