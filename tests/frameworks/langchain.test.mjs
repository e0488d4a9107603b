// LangChain's ChatOpenAI, unmodified, on inshore's fetch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatOpenAI } from '@langchain/openai';
import { eventually, TEXT, telling } from './lib/stories.mjs';

const setUp = (story, fields = {}) => {
  const { dispatcher, fetch } = telling(story);
  const configuration = { baseURL: 'http://inshore.invalid/v1', fetch };
  const model = new ChatOpenAI({ model: 'tiny', apiKey: 'unused', maxRetries: 0, configuration, ...fields });
  return { dispatcher, model };
};

test('invoke, with usage, log-probabilities and the privacy label', async () => {
  const modelKwargs = { inshore: { privacy: 'local_only' } };
  const { model, dispatcher } = setUp('whole', { logprobs: true, modelKwargs });
  const message = await model.invoke([
    ['system', 'be brief'],
    ['human', 'hi'],
  ]);
  assert.equal(message.content, TEXT);
  assert.deepEqual([message.usage_metadata.input_tokens, message.usage_metadata.output_tokens], [7, 2]);
  assert.equal(message.response_metadata.logprobs.content.length, 6);
  assert.equal(dispatcher.requests[0].extension.privacy, 'local_only');
  assert.deepEqual(
    dispatcher.requests[0].messages.map(({ role }) => role),
    ['system', 'user'],
  );
});

test('stream, with usage', async () => {
  let whole;
  for await (const chunk of await setUp('whole').model.stream('hi')) whole = whole?.concat(chunk) ?? chunk;
  assert.equal(whole.content, TEXT);
  assert.equal(whole.usage_metadata.total_tokens, 9);
  assert.equal(whole.response_metadata.finish_reason, 'stop');
});

test('abort in mid-stream ends the generation', async () => {
  const { model, dispatcher } = setUp('endless');
  const abort = new AbortController();
  let seen = '';
  const reading = (async () => {
    for await (const chunk of await model.stream('hi', { signal: abort.signal })) {
      seen += chunk.content;
      if (seen === 'one two ') abort.abort();
    }
  })();
  await assert.rejects(reading, /abort/i);
  assert.equal(seen, 'one two ');
  await eventually(() => dispatcher.aborted === 1);
});

test('refusals and failures in mid-stream are errors', async () => {
  await assert.rejects(setUp('whole', { temperature: 9 }).model.invoke('hi'), { status: 400 });
  await assert.rejects(setUp('unauthorised').model.invoke('hi'), { status: 401 });
  await assert.rejects(setUp('rate_limited').model.invoke('hi'), { status: 429 });
  const reading = (async () => {
    for await (const _chunk of await setUp('broken').model.stream('hi'));
  })();
  await assert.rejects(reading, /device_lost/);
});
