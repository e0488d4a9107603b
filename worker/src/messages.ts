import { type Fields, filled, get } from '../../web/src/protocol/request-fields';
import { isRecord } from '../../web/src/protocol/values';
import { ApiError } from './errors';
import type { Upstream } from './upstream_config';

/**
 * The conversation of a checked body, rebuilt from the fields we know.
 *
 * @throws {ApiError} 422 `continuation_unsupported`
 */
export function messagesOf(checked: Fields, upstream: Pick<Upstream, 'prefix'>): Record<string, unknown>[] {
  const messages = Array.isArray(checked.messages) ? checked.messages.filter(isRecord) : [];
  return messages.map((message, index) => messageOf(message, `messages[${index}]`, upstream));
}

function messageOf(
  message: Fields,
  param: string,
  upstream: Pick<Upstream, 'prefix'>,
): Record<string, unknown> {
  const rebuilt: Record<string, unknown> = {
    role: message.role,
    content: contentOf(get(message, 'content')),
  };
  for (const name of ['name', 'refusal']) {
    if (get(message, name) !== undefined) rebuilt[name] = message[name];
  }
  if (message.role === 'assistant') {
    for (const name of ['tool_calls', 'audio']) if (filled(get(message, name))) rebuilt[name] = message[name];
  }
  if (message.role === 'tool' && get(message, 'tool_call_id') !== undefined)
    rebuilt.tool_call_id = message.tool_call_id;
  if (message.prefix === true) {
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

/** Returns text, parts of known types, or null. Each part keeps only `type` and the field that its type names. */
function contentOf(content: unknown): unknown {
  if (!Array.isArray(content)) return content ?? null;
  return content.filter(isRecord).map((part) => {
    const { type } = part;
    return typeof type === 'string' ? { type, [type]: part[type] } : {};
  });
}
