import type { ChatMessage } from '../engine/protocol';
import { checkChatRequest } from '../openai/request';
import type { CheckedRequest, RequestExtension } from '../sdk/contract';

// A small model may never find an end by itself.
const MAX_ANSWER_TOKENS = 512;

// Small models ramble above it; at 0 they repeat themselves.
const TEMPERATURE = 0.2;

/** The request for an answer of the chat: what goes to the package's own check, as anybody's request does. */
export function requestOf(
  messages: ChatMessage[],
  extension: RequestExtension,
  options: { maxTokens?: number; temperature?: number } = {},
): CheckedRequest {
  const { maxTokens = MAX_ANSWER_TOKENS, temperature = TEMPERATURE } = options;
  const body = {
    messages,
    max_tokens: maxTokens,
    temperature,
    top_p: 0.9,
    // The page shows what is void as void.
    inshore: { accept_replace: true, ...extension },
  };
  return checkChatRequest(body, '').checked;
}
