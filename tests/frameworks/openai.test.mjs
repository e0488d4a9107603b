// The official `openai` client, unmodified, on inshore's fetch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  RateLimitError,
} from 'openai';
import { splitting } from './lib/splitting.mjs';
import { eventually, TEXT, TEXTS, telling } from './lib/stories.mjs';

const messages = [{ role: 'user', content: 'hi' }];
const setUp = (...stories) => {
  const { dispatcher, fetch } = telling(...stories);
  return { dispatcher, openai: clientOf(fetch) };
};
const clientOf = (fetch) => new OpenAI({ apiKey: 'unused', baseURL: 'http://inshore.invalid/v1', fetch });
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test('a whole answer, with usage, log-probabilities and our report', async () => {
  const { openai, dispatcher } = setUp('whole');
  const completion = await openai.chat.completions.create({
    model: 'tiny',
    messages: [{ role: 'developer', content: 'be brief' }, ...messages],
    logprobs: true,
    top_logprobs: 2,
    seed: 7,
    stop: ['\n\n\n'],
    max_completion_tokens: 20,
    inshore: { privacy: 'local_only' },
  });
  assert.equal(completion.choices[0].message.content, TEXT);
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.deepEqual(completion.usage, { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 });
  const logprobs = completion.choices[0].logprobs.content;
  assert.deepEqual(
    logprobs.map(({ token }) => token),
    TEXTS,
  );
  assert.deepEqual(
    logprobs.map(({ logprob }) => logprob),
    TEXTS.map((_, index) => -(index + 1) / 4),
  );
  assert.equal(new TextDecoder().decode(new Uint8Array(logprobs.flatMap(({ bytes }) => bytes))), TEXT);
  assert.equal(completion.inshore.source, 'on_device');
  const [request] = dispatcher.requests;
  assert.deepEqual(request.extension, { privacy: 'local_only' });
  assert.deepEqual(
    [request.seed, request.stop, request.maxTokens, request.topLogprobs, request.messages[0].role],
    [7, ['\n\n\n'], 20, 2, 'system'],
  );
});

test('a stream, with usage', async () => {
  const { openai } = setUp('whole');
  const stream = await openai.chat.completions.create({
    model: 'tiny',
    messages,
    stream: true,
    stream_options: { include_usage: true },
    logprobs: true,
  });
  const chunks = await collect(stream);
  assert.equal(textOf(chunks), TEXT);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.deepEqual(chunks[0].inshore, { source: 'on_device', reason: 'meets_slo' });
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  assert.deepEqual(chunks.at(-1).usage, { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 });
  assert.equal(chunks[2].choices[0].logprobs.content[0].logprob, -0.5);
});

test('the stream helper adds the chunks up', async () => {
  const { openai } = setUp('whole');
  const runner = openai.chat.completions.stream({ model: 'tiny', messages, logprobs: true });
  const completion = await runner.finalChatCompletion();
  assert.equal(completion.choices[0].message.content, TEXT);
  assert.equal(completion.choices[0].logprobs.content.length, TEXTS.length);
});

test('tool calls of a cloud endpoint arrive', async () => {
  const tools = [{ type: 'function', function: { name: 'tide', parameters: {} } }];
  const { openai, dispatcher } = setUp('tool_calls');
  const call = { name: 'tide', arguments: '{"port":"Dover"}' };
  const completion = await openai.chat.completions.create({ model: 'tiny', messages, tools });
  assert.equal(completion.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(completion.choices[0].message.tool_calls[0].function, call);
  const streamed = await openai.chat.completions
    .stream({ model: 'tiny', messages, tools })
    .finalChatCompletion();
  const [found] = streamed.choices[0].message.tool_calls;
  assert.deepEqual({ name: found.function.name, arguments: found.function.arguments }, call);
  assert.deepEqual(dispatcher.requests[0].localLacks, ['tools']);
});

test('wherever the network cuts the bytes, the answer is the same', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const { fetch } = telling('whole');
    const body = { model: 'tiny', messages, stream: true };
    const chunks = await collect(await clientOf(splitting(fetch, seed)).chat.completions.create(body));
    assert.equal(textOf(chunks), TEXT, `seed ${seed}`);
  }
});

