/** The OpenAI face of the SDK, and the Prompt API's. */
export {
  type ChatCompletionParams,
  type ChatCompletions,
  type ChatOptions,
  ChatStream,
  createChatCompletions,
} from './chat';
export { type ErrorBody, type HttpError, InvalidRequestError, toHttpError } from './errors';
export { createOpenAIFetch } from './fetch';
export {
  createLanguageModel,
  type LanguageModelCreateOptions,
  type LanguageModelHost,
  type LanguageModelLike,
  LanguageModelSession,
  type PromptInput,
  type PromptOptions,
} from './language-model';
export type {
  ChatCompletion,
  ChatCompletionChunk,
  ChunkExtension,
  Logprobs,
  ToolCall,
} from './shapes';
