import type { ChatMessage } from '../engine/protocol';
import { checkChatRequest } from '../openai/request';
import type { CheckedRequest, RequestExtension } from '../sdk/contract';

// A small model may never find an end by itself.
const MAX_ANSWER_TOKENS = 512;

/** The request for an answer of the chat: what goes to the package's own check, as anybody's request does. */
export function requestOf(
  messages: ChatMessage[],
  extension: RequestExtension,
  maxTokens = MAX_ANSWER_TOKENS,
): CheckedRequest {
  const body = {
    messages,
    max_tokens: maxTokens,
    // The small models of a page know little that they know by a wide margin: any chance in the draw is noise.
    temperature: 0,
    // Without it they repeat a line until the tokens are used up.
    frequency_penalty: 0.3,
    // The page shows what is void as void.
    inshore: { accept_replace: true, ...extension },
  };
  return checkChatRequest(body, '').checked;
}
