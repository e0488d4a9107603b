// The AI SDK with its OpenAI-compatible provider, unmodified, on inshore's fetch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import { splitting } from './lib/splitting.mjs';
import { eventually, TEXT, telling } from './lib/stories.mjs';

const setUp = (...stories) => {
  const { dispatcher, fetch } = telling(...stories);
  return { dispatcher, model: modelOf(fetch) };
};
const modelOf = (fetch) =>
  createOpenAICompatible({
    name: 'inshore',
    baseURL: 'http://inshore.invalid/v1',
    includeUsage: true,
    fetch,
  })('tiny');
const quiet = { maxRetries: 0, onError: () => {} };

test('generateText, with usage and the privacy label', async () => {
  const { model, dispatcher } = setUp('whole');
  const result = await generateText({
    model,
    instructions: 'be brief',
    prompt: 'hi',
    temperature: 0.5,
    providerOptions: { inshore: { inshore: { privacy: 'local_only' } } },
  });
  assert.equal(result.text, TEXT);
  assert.equal(result.finishReason, 'stop');
  assert.deepEqual([result.usage.inputTokens, result.usage.outputTokens], [7, 2]);
  const [request] = dispatcher.requests;
  assert.equal(request.temperature, 0.5);
  assert.deepEqual(request.messages, [
    { role: 'system', content: 'be brief' },
    { role: 'user', content: 'hi' },
  ]);
  assert.equal(request.extension.privacy, 'local_only');
});

test('streamText, with usage', async () => {
  const { model } = setUp('whole');
  const result = streamText({ model, prompt: 'hi', ...quiet });
  let text = '';
  for await (const piece of result.textStream) text += piece;
  assert.equal(text, TEXT);
  assert.equal(await result.finishReason, 'stop');
  const usage = await result.usage;
  assert.deepEqual([usage.inputTokens, usage.outputTokens, usage.totalTokens], [7, 2, 9]);
});

test('wherever the network cuts the bytes, the answer is the same', async () => {
  for (let seed = 0; seed < 50; seed++) {
    const model = modelOf(splitting(telling('whole').fetch, seed));
    assert.equal(await streamText({ model, prompt: 'hi', ...quiet }).text, TEXT, `seed ${seed}`);
  }
});

test('abort in mid-stream ends the generation', async () => {
  const { model, dispatcher } = setUp('endless');
  const abort = new AbortController();
  let aborted = 0;
  const onAbort = () => {
    aborted += 1;
  };
  const result = streamText({ model, prompt: 'hi', abortSignal: abort.signal, onAbort, ...quiet });
  let seen = '';
  const reading = (async () => {
    for await (const piece of result.textStream) {
      seen += piece;
      if (seen === 'one two ') abort.abort();
    }
  })();
  await reading.catch((error) => assert.equal(error.name, 'AbortError'));
  assert.equal(seen, 'one two ');
  assert.equal(aborted, 1);
  await eventually(() => dispatcher.aborted === 1);
});

test('abort of a whole answer', async () => {
  const { model, dispatcher } = setUp('endless');
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 10);
  const pending = generateText({ model, prompt: 'hi', abortSignal: abort.signal });
  await assert.rejects(pending, { name: 'AbortError' });
  assert.equal(dispatcher.aborted, 1);
});

test('refusals keep status and message', async () => {
  const ask = (story, more = {}) =>
    generateText({ model: setUp(story).model, prompt: 'hi', maxRetries: 0, ...more });
  const failsWith = (status, message) => (error) => {
    assert.ok(APICallError.isInstance(error), String(error));
    assert.equal(error.statusCode, status);
    assert.match(error.message, message);
    return true;
  };
  await assert.rejects(ask('whole', { temperature: 9 }), failsWith(400, /temperature must be a number/));
  await assert.rejects(ask('unauthorised'), failsWith(401, /unauthorised/));
  await assert.rejects(ask('rate_limited'), failsWith(429, /rate_limited/));
});

test('429 is tried again', async () => {
  const { model, dispatcher } = setUp('rate_limited', 'whole');
  assert.equal((await generateText({ model, prompt: 'hi', maxRetries: 1 })).text, TEXT);
  assert.equal(dispatcher.requests.length, 2);
});

test('a failure in mid-stream is an error part, and never a finished answer', async () => {
  const { model } = setUp('broken');
  const parts = [];
  for await (const part of streamText({ model, prompt: 'hi', ...quiet }).fullStream) parts.push(part);
  const text = parts.filter(({ type }) => type === 'text-delta').map((part) => part.text);
  assert.equal(text.join(''), 'half of an answer');
  const [error, ...more] = parts.filter(({ type }) => type === 'error');
  assert.match(JSON.stringify(error.error?.message ?? error.error), /device_lost/);
  assert.deepEqual(more, []);
  assert.notEqual(parts.findLast(({ type }) => type === 'finish')?.finishReason, 'stop');
});
