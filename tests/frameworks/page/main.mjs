// The clients as an application would use them, bundled by Vite. `window.frameworks` is what the tests call.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { createLanguageModel } from '../../../web/src/openai';
import { createInshore } from '../../../web/src/sdk';

const baseURL = 'http://inshore.invalid/v1';
const dangerouslyAllowBrowser = true;
let inshore;

const client = () =>
  new OpenAI({ apiKey: 'unused', baseURL, fetch: inshore.fetch, maxRetries: 0, dangerouslyAllowBrowser });
const aiModel = () =>
  createOpenAICompatible({ name: 'inshore', baseURL, includeUsage: true, fetch: inshore.fetch })('inshore');

// Not the constructors' own names: the bundler has shortened them.
const KINDS = [
  'APIError',
  'AuthenticationError',
  'BadRequestError',
  'NotFoundError',
  'RateLimitError',
  'UnprocessableEntityError',
];

/** What can cross into the test of an error. */
function told(error) {
  const { message, status, statusCode, code, type, param } = error;
  const kind = KINDS.find((name) => OpenAI[name] === error.constructor);
  return { kind, message, status: status ?? statusCode, code, type, param };
}

/** The result of `work`, or `{ failed }`. */
const outcome = (work) => work().catch((error) => ({ failed: told(error) }));

window.frameworks = {
  /** An instance with the site's model, stored and loaded. */
  start: (options) =>
    outcome(async () => {
      const { models } = await (await fetch('/models/manifest.json')).json();
      const [model] = models;
      inshore = await createInshore({
        ...options,
        model: { ...model, url: new URL(model.url, location.href).href },
      });
      await inshore.download();
      return inshore.availability();
    }),

  openai: (body) => outcome(() => client().chat.completions.create(body)),

  /** Reads a stream; stops after `limit` chunks, by `break` or by the stream's controller. */
  openaiStream: (body, { limit, by } = {}) =>
    outcome(async () => {
      const stream = await client().chat.completions.create({ ...body, stream: true });
      const chunks = [];
      try {
        for await (const chunk of stream) {
          chunks.push(chunk);
          if (chunks.length !== limit) continue;
          if (by === 'break') break;
          stream.controller.abort();
        }
        return { chunks };
      } catch (error) {
        return { chunks, failed: told(error) };
      }
    }),

  generateText: (options) =>
    outcome(async () => {
      const { text, finishReason, usage } = await generateText({
        model: aiModel(),
        maxRetries: 0,
        ...options,
      });
      return { text, finishReason, usage };
    }),

  streamText: (options) =>
    outcome(async () => {
      const errors = [];
      const onError = ({ error }) => errors.push(told(error));
      const result = streamText({ model: aiModel(), maxRetries: 0, onError, ...options });
      let text = '';
      for await (const piece of result.textStream) text += piece;
      if (errors.length > 0) return { text, errors };
      return { text, finishReason: await result.finishReason, usage: await result.usage };
    }),

  langchain: (question, fields) =>
    outcome(async () => {
      const configuration = { baseURL, fetch: inshore.fetch, dangerouslyAllowBrowser };
      const model = new ChatOpenAI({
        model: 'inshore',
        apiKey: 'unused',
        maxRetries: 0,
        configuration,
        ...fields,
      });
      let whole;
      for await (const chunk of await model.stream(question)) whole = whole?.concat(chunk) ?? chunk;
      return { text: whole.content, usage: whole.usage_metadata };
    }),

  /** Two questions in one session of the Prompt API; the second is left after `limit` pieces. */
  languageModel: (first, second, limit) =>
    outcome(async () => {
      const session = await createLanguageModel(inshore.chat, inshore).create({ temperature: 0, topK: 1 });
      await session.append(first);
      const pieces = [];
      for await (const piece of session.promptStreaming(second)) {
        pieces.push(piece);
        if (pieces.length === limit) break;
      }
      return { pieces, usage: session.contextUsage };
    }),
};