test('wherever the network cuts the bytes, a broken answer is an error', async () => {
  for (let seed = 0; seed < 50; seed++) {
    const { fetch } = telling('broken');
    const body = { model: 'tiny', messages, stream: true };
    const stream = await clientOf(splitting(fetch, seed)).chat.completions.create(body);
    await assert.rejects(
      collect(stream),
      (error) => error instanceof APIError && error.code === 'device_lost',
    );
  }
});

test('abort in mid-stream: by the signal, by the controller, by leaving the loop', async () => {
  const { openai, dispatcher } = setUp('endless');
  const body = { model: 'tiny', messages, stream: true };
  const abort = new AbortController();
  const bySignal = await openai.chat.completions.create(body, { signal: abort.signal });
  let seen = '';
  for await (const chunk of bySignal) {
    seen += chunk.choices[0].delta.content;
    if (seen === 'one two ') abort.abort();
  }
  assert.equal(seen, 'one two ');
  await eventually(() => dispatcher.aborted === 1);

  const byController = await openai.chat.completions.create(body);
  setTimeout(() => byController.controller.abort(), 10);
  await collect(byController);
  await eventually(() => dispatcher.aborted === 2);

  for await (const chunk of await openai.chat.completions.create(body)) {
    if (chunk.choices[0].delta.content === 'two ') break;
  }
  await eventually(() => dispatcher.aborted === 3);
  await eventually(() => dispatcher.closed === 3);
});

test('abort of a whole answer, and its time limit', async () => {
  const { openai, dispatcher } = setUp('endless');
  const body = { model: 'tiny', messages };
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 10);
  const pending = openai.chat.completions.create(body, { signal: abort.signal });
  await assert.rejects(pending, APIUserAbortError);
  assert.equal(dispatcher.aborted, 1);
  const timed = openai.chat.completions.create(body, { timeout: 10, maxRetries: 0 });
  await assert.rejects(timed, (error) => error instanceof OpenAI.APIConnectionTimeoutError);
  await eventually(() => dispatcher.aborted === 2);
});

test('400, 401, 404 and what must not be tried again', async () => {
  const ask = (story, fields = {}) =>
    setUp(story).openai.chat.completions.create({ model: 'tiny', messages, ...fields });
  await assert.rejects(ask('whole', { temperature: 9 }), (error) => {
    assert.ok(error instanceof BadRequestError);
    assert.deepEqual([error.param, error.code], ['temperature', 'invalid_value']);
    return true;
  });
  await assert.rejects(ask('unauthorised'), AuthenticationError);
  await assert.rejects(ask('whole', { model: 'gpt' }), OpenAI.NotFoundError);
  const { openai, dispatcher } = setUp('no_endpoint');
  await assert.rejects(openai.chat.completions.create({ model: 'tiny', messages }), (error) => {
    assert.deepEqual([error.status, error.code], [503, 'no_endpoint']);
    return true;
  });
  assert.equal(dispatcher.requests.length, 1);
});

test('429 reaches the client with its time, and is not tried again: the policy has done so', async () => {
  const { openai, dispatcher } = setUp('rate_limited', 'whole');
  await assert.rejects(openai.chat.completions.create({ model: 'tiny', messages }), (error) => {
    assert.ok(error instanceof RateLimitError);
    assert.equal(error.headers.get('retry-after'), '1');
    assert.equal(error.headers.get('x-should-retry'), 'false');
    return true;
  });
  assert.equal(dispatcher.requests.length, 1);
});

test('a failure in mid-stream is an error, after the text that came before', async () => {
  const { openai, dispatcher } = setUp('broken');
  const stream = await openai.chat.completions.create({ model: 'tiny', messages, stream: true });
  let seen = '';
  const reading = (async () => {
    for await (const chunk of stream) seen += chunk.choices[0].delta.content;
  })();
  await assert.rejects(reading, (error) => {
    assert.ok(error instanceof APIError);
    assert.deepEqual([error.code, error.type], ['device_lost', 'server_error']);
    return true;
  });
  assert.equal(seen, 'half of an answer');
  assert.equal(dispatcher.requests.length, 1);
});

test('models are listed', async () => {
  const { openai } = setUp('whole');
  const names = [];
  for await (const model of openai.models.list()) names.push(model.id);
  assert.deepEqual(names, ['tiny']);
  assert.equal((await openai.models.retrieve('tiny')).owned_by, 'inshore');
});
