import { wellFormed } from './json-body';
import { array, type Fields, flag, get, RequestRefusal, text, unsupported, wrong } from './request-fields';
import { PART_LACKS, ROLES } from './request-schema';
import { isRecord } from './values';

/** A message whose parts are joined to one text. */
export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** The conversation, and the beginning of an answer that started elsewhere. */
export interface Conversation {
  messages: Message[];
  prefix: string | undefined;
}

/** Checks `messages` of a body. `lacks` collects what an engine needs beyond text. */
export function checkMessages(body: Fields, lacks: Set<string>): Conversation {
  const items = get(body, 'messages');
  if (!Array.isArray(items) || items.length === 0)
    throw new RequestRefusal(
      'invalid_value',
      'messages',
      'messages must be an array with at least one message.',
    );
  const messages: Message[] = [];
  let prefix: string | undefined;
  items.forEach((item: unknown, index) => {
    const isPrefixAllowed = index > 0 && index === items.length - 1;
    const found = checkMessage(item, `messages[${index}]`, isPrefixAllowed, lacks);
    if (found.isPrefix) {
      lacks.add('prefix');
      prefix = found.message.content;
    } else messages.push(found.message);
  });
  return { messages, prefix };
}

function checkMessage(
  item: unknown,
  param: string,
  isPrefixAllowed: boolean,
  lacks: Set<string>,
): { message: Message; isPrefix: boolean } {
  if (!isRecord(item)) throw wrong(param, 'must be an object with role and content');
  const name = get(item, 'role');
  if (name === 'function')
    throw unsupported(
      `${param}.role`,
      "The role function is OpenAI's older form; use tools, and messages of role tool.",
    );
  const role =
    typeof name === 'string' && Object.hasOwn(ROLES, name) ? ROLES[name as keyof typeof ROLES] : undefined;
  if (role === undefined) throw wrong(`${param}.role`, 'must be system, developer, user, assistant or tool');
  text(item, 'name', `${param}.`);
  noteCalls(item, `${param}.`, lacks);
  const isPrefix = flag(item, 'prefix', `${param}.`);
  if (isPrefix && !(isPrefixAllowed && role === 'assistant'))
    throw wrong(`${param}.prefix`, 'belongs to a last message of role assistant, after at least one other');
  return { message: { role, content: content(item, `${param}.`, role, lacks) }, isPrefix };
}

/** Fields that only an endpoint with tools or speech understands. */
function noteCalls(item: Fields, prefix: string, lacks: Set<string>): void {
  if (get(item, 'function_call') !== undefined)
    throw unsupported(
      `${prefix}function_call`,
      "function_call is OpenAI's older form; use tools and tool_calls.",
    );
  text(item, 'tool_call_id', prefix);
  const calls = array(item, 'tool_calls', 'must be an array', prefix) ?? [];
  if (item.role === 'tool' || calls.length > 0) lacks.add('tools');
  if (item.role === 'assistant' && get(item, 'audio') !== undefined) lacks.add('audio');
}

function content(item: Fields, prefix: string, role: Message['role'], lacks: Set<string>): string {
  const refusal = text(item, 'refusal', prefix);
  const value = get(item, 'content');
  // A message of the assistant may have no content: it called a tool, or it has a refusal.
  if (value === undefined && role === 'assistant') return refusal ?? '';
  if (typeof value === 'string') return wellFormed(value);
  if (!Array.isArray(value)) throw wrong(`${prefix}content`, 'must be a string or an array of parts');
  return value.map((part: unknown, index) => partText(part, `${prefix}content[${index}]`, lacks)).join('');
}

function partText(part: unknown, param: string, lacks: Set<string>): string {
  if (!isRecord(part) || typeof part.type !== 'string')
    throw wrong(param, 'must be an object with a type, such as { "type": "text", "text": "…" }');
  const { type } = part;
  if (type === 'text' || type === 'refusal') {
    const value = text(part, type, `${param}.`);
    if (value !== undefined) return value;
    throw wrong(`${param}.${type}`, 'must be a string');
  }
  if (!Object.hasOwn(PART_LACKS, type))
    throw wrong(`${param}.type`, 'must be text, image_url, input_audio, file or refusal');
  lacks.add(PART_LACKS[type as keyof typeof PART_LACKS]);
  return '';
}
