import { type ContentText, readContent, readReasoning } from './content';
import type { StreamEvent } from './event-stream';
import { type FinishReason, readFinishReason } from './finish-reason';
import { findPeerError } from './peer-error';
import { ChatStreamError, garbage, quoted } from './stream-error';
import { type ToolCallPiece, ToolCallReader } from './tool-calls';
import { refuseForeignEvent, refuseForeignText, refuseUnknownText } from './unknown-text';
import { asCount, isEmpty, isRecord, parseShallowJson } from './values';

/** Token counts that the peer reported. */
export interface ChatUsage {
  promptTokens?: number | undefined;
  cachedTokens?: number | undefined;
  completionTokens?: number | undefined;
}

/** What one event adds to the answer. */
export interface ChatPiece extends ContentText {
  toolCalls: ToolCallPiece[];
  /** Set on the event that ends the answer. */
  finishReason: FinishReason | undefined;
  /** The event is `[DONE]`. */
  isDone: boolean;
  /** The event has the shape of a chunk: `choices` is a list. */
  isChunk: boolean;
  /** The event has token counts. */
  hasUsage: boolean;
  /** The event's JSON, for fields that OpenAI does not have; undefined where there is none. */
  json: Record<string, unknown> | undefined;
  /** The choice of the answer. */
  choice: Record<string, unknown> | undefined;
}

/** Names of events that only keep a connection open; their data is ignored. */
const KEEP_ALIVES = /^(ping|keep-?alive|heartbeat)$/i;

/** Fields of a delta or a message that hold the answer. */
const ANSWER_FIELDS = ['content', 'text', 'refusal', 'tool_calls', 'function_call'] as const;
/** Fields for reasoning at DeepSeek, OpenRouter, vLLM, Groq, Ollama and Copilot. */
const REASONING_FIELDS = [
  'reasoning_content',
  'reasoning',
  'thinking',
  'reasoning_text',
  'thought',
  'thoughts',
];
const SPEECH_FIELDS = [...ANSWER_FIELDS, ...REASONING_FIELDS];

/**
 * Reads a chat completion, streamed or whole, event by event. It accepts the dialects of many vendors and skips events that
 * carry no answer. An event that might hold unread text is an error, so a successful answer is always complete.
 */
export class ChatStreamReader {
  /** Why the answer ended; undefined until then. */
  finishReason: FinishReason | undefined;
  /** The latest counts. */
  readonly usage: ChatUsage = {};
  readonly #tools = new ToolCallReader();
  /** The answer so far, to compare with a `message` that repeats it. */
  #text = '';
  #refusal = '';
  #hasReasoning = false;
  /** The text came as a `message` and not as deltas. An answer has only one such message. */
  #isWhole = false;

  /**
   * Reads one event.
   *
   * @throws ChatStreamError. After the finish reason it throws only for more text: the answer is complete, so other faults
   * no longer matter.
   */
  read({ event, data }: StreamEvent): ChatPiece {
    const hadFinished = this.finishReason !== undefined;
    let piece: ChatPiece;
    try {
      piece = this.#event(event, data.trim());
    } catch (error) {
      if (hadFinished) return emptyPiece();
      throw error;
    }
    const hasMore = piece.text !== '' || piece.refusal !== '' || piece.toolCalls.length > 0;
    if (hadFinished && hasMore) throw garbage('more of its answer after the finish reason');
    return piece;
  }

  /** The stream has ended. @throws ChatStreamError `truncated` without a finish reason, also after `[DONE]` */
  end(): FinishReason {
    if (this.finishReason !== undefined) return this.finishReason;
    throw new ChatStreamError('truncated', 'The answer ended before it was complete.');
  }

