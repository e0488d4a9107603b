import { ChatStreamError, quoted } from './stream-error';

/** Why an answer ended, in OpenAI's words. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/**
 * Names of each reason at other vendors, in lower case. The list has only reasons that are known to mean a regular end. An
 * answer that ended for an unknown reason may be cut off, so it is an error.
 */
const FINISH_REASONS: Readonly<Record<FinishReason, readonly string[]>> = {
  // OpenAI; TGI; Mistral; Anthropic; Cohere; Gemini; Together.
  stop: ['stop', 'eos', 'eos_token', 'end_turn', 'stop_sequence', 'complete', 'completed', 'end_of_text'],
  length: [
    'length',
    'max_tokens',
    'max_output_tokens',
    'max_new_tokens',
    'max_length',
    'model_length',
    'model_context_window_exceeded',
  ],
  tool_calls: ['tool_calls', 'tool_call', 'tool_use', 'function_call', 'function_calls'],
  // Gemini's reasons of safety, Anthropic's refusal, Cohere's and Zhipu's filters.
  content_filter: [
    'content_filter',
    'content_filtered',
    'safety',
    'recitation',
    'blocklist',
    'prohibited_content',
    'spii',
    'refusal',
    'guardrail_intervened',
    'error_toxic',
    'sensitive',
  ],
};

const KNOWN: ReadonlyMap<string, FinishReason> = new Map(
  Object.entries(FINISH_REASONS).flatMap(([reason, names]) =>
    names.map((name) => [name, reason as FinishReason] as const),
  ),
);

/** Values that servers send while the answer continues. */
const NONE: ReadonlySet<unknown> = new Set([undefined, null, '', 'null', 'none']);

/**
 * Reads a finish reason; returns undefined while the answer continues.
 *
 * @throws ChatStreamError `peer_error` for a reason that does not mean a complete answer, known (`error`,
 * `insufficient_system_resource`, `MALFORMED_FUNCTION_CALL` …) or not
 */
export function readFinishReason(value: unknown): FinishReason | undefined {
  if (NONE.has(value)) return undefined;
  // Some servers prefix the name of their enum: `FINISH_REASON_STOP`, `FinishReason.STOP`.
  const name = typeof value === 'string' ? value.toLowerCase().replace(/^finish_?reason[._]/, '') : '';
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  throw new ChatStreamError(
    'peer_error',
    `The endpoint ended its answer for a reason that means no complete answer (${quoted(value)}).`,
  );
}
