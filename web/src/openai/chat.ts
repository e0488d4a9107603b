import { InshoreError } from '../error';
import type { AnswerEvent, Dispatcher, RequestExtension, RunningAnswer } from '../sdk/contract';
import { checkChatRequest } from './request';
import { ChunkWriter, newHeading, readCompletion, truncated } from './response';
import type { ChatCompletion, ChatCompletionChunk } from './shapes';

/** The body of a chat completion: OpenAI's fields, and `inshore`. Fields that are not named here reach cloud endpoints. */
export interface ChatCompletionParams {
  messages: readonly object[];
  /** The instance's own model if absent. */
  model?: string;
  stream?: boolean | null;
  inshore?: RequestExtension;
  [field: string]: unknown;
}

/** Options beside the body, as in the `openai` package. */
export interface ChatOptions {
  /** Ends the generation at once; the promise or the iteration then throws `cancelled`. */
  signal?: AbortSignal | null | undefined;
}

/** `chat.completions.create` in OpenAI's shape. */
export interface ChatCompletions {
  completions: {
    /** The answer as it grows. Resolves with the first token, so that a refusal is a rejection here. */
    create(body: ChatCompletionParams & { stream: true }, options?: ChatOptions): Promise<ChatStream>;
    /** The whole answer. */
    create(
      body: ChatCompletionParams & { stream?: false | null },
      options?: ChatOptions,
    ): Promise<ChatCompletion>;
    create(body: ChatCompletionParams, options?: ChatOptions): Promise<ChatCompletion | ChatStream>;
  };
}

/**
 * Chunks of a running answer; iterate once. It throws where the answer fails; whoever breaks out of the loop ends the
 * generation.
 */
export class ChatStream implements AsyncIterable<ChatCompletionChunk> {
  /** `controller.abort()` ends the generation from outside the loop, which then throws `cancelled`. */
  readonly controller = new AbortController();
  readonly #chunks: AsyncGenerator<ChatCompletionChunk, void, undefined>;

  /** Made by `create`. */
  constructor(answer: RunningAnswer, begun: Begun, writer: ChunkWriter) {
    const abort = (): void => answer.abort();
    this.controller.signal.addEventListener('abort', abort, { once: true });
    this.#chunks = chunksOf(begun, writer, abort);
  }

  [Symbol.asyncIterator](): AsyncGenerator<ChatCompletionChunk, void, undefined> {
    return this.#chunks;
  }
}

/** The OpenAI face of a dispatcher. `modelName` is what answers call their model. */
export function createChatCompletions(dispatcher: Dispatcher, modelName: string): ChatCompletions {
  async function create(
    body: ChatCompletionParams,
    options: ChatOptions = {},
  ): Promise<ChatCompletion | ChatStream> {
    const request = checkChatRequest(body, modelName);
    const signal = options.signal ?? undefined;
    if (signal?.aborted) throw cancelled(signal);
    const answer = dispatcher.run(request.checked, { signal });
    const heading = newHeading(modelName);
    if (!request.stream) return readCompletion(answer, heading, request);
    const begun = await untilFirstToken(answer);
    return new ChatStream(answer, begun, new ChunkWriter(heading, request));
  }
  return { completions: { create: create as ChatCompletions['completions']['create'] } };
}

/** The error of a caller's abort, with its reason as the cause. */
export const cancelled = (signal: AbortSignal): InshoreError =>
  new InshoreError('cancelled', 'The request was cancelled by its caller.', { cause: signal.reason });

/** Events that were read ahead, and where the others come from. */
interface Begun {
  waiting: AnswerEvent[];
  rest: AsyncIterator<AnswerEvent>;
}

/** Waits for the first event that a caller can see. */
async function untilFirstToken(answer: RunningAnswer): Promise<Begun> {
  const rest = answer[Symbol.asyncIterator]();
  const waiting: AnswerEvent[] = [];
  for (;;) {
    const event = await nextOf(rest);
    waiting.push(event);
    if (event.type !== 'span' && event.type !== 'replace') return { waiting, rest };
  }
}

async function* chunksOf(
  { waiting, rest }: Begun,
  writer: ChunkWriter,
  abort: () => void,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  let ended = false;
  try {
    while (!ended) {
      const event = waiting.shift() ?? (await nextOf(rest));
      ended = event.type === 'end';
      yield* writer.write(event);
    }
  } finally {
    // Left early: by `break`, by `return()`, or by an error of the writer's.
    if (!ended) abort();
    await rest.return?.();
  }
}

async function nextOf(events: AsyncIterator<AnswerEvent>): Promise<AnswerEvent> {
  const { value, done } = await events.next();
  if (done) throw truncated();
  return value;
}
