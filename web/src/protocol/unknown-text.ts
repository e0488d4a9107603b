import { garbage } from './stream-error';
import { isEmpty, isRecord } from './values';

/**
 * Fields in which other protocols and other versions of this one put an answer. Text would be lost if the reader ignored
 * them.
 */
const FOREIGN_TEXT = [
  'answer',
  'audio',
  'candidates',
  'completion',
  'generated_text',
  'images',
  'output',
  'output_text',
  'parts',
  'response',
  'token',
];
/** Fields that hold an answer of another protocol, at any depth of an event without `choices`. */
const FOREIGN_EVENT = new Set([
  ...FOREIGN_TEXT,
  'arguments',
  'content',
  'delta',
  'function_call',
  'message',
  'refusal',
  'text',
  'tool_calls',
]);

/** Fields that are known to hold something other than text of the answer. */
const TEXTLESS =
  /^(role|name|id|type|object|model|index|channel|phase|status|recipient|provider|logprobs|seed|obfuscation|p|padding|token_ids?|(native_)?finish_reason|finish_details|stop_reason|matched_stop|annotations|citations|content_filter_\w+|reasoning_details|\w*signature|extra_content|provider_specific_fields|usage|tool_plan)$/;
const MAX_DEPTH = 8;

/** @throws ChatStreamError `garbage` if a field in which other protocols put text is not empty */
export function refuseForeignText(from: Record<string, unknown>, more: readonly string[] = []): void {
  const field = [...FOREIGN_TEXT, ...more].find((name) => !isEmpty(from[name]));
  if (field !== undefined) throw unknownField(field);
}

/** @throws ChatStreamError `garbage` if an event without `choices` holds an answer of another protocol */
export function refuseForeignEvent(event: Record<string, unknown>): void {
  const field = foreignField(event, MAX_DEPTH);
  if (field !== undefined) throw unknownField(field);
}

/**
 * Refuses an object that has none of the `known` fields but holds text: the text may be the answer under another name.
 *
 * @throws ChatStreamError `garbage`
 */
export function refuseUnknownText(from: Record<string, unknown>, known: readonly string[]): void {
  if (known.some((field) => from[field] !== undefined)) return;
  const found = Object.entries(from).find(
    ([name, value]) => !TEXTLESS.test(name) && hasText(value, MAX_DEPTH),
  );
  if (found !== undefined) throw unknownField(found[0]);
}

function foreignField(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === 0) return 'nested too deeply';
  for (const [name, inner] of Object.entries(value)) {
    const isForeign = depth === MAX_DEPTH ? !isEmpty(inner) : typeof inner === 'string' && inner !== '';
    if (FOREIGN_EVENT.has(name) && isForeign) return name;
    const found = foreignField(inner, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function hasText(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value !== '';
  if (depth === 0) return true;
  if (Array.isArray(value)) return value.some((inner) => hasText(inner, depth - 1));
  return isRecord(value) && Object.values(value).some((inner) => hasText(inner, depth - 1));
}

const unknownField = (field: string) =>
  garbage(`text in a field that is not part of this protocol (\`${field.slice(0, 40)}\`)`);
