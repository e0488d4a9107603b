import type { ChatPiece } from '../../web/src/protocol/chat-chunk';
import { isRecord } from '../../web/src/protocol/values';

/**
 * Returns the JSON that a client gets for a chunk: the chunk itself if every OpenAI client can read all of it, else the same
 * content in OpenAI's shape. Returns undefined if the event has no part of the answer.
 */
export function openAiChunk(piece: ChatPiece, data: string): string | undefined {
  const { json, choice } = piece;
  if (json === undefined || (!piece.isChunk && !piece.hasUsage)) return undefined;
  if (!piece.isChunk) return JSON.stringify({ ...json, choices: [] });
  // A list of chunks in one event is not a chunk.
  const isList = data.trimStart().startsWith('[');
  if (choice === undefined || isPlain(piece, choice)) return isList ? JSON.stringify(json) : data;
  const delta = isRecord(choice.delta) ? choice.delta : {};
  const { content, text, reasoning, reasoning_content, thinking, refusal, tool_calls, ...others } = delta;
  const { message, text: legacy, usage, ...rest } = choice;
  const plain = {
    ...rest,
    index: 0,
    delta: { ...others, ...fields(piece), content: piece.text },
    finish_reason: piece.finishReason ?? null,
  };
  const counts = usage === undefined ? {} : { usage: json.usage ?? usage };
  return JSON.stringify({ ...json, choices: [plain], ...counts });
}

/** Returns the JSON that a client gets for a whole answer; see {@link openAiChunk}. */
export function openAiCompletion(piece: ChatPiece, data: string): string {
  const { json, choice } = piece;
  if (choice === undefined) return data;
  const { message: said, text, ...rest } = choice;
  const message: Record<string, unknown> = isRecord(said) ? said : { role: 'assistant' };
  const isText = message.content === piece.text || (message.content === null && piece.text === '');
  if (isText && isSameReason(piece, choice) && hasPlainCalls(piece, message)) return data;
  const content = piece.text === '' && typeof message.content !== 'string' ? null : piece.text;
  const plain = {
    ...rest,
    index: 0,
    message: { ...message, ...fields(piece), content },
    finish_reason: piece.finishReason ?? null,
  };
  return JSON.stringify({ ...json, choices: [plain] });
}

function fields({ refusal, reasoning, toolCalls }: ChatPiece): Record<string, unknown> {
  return {
    ...(refusal !== '' && { refusal }),
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
  };
}

/** Whether the chunk already has OpenAI's shape. */
function isPlain(piece: ChatPiece, choice: Record<string, unknown>): boolean {
  const delta = choice.delta ?? {};
  if (!isRecord(delta) || choice.index !== 0) return false;
  const hasOther = [choice.message, choice.text, choice.usage, delta.text].some(
    (field) => field !== undefined,
  );
  const isOneChoice = Array.isArray(piece.json?.choices) && piece.json.choices.length === 1;
  return (
    isOneChoice &&
    !hasOther &&
    (delta.content ?? '') === piece.text &&
    (delta.refusal ?? '') === piece.refusal &&
    (delta.reasoning_content || delta.reasoning || '') === piece.reasoning &&
    isSameReason(piece, choice) &&
    hasPlainCalls(piece, delta)
  );
}

function isSameReason({ finishReason }: ChatPiece, choice: Record<string, unknown>): boolean {
  const said = choice.finish_reason ?? undefined;
  // OpenAI's finish reason for legacy function calls.
  return said === finishReason || (said === 'function_call' && finishReason === 'tool_calls');
}

function hasPlainCalls({ toolCalls }: ChatPiece, from: Record<string, unknown>): boolean {
  const { function_call: legacy, tool_calls: said } = from;
  // OpenAI's legacy form of a tool call.
  if (isRecord(legacy)) return typeof (legacy.arguments ?? '') === 'string';
  if (said === undefined || said === null) return toolCalls.length === 0;
  return (
    Array.isArray(said) &&
    said.length === toolCalls.length &&
    toolCalls.every((call, at) => {
      const one = said[at];
      if (!isRecord(one) || one.index !== call.index || (call.id !== undefined && one.id !== call.id))
        return false;
      const fn = isRecord(one.function) ? one.function : {};
      return (
        (fn.arguments ?? '') === call.function?.arguments && (fn.name ?? '') === (call.function?.name ?? '')
      );
    })
  );
}
