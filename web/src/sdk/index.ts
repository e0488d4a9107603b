/** inshore: a small language model on the user's own device first, the cloud where the device cannot keep the promise. */
export { InshoreError } from '../error';
export {
  type ChatCompletion,
  type ChatCompletionChunk,
  type ChatCompletionParams,
  type ChatCompletions,
  type ChatOptions,
  ChatStream,
  createLanguageModel,
  type LanguageModelLike,
  type LanguageModelSession,
} from '../openai';
export type { ErrorCode } from '../protocol/error-codes';
export type { TraceLine } from '../route/types';
export type * from './contract';
export { type Changes, createInshore, type Inshore } from './inshore';
