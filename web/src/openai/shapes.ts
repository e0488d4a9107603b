import type {
  FinishReason,
  Reason,
  Report,
  Source,
  TokenLogprobs,
  ToolCallDelta,
  Usage,
} from '../sdk/contract';

/** `choices[].logprobs`: one entry per token. */
export interface Logprobs {
  content: TokenLogprobs[];
  refusal: null;
}

/** A whole call of a tool. Only cloud endpoints make these. */
export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

/** A whole answer. */
export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: {
    index: 0;
    message: {
      role: 'assistant';
      content: string | null;
      /** Only models in the cloud refuse in a field of its own. */
      refusal: string | null;
      /** What a model in the cloud said to itself. */
      reasoning_content?: string;
      tool_calls?: ToolCall[];
    };
    logprobs: Logprobs | null;
    finish_reason: FinishReason;
  }[];
  usage: Usage;
  inshore: Report;
}

/**
 * Our object in a chunk. `source` and `reason`: a stretch from another source begins with this chunk. `replace`: all text
 * so far is void. The {@link Report} comes with the chunk that has the `finish_reason`.
 */
export type ChunkExtension =
  | { source: Source; reason: Reason }
  | { replace: true; source: Source; reason: Reason }
  | Report;

/** A part of a streamed answer. */
export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  /** Empty in the chunk with the token counts. */
  choices: {
    index: 0;
    delta: {
      role?: 'assistant';
      content?: string;
      reasoning_content?: string;
      refusal?: string;
      tool_calls?: ToolCallDelta[];
    };
    logprobs: Logprobs | null;
    finish_reason: FinishReason | null;
  }[];
  /** Only where `stream_options.include_usage` is set: null, and the counts in the last chunk. */
  usage?: Usage | null;
  inshore?: ChunkExtension;
}
