import { recordOf } from './config_values';
import { ApiError } from './errors';
import type { Upstream } from './upstream_config';

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool']);

/**
 * The conversation, rebuilt from the fields we know.
 *
 * @throws {ApiError} 400 `invalid_value`, 422 `unsupported` or `continuation_unsupported`
 */
export function messagesOf(value: unknown, upstream: Pick<Upstream, 'prefix'>): Record<string, unknown>[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid('messages', 'messages is a list with at least one message.');
  }
  return value.map((item, index) =>
    messageOf(item, `messages[${index}]`, index === value.length - 1, upstream),
  );
}

function messageOf(
  value: unknown,
  param: string,
  isLast: boolean,
  upstream: Pick<Upstream, 'prefix'>,
): Record<string, unknown> {
  const message = recordOf(value);
  const role = message?.role;
  if (message === undefined || typeof role !== 'string' || !ROLES.has(role)) {
    throw invalid(param, `A message has a role: ${[...ROLES].join(', ')}.`);
  }
  const rebuilt: Record<string, unknown> = { role, content: contentOf(message.content, param) };
  if (typeof message.name === 'string') rebuilt.name = message.name;
  if (role === 'assistant' && Array.isArray(message.tool_calls)) rebuilt.tool_calls = message.tool_calls;
  if (role === 'tool' && typeof message.tool_call_id === 'string')
    rebuilt.tool_call_id = message.tool_call_id;
  if (message.prefix === true) {
    if (!isLast || role !== 'assistant') {
      throw invalid(`${param}.prefix`, 'Only the last message, of the assistant, can be continued.');
    }
    // Dropping the mark would make the upstream begin a new message, and the page would append that to the old one.
    if (!upstream.prefix) {
      throw new ApiError(422, 'continuation_unsupported', 'This model cannot go on with a message.', {
        param: `${param}.prefix`,
      });
    }
    rebuilt.prefix = true;
  }
  return rebuilt;
}

/** Text, a list of text parts, or null beside tool calls. */
function contentOf(content: unknown, param: string): unknown {
  if (content === undefined || content === null) return null;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw invalid(`${param}.content`, 'content is text or a list of parts.');
  return content.map((item) => {
    const part = recordOf(item);
    if (part?.type === 'text' && typeof part.text === 'string') return { type: 'text', text: part.text };
    throw new ApiError(422, 'unsupported', 'The only parts passed on are those of type text.', {
      param: `${param}.content`,
    });
  });
}

const invalid = (param: string, message: string): ApiError =>
  new ApiError(400, 'invalid_value', message, { param });
