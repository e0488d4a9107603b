import type { CheckedRequest } from '../sdk/contract';
import { type Fields, given, invalid, isObject } from './fields';

type Message = CheckedRequest['messages'][number];

/** What the engine here cannot read, by the type of a content part. */
const PART_LACKS: Readonly<Record<string, string>> = {
  image_url: 'images',
  input_audio: 'audio',
  file: 'files',
};

const ROLES: Readonly<Record<string, Message['role']>> = {
  system: 'system',
  // OpenAI's newer name of the system role.
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  // Only for counting tokens: a request with these cannot run here (`tools` is among its `lacks`).
  tool: 'user',
  function: 'user',
};

/**
 * Checks `messages` of a body. `lacks` collects what only another endpoint understands: images, tool results, an answer
 * to be continued.
 */
export function checkMessages(value: unknown, lacks: Set<string>): Message[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalid('messages', 'messages must be an array with at least one message.');
  return value.map((entry: unknown, index) => {
    const param = `messages[${index}]`;
    if (!isObject(entry)) throw invalid(param, `${param} must be an object with role and content.`);
    const role =
      typeof entry.role === 'string' && Object.hasOwn(ROLES, entry.role) ? ROLES[entry.role] : undefined;
    if (role === undefined)
      throw invalid(
        `${param}.role`,
        `${param}.role must be system, developer, user, assistant, tool or function.`,
      );
    noteLacks(entry, index === value.length - 1, lacks);
    return { role, content: text(entry, `${param}.content`, lacks) };
  });
}

function noteLacks(entry: Fields, last: boolean, lacks: Set<string>): void {
  const { role } = entry;
  const calls = [entry.tool_calls, entry.function_call].some((field) =>
    Array.isArray(field) ? field.length > 0 : given(field),
  );
  if (role === 'tool' || role === 'function' || calls) lacks.add('tools');
  if (role === 'assistant' && given(entry.audio)) lacks.add('audio');
  if (last && role === 'assistant' && entry.prefix === true) lacks.add('prefix');
}

function text(entry: Fields, param: string, lacks: Set<string>): string {
  const { content } = entry;
  if (typeof content === 'string') return content;
  // An assistant may have said nothing, for it called a tool instead.
  if (!given(content) && entry.role === 'assistant') return '';
  if (!Array.isArray(content)) throw invalid(param, `${param} must be a string or an array of parts.`);
  return content.map((part: unknown, index) => partText(part, `${param}[${index}]`, lacks)).join('');
}

function partText(part: unknown, param: string, lacks: Set<string>): string {
  if (!isObject(part) || typeof part.type !== 'string')
    throw invalid(param, `${param} must be an object with a type, such as { "type": "text", "text": "…" }.`);
  const key = part.type === 'text' ? 'text' : part.type === 'refusal' ? 'refusal' : undefined;
  if (key !== undefined) {
    const value = part[key];
    if (typeof value === 'string') return value;
    throw invalid(`${param}.${key}`, `${param}.${key} must be a string.`);
  }
  const lack = Object.hasOwn(PART_LACKS, part.type) ? PART_LACKS[part.type] : undefined;
  if (lack === undefined)
    throw invalid(
      `${param}.type`,
      `${param}.type must be text, ${Object.keys(PART_LACKS).join(', ')} or refusal.`,
    );
  lacks.add(lack);
  return '';
}
