import type { CheckedRequest } from './contract';

/** UTF-8 bytes a token has on average in small models' vocabularies, also outside the Latin script; low rather than high. */
const BYTES_PER_TOKEN = 3.5;
/** What a chat template adds to each message. */
const TOKENS_PER_MESSAGE = 5;

/** Prompt tokens, estimated: the policy decides before any tokenizer is loaded. */
export function estimatePromptTokens(messages: CheckedRequest['messages']): number {
  const encoder = new TextEncoder();
  const bytes = messages.reduce((sum, { content }) => sum + encoder.encode(content).length, 0);
  return Math.ceil(bytes / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * (messages.length + 1);
}
