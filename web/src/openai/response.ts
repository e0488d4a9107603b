import { InshoreError } from '../error';
import { MAX_TOOL_CALLS } from '../protocol/tool-calls';
import type { AnswerEvent, TokenLogprobs, ToolCallDelta } from '../sdk/contract';
import type { ChatRequest } from './request';
import type { ChatCompletion, ChatCompletionChunk, ChunkExtension, ToolCall } from './shapes';

type Delta = ChatCompletionChunk['choices'][number]['delta'];
type EndEvent = Extract<AnswerEvent, { type: 'end' }>;

/** What is the same in all parts of an answer. */
export interface Heading {
  /** `chatcmpl-…` */
  id: string;
  /** Seconds since 1970. */
  created: number;
  model: string;
}

/** The heading of a new answer. */
export function newHeading(model: string): Heading {
  // Not `randomUUID`: that one is missing where the page has no secure context.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { id: `chatcmpl-${digits}`, created: Math.floor(Date.now() / 1000), model };
}

/** Turns the events of one answer into chunks. Every event gives none, one or (the end) two. */
export class ChunkWriter {
  readonly #heading: Heading;
  readonly #request: ChatRequest;
  /** The stretch that begins with the next chunk. */
  #span: ChunkExtension | undefined;
  #shown = false;
  #spoken = false;

  constructor(heading: Heading, request: ChatRequest) {
    this.#heading = heading;
    this.#request = request;
  }

  /** @throws InshoreError `answer_replaced` where the caller would not understand a replacement */
  write(event: AnswerEvent): ChatCompletionChunk[] {
    switch (event.type) {
      case 'span':
        this.#span = { source: event.source, reason: event.reason };
        return [];
      case 'delta': {
        const { text, logprobs, toolCalls, reasoning = '', refusal = '' } = event;
        const calls = toolCalls ?? [];
        const isBare = calls.length === 0 && reasoning === '' && refusal === '';
        if (text === '' && logprobs === undefined && isBare) return [];
        this.#shown = true;
        const delta: Delta = {};
        if (text !== '' || isBare) delta.content = text;
        if (reasoning !== '') delta.reasoning_content = reasoning;
        if (refusal !== '') delta.refusal = refusal;
        if (calls.length > 0) delta.tool_calls = calls;
        return [...this.#opening(), this.#chunk(delta, { logprobs, extension: this.#takeSpan() })];
      }
      case 'replace': {
        const { source, reason } = event;
        this.#span = undefined;
        const shown = this.#shown;
        this.#shown = false;
        if (!shown) {
          // Nothing that could be void was handed out: this is a stretch like any other.
          this.#span = { source, reason };
          return [];
        }
        if (this.#request.checked.extension.accept_replace === false) throw answerReplaced();
        return [this.#chunk({}, { extension: { replace: true, source, reason } })];
      }
      case 'end':
        return [...this.#opening(), ...this.#end(event)];
    }
  }

  #end({ finishReason, usage, report }: EndEvent): ChatCompletionChunk[] {
    const last = this.#chunk({}, { finishReason, extension: report });
    if (!this.#request.includeUsage) return [last];
    return [last, { ...this.#heading, object: 'chat.completion.chunk', choices: [], usage }];
  }

  /** Before anything else: who speaks. */
  #opening(): ChatCompletionChunk[] {
    if (this.#spoken) return [];
    this.#spoken = true;
    return [this.#chunk({ role: 'assistant', content: '' }, { extension: this.#takeSpan() })];
  }

  #takeSpan(): ChunkExtension | undefined {
    const span = this.#span;
    this.#span = undefined;
    return span;
  }

  #chunk(
    delta: Delta,
    more: {
      logprobs?: TokenLogprobs | undefined;
      finishReason?: EndEvent['finishReason'];
      extension?: ChunkExtension | undefined;
    },
  ): ChatCompletionChunk {
    const logprobs =
      more.logprobs && this.#request.logprobs ? { content: [more.logprobs], refusal: null } : null;
    const chunk: ChatCompletionChunk = {
      ...this.#heading,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs, finish_reason: more.finishReason ?? null }],
    };
    if (this.#request.includeUsage) chunk.usage = null;
    if (more.extension !== undefined) chunk.inshore = more.extension;
    return chunk;
  }
}

/** Reads an answer to its end. */
export async function readCompletion(
  events: AsyncIterable<AnswerEvent>,
  heading: Heading,
  request: ChatRequest,
): Promise<ChatCompletion> {
  let content = '';
  let refusal = '';
  let reasoning = '';
  let logprobs: TokenLogprobs[] = [];
  let calls: ToolCall[] = [];
  for await (const event of events) {
    if (event.type === 'delta') {
      content += event.text;
      refusal += event.refusal ?? '';
      reasoning += event.reasoning ?? '';
      if (event.logprobs !== undefined) logprobs.push(event.logprobs);
      for (const piece of event.toolCalls ?? []) addToolCall(calls, piece);
    } else if (event.type === 'replace') {
      // Nobody has seen any of it.
      content = '';
      refusal = '';
      reasoning = '';
      logprobs = [];
      calls = [];
    } else if (event.type === 'end') {
      return {
        ...heading,
        object: 'chat.completion',
        choices: [
          {
            index: 0,
            message: {
              role: 'assistant',
              content: content === '' && (calls.length > 0 || refusal !== '') ? null : content,
              refusal: refusal === '' ? null : refusal,
              ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
              // An endpoint's indices may have gaps.
              ...(calls.length > 0 ? { tool_calls: Object.values(calls) } : {}),
            },
            logprobs: request.logprobs ? { content: logprobs, refusal: null } : null,
            finish_reason: event.finishReason,
          },
        ],
        usage: event.usage,
        inshore: event.report,
      };
    }
  }
  throw truncated();
}

function addToolCall(calls: ToolCall[], piece: ToolCallDelta): void {
  if (!Number.isInteger(piece.index) || piece.index < 0 || piece.index >= MAX_TOOL_CALLS)
    throw new InshoreError('protocol', 'The endpoint sent a tool call without a sound index.');
  calls[piece.index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } };
  const call = calls[piece.index] as ToolCall;
  call.id ||= piece.id ?? '';
  call.function.name += piece.function?.name ?? '';
  call.function.arguments += piece.function?.arguments ?? '';
}

/** For an answer that ends without its end event: nothing cut off may look complete. */
export const truncated = (): InshoreError =>
  new InshoreError(
    'internal',
    'The answer broke off without an end. This is a fault of inshore; please report it.',
  );

const answerReplaced = (): InshoreError =>
  new InshoreError(
    'answer_replaced',
    'The answer had to begin again elsewhere, and this client would append it to the text that is void. Ask again, ' +
      'or handle chunks with inshore.replace and set inshore: { accept_replace: true }.',
  );
