/** Messages in the Prompt API's form, and in OpenAI's. */

/** A message of the conversation as `chat.completions` takes it. */
export interface Turn {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** A message of the Prompt API. Only text: images and audio are refused. */
export interface PromptMessage {
  role: 'system' | 'user' | 'assistant';
  content: string | readonly { type: string; value: unknown }[];
  /** `true` is refused: the model speaks for itself here. */
  prefix?: boolean;
}

/** What can be asked: a text of the user's, or messages. */
export type PromptInput = string | readonly PromptMessage[];

/**
 * Checks `input`. `systemFirst`: these are the first messages, where a system message may stand.
 *
 * @throws TypeError for what is not a prompt; DOMException `NotSupportedError` for what no text model takes
 */
export function toTurns(input: PromptInput, systemFirst: boolean): Turn[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  if (!Array.isArray(input)) throw new TypeError('A prompt is a string or an array of messages.');
  return input.map((message: PromptMessage, index) => {
    const { role, content, prefix } = message;
    if (role !== 'system' && role !== 'user' && role !== 'assistant')
      throw new TypeError('The role of a message must be system, user or assistant.');
    if (role === 'system' && !(systemFirst && index === 0))
      throw new TypeError('A system message can only be the first of initialPrompts.');
    if (prefix === true) throw unsupported('An answer that begins with a given prefix is not supported.');
    return { role, content: textOf(content) };
  });
}

function textOf(content: PromptMessage['content']): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw new TypeError('The content of a message is a string or an array.');
  return content
    .map(({ type, value }) => {
      if (type !== 'text') throw unsupported('The model takes text only.');
      if (typeof value !== 'string') throw new TypeError('The value of a text content must be a string.');
      return value;
    })
    .join('');
}

/** Where there is no tokenizer: a token has about four bytes, and a template a few tokens for each message. */
export function estimateTokens(turns: readonly Turn[]): number {
  const encoder = new TextEncoder();
  const bytes = turns.map(({ content }) => encoder.encode(content).length);
  return bytes.reduce((sum, length) => sum + Math.ceil(length / 4) + 4, 0);
}

/** A `NotSupportedError`, as the Prompt API throws it. */
export const unsupported = (message: string): DOMException => new DOMException(message, 'NotSupportedError');
