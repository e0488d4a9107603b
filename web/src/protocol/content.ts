import { garbage, quoted } from './stream-error';
import { isRecord } from './values';

/** Text of one message or delta, by kind. */
export interface ContentText {
  text: string;
  refusal: string;
  reasoning: string;
}

/** Parts without text of the answer: references to a source, and encrypted reasoning. */
const TEXTLESS_PARTS: ReadonlySet<unknown> = new Set(['reference', 'redacted_thinking']);

/**
 * Reads `content`: a text, null, one part, or a list of parts (Mistral and others stream lists).
 *
 * @throws ChatStreamError `garbage` for anything else, including parts of unknown type, whose text would be lost
 */
export function readContent(content: unknown): ContentText {
  const sum: ContentText = { text: '', refusal: '', reasoning: '' };
  if (content === undefined || content === null) return sum;
  for (const part of Array.isArray(content) ? content : [content]) addPart(sum, part);
  return sum;
}

function addPart(sum: ContentText, part: unknown): void {
  if (typeof part === 'string') {
    sum.text += part;
    return;
  }
  if (!isRecord(part)) throw garbage(`content that is not text (${quoted(part)})`);
  switch (part.type) {
    case undefined:
    case 'text':
    case 'output_text':
    case 'text_delta':
      sum.text += textOf(part.text, part.type);
      return;
    case 'refusal':
      sum.refusal += textOf(part.refusal ?? part.text, part.type);
      return;
    case 'thinking':
    case 'reasoning':
    case 'reasoning_text':
      sum.reasoning += readReasoning(part.thinking ?? part.reasoning ?? part.text ?? part.summary);
      return;
    default:
      if (!TEXTLESS_PARTS.has(part.type))
        throw garbage(`a part of its answer of an unknown type (${quoted(part.type)})`);
  }
}

function textOf(value: unknown, type: unknown): string {
  if (typeof value === 'string') return value;
  throw garbage(`a part of type ${quoted(type)} without its text`);
}

/** Reads reasoning: a text, or a list of parts with text. It is not part of the answer, so unknown shapes are ignored. */
export function readReasoning(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(readReasoning).join('');
  return isRecord(value) ? readReasoning(value.text ?? value.content) : '';
}