  #event(name: string | undefined, data: string): ChatPiece {
    const piece = emptyPiece();
    if (data === '[DONE]') return { ...piece, isDone: true };
    const json = parseShallowJson(data);
    const isKeepAlive = data === '' || KEEP_ALIVES.test(name ?? '');
    if (isKeepAlive && !(isRecord(json) && Array.isArray(json.choices))) return piece;
    const error = findPeerError(json) ?? (name === 'error' ? {} : undefined);
    if (error !== undefined) throw peerError(error);
    if (json === undefined) throw garbage('an event that is not JSON, or nests too deeply');
    for (const chunk of Array.isArray(json) ? json : [json]) this.#chunk(chunk, piece);
    return piece;
  }

  #chunk(json: unknown, piece: ChatPiece): void {
    if (json === null) return;
    if (!isRecord(json)) throw garbage(`an event that is not a JSON object (${quoted(json)})`);
    piece.json = json;
    piece.hasUsage = this.#readUsage(json);
    if (json.choices === undefined || json.choices === null) {
      refuseForeignEvent(json);
      return;
    }
    if (!Array.isArray(json.choices)) throw garbage('`choices` that are not a list');
    piece.isChunk = true;
    if (json.choices.length === 0) refuseForeignEvent(json);
    for (const choice of json.choices) {
      if (!isRecord(choice)) throw garbage(`a choice that is not an object (${quoted(choice)})`);
      this.#choice(choice, piece);
    }
  }

  #choice(choice: Record<string, unknown>, piece: ChatPiece): void {
    const failed = isEmpty(choice.error) ? undefined : findPeerError({ error: choice.error });
    if (failed !== undefined) throw peerError(failed);
    const index = choice.index ?? 0;
    if (index !== 0 && index !== '0') {
      refuseOther(choice);
      return;
    }
    piece.choice = choice;
    // Moonshot reports the counts here.
    this.#readCounts(choice.usage);
    refuseForeignText(choice, ['content']);
    refuseUnknownText(choice, ['delta', 'message', 'text']);
    this.#delta(choice, piece);
    this.#message(choice.message, piece);
    const details = isRecord(choice.finish_details) ? choice.finish_details.type : undefined;
    const reason = readFinishReason(choice.finish_reason ?? details);
    if (reason === undefined || this.finishReason !== undefined) return;
    this.#tools.end(reason === 'tool_calls');
    this.finishReason = reason;
    piece.finishReason = reason;
  }

  #delta(choice: Record<string, unknown>, piece: ChatPiece): void {
    const delta = choice.delta ?? {};
    if (!isRecord(delta)) throw garbage(`a delta that is not an object (${quoted(delta)})`);
    refuseForeignText(delta, ['message']);
    refuseUnknownText(delta, SPEECH_FIELDS);
    const content = readContent(delta.content);
    // Some servers fill the `text` field of the legacy completions too, or only that field.
    const text = oneText(content.text, readContent(delta.text).text, readContent(choice.text).text);
    const refusal = content.refusal + readContent(delta.refusal).text;
    const reasoning = content.reasoning + reasoningOf(delta);
    const calls = [...this.#tools.read(delta.tool_calls), ...this.#tools.readLegacy(delta.function_call)];
    this.#add(piece, { text, refusal, reasoning }, calls);
  }

  /** Reads a whole message. It is the answer itself, or repeats the deltas so far. */
  #message(message: unknown, piece: ChatPiece): void {
    if (message === undefined || message === null) return;
    if (!isRecord(message)) throw garbage(`a message that is not an object (${quoted(message)})`);
    refuseForeignText(message);
    refuseUnknownText(message, SPEECH_FIELDS);
    const content = readContent(message.content);
    const refusal = content.refusal + readContent(message.refusal).text;
    const reasoning = this.#hasReasoning ? '' : content.reasoning + reasoningOf(message);
    const hasCalls = this.#tools.hasCalls;
    const calls = hasCalls
      ? []
      : [...this.#tools.read(message.tool_calls), ...this.#tools.readLegacy(message.function_call)];
    if (this.#isWhole && content.text !== '') throw garbage('a second message');
    this.#isWhole ||= this.#text === '' && content.text !== '';
    const rest = {
      text: beyond(this.#text, content.text),
      refusal: beyond(this.#refusal, refusal),
      reasoning,
    };
    this.#add(piece, rest, calls);
  }

  #add(piece: ChatPiece, { text, refusal, reasoning }: ContentText, calls: ToolCallPiece[]): void {
    piece.text += text;
    piece.refusal += refusal;
    piece.reasoning += reasoning;
    piece.toolCalls.push(...calls);
    this.#text += text;
    this.#refusal += refusal;
    this.#hasReasoning ||= reasoning !== '';
  }

  #readUsage(json: Record<string, unknown>): boolean {
    const vendor = isRecord(json.x_groq) ? json.x_groq.usage : undefined;
    return this.#readCounts(json.usage ?? vendor);
  }

  #readCounts(usage: unknown): boolean {
    if (!isRecord(usage)) return false;
    const details = isRecord(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
    this.usage.promptTokens = asCount(usage.prompt_tokens) ?? this.usage.promptTokens;
    this.usage.cachedTokens = asCount(details.cached_tokens) ?? this.usage.cachedTokens;
    this.usage.completionTokens = asCount(usage.completion_tokens) ?? this.usage.completionTokens;
    return true;
  }
}

const emptyPiece = (): ChatPiece => ({
  text: '',
  refusal: '',
  reasoning: '',
  toolCalls: [],
  finishReason: undefined,
  isDone: false,
  isChunk: false,
  hasUsage: false,
  json: undefined,
  choice: undefined,
});

const peerError = (said: ChatStreamError['said']): ChatStreamError =>
  new ChatStreamError('peer_error', 'The endpoint broke off its answer with an error.', said);

/** Returns the first reasoning field that is filled. Some servers fill two fields with the same text. */
function reasoningOf(from: Record<string, unknown>): string {
  const field = REASONING_FIELDS.find((name) => !isEmpty(from[name]));
  return field === undefined ? '' : readReasoning(from[field]);
}

/** Refuses a second choice with text, because the request asked for one answer. Other choices may be there without text. */
function refuseOther(choice: Record<string, unknown>): void {
  const reader = new ChatStreamReader();
  const data = JSON.stringify({ choices: [{ ...choice, index: 0, finish_reason: null }] });
  const { text, refusal, toolCalls } = reader.read({ data });
  if (text !== '' || refusal !== '' || toolCalls.length > 0)
    throw garbage('a second choice; one was asked for');
}

/** Returns the text of several fields that must agree. */
function oneText(...texts: string[]): string {
  const [first = '', ...others] = texts.filter((text) => text !== '');
  if (others.some((other) => other !== first)) throw garbage('two texts that differ in one choice');
  return first;
}

/** Returns the part of `whole` after `begun`; empty if `whole` only repeats `begun` or its start. */
function beyond(begun: string, whole: string): string {
  if (whole === '' || begun.startsWith(whole)) return '';
  if (!whole.startsWith(begun)) throw garbage('a message that differs from its pieces');
  return whole.slice(begun.length);
}
