// The official clients, unmodified and bundled as an application's own, on the real SDK: the engine on WASM SIMD in
// Chromium, and an endpoint over real HTTP for what only a cloud does.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startCloud } from '../frameworks/lib/cloud.mjs';
import { buildPage } from '../frameworks/lib/page.mjs';
import { launch } from './lib/chromium.mjs';
import { serveBinary } from './lib/site.mjs';

const QUESTION = 'Name the three primary colours.';
const messages = [{ role: 'user', content: QUESTION }];
const greedy = { model: 'inshore', messages, temperature: 0, max_tokens: 12, seed: 1 };
const afar = { ...greedy, inshore: { mode: 'only_in_cloud' } };
const label = { inshore: { privacy: 'local_only' } };

let site;
let cloud;
let context;
let page;
/** What the engine answers to `greedy`. */
let expected;
const problems = [];

/** Calls a function of the page's. */
const call = (name, ...args) =>
  page.evaluate(([name, args]) => window.frameworks[name](...args), [name, args]);
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

before(async () => {
  cloud = await startCloud();
  site = await serveBinary({ web: await buildPage() });
  context = await launch('plain');
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) problems.push(message.text());
  });
  await page.goto(site.url);
  await page.waitForFunction(() => window.frameworks !== undefined);
  const started = await call('start', {
    device: 'cpu',
    mode: 'only_on_device',
    contextTokens: 512,
    // The tests fail the endpoint on purpose, more often in a row than it would be asked.
    policy: { breaker_failures: 100 },
    cloud: { baseURL: cloud.baseURL, model: 'big' },
  });
  assert.equal(started, 'available', JSON.stringify(started));
});

after(async () => {
  await context?.close();
  await Promise.all([site?.close(), cloud?.close()]);
});

test('openai: a whole answer from the device, with usage, log-probabilities and our report', async () => {
  const completion = await call('openai', { ...greedy, logprobs: true, ...label });
  const [choice] = completion.choices ?? assert.fail(JSON.stringify(completion));
  expected = choice.message.content;
  assert.match(expected, /\w/);
  assert.equal(choice.finish_reason, 'length');
  assert.equal(completion.usage.completion_tokens, 12);
  assert.ok(completion.usage.prompt_tokens > 8);
  assert.equal(choice.logprobs.content.length, 12);
  assert.equal(choice.logprobs.content.map(({ token }) => token).join(''), expected);
  for (const { logprob, bytes } of choice.logprobs.content) assert.ok(logprob <= 0 && bytes.length > 0);
  assert.equal(completion.inshore.source, 'on_device');
  assert.equal(completion.inshore.spans[0].tokens, 12);
});

test('openai: alternatives of a token', async () => {
  const { choices } = await call('openai', { ...greedy, max_tokens: 2, logprobs: true, top_logprobs: 2 });
  for (const { token, logprob, top_logprobs } of choices[0].logprobs.content) {
    // Greedy: nothing was more likely.
    assert.deepEqual(
      [top_logprobs.length, top_logprobs[0].token, top_logprobs[0].logprob],
      [2, token, logprob],
    );
  }
});

test('openai: the stream is the same answer', async () => {
  const { chunks, failed } = await call('openaiStream', {
    ...greedy,
    stream_options: { include_usage: true },
  });
  assert.equal(failed, undefined);
  assert.equal(textOf(chunks), expected);
  assert.deepEqual(chunks[0].inshore.source, 'on_device');
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'length');
  assert.equal(chunks.at(-2).inshore.spans.length, 1);
  assert.equal(chunks.at(-1).usage.completion_tokens, 12);
});

test('AI SDK: generateText and streamText give the same answer, with usage', async () => {
  const options = { prompt: QUESTION, temperature: 0, maxOutputTokens: 12, seed: 1 };
  const whole = await call('generateText', { ...options, providerOptions: { inshore: label } });
  const streamed = await call('streamText', options);
  for (const result of [whole, streamed]) {
    assert.equal(result.text, expected, JSON.stringify(result));
    assert.equal(result.finishReason, 'length');
    assert.equal(result.usage.outputTokens, 12);
  }
});

test('LangChain: the stream is the same answer, with usage', async () => {
  const { text, usage, failed } = await call('langchain', QUESTION, { temperature: 0, maxTokens: 12 });
  assert.equal(text, expected, JSON.stringify(failed));
  assert.equal(usage.output_tokens, 12);
});

test('the Prompt API’s wrapper answers, and can be left', async () => {
  const { pieces, usage, failed } = await call('languageModel', 'Be brief.', QUESTION, 3);
  assert.equal(failed, undefined);
  assert.equal(pieces.length, 3);
  assert.ok(usage > 0);
});

test('abort in mid-stream frees the engine at once', async () => {
  const timed = async (max_tokens) => {
    const completion = await call('openai', { ...greedy, max_tokens });
    assert.equal(completion.usage?.completion_tokens, max_tokens, JSON.stringify(completion));
    return completion.inshore.timings;
  };
  const { decodeTps } = await timed(12);
  for (const by of ['break', 'controller']) {
    const { chunks, failed } = await call('openaiStream', { ...greedy, max_tokens: 400 }, { limit: 4, by });
    assert.equal(failed, undefined);
    assert.equal(chunks.length, 4);
    assert.equal(chunks.at(-1).choices[0].finish_reason, null);
    // Were the other tokens still being made, the next answer would wait for nearly all of them. Relative to this
    // machine at this moment: it may be busy.
    const { totalMs } = await timed(1);
    const othersMs = (396 / decodeTps) * 1000;
    assert.ok(
      totalMs < othersMs / 3,
      `${totalMs} ms for one token; the aborted ones would take ${othersMs} ms`,
    );
  }
});

test('refusals have status, code and field', async () => {
  const cases = [
    [
      { temperature: 9 },
      { kind: 'BadRequestError', status: 400, code: 'invalid_value', param: 'temperature' },
    ],
    [{ model: 'gpt' }, { kind: 'NotFoundError', status: 404, code: 'model_not_found' }],
    [
      { tools: [{ type: 'function', function: { name: 'tide' } }] },
      { kind: 'UnprocessableEntityError', status: 422, code: 'unsupported_feature' },
    ],
    [
      { messages: [{ role: 'user', content: 'word '.repeat(2000) }] },
      { kind: 'BadRequestError', status: 400, code: 'context_length_exceeded' },
    ],
  ];
  for (const [fields, error] of cases) {
    const whole = await call('openai', { ...greedy, ...fields });
    const names = Object.keys(error);
    const shown = (failed) => Object.fromEntries(names.map((name) => [name, failed?.[name]]));
    assert.deepEqual(shown(whole.failed), error, JSON.stringify(whole));
    const streamed = await call('openaiStream', { ...greedy, ...fields });
    assert.deepEqual(shown(streamed.failed), error);
    assert.equal(streamed.chunks, undefined);
  }
});

test('nothing of all this left the device', () => {
  assert.deepEqual(cloud.requests, []);
});

test('the cloud’s answer comes through the same clients', async () => {
  cloud.course = 'whole';
  const { chunks } = await call('openaiStream', { ...afar, stream_options: { include_usage: true } });
  assert.equal(textOf(chunks), 'From afar.');
  assert.equal(chunks[0].inshore.source, 'in_cloud');
  assert.equal(chunks.at(-1).usage.completion_tokens, 4);
  assert.equal(cloud.requests.length, 1);
  assert.equal(cloud.requests[0].inshore, undefined);
});

test('tool calls of the cloud come through', async () => {
  cloud.course = 'tool_calls';
  const tools = [
    { type: 'function', function: { name: 'tide', parameters: { type: 'object', properties: {} } } },
  ];
  const completion = await call('openai', { ...afar, tools });
  const [choice] = completion.choices ?? assert.fail(JSON.stringify(completion));
  assert.equal(choice.finish_reason, 'tool_calls');
  assert.deepEqual(choice.message.tool_calls[0].function, { name: 'tide', arguments: '{"port":"Dover"}' });
  assert.deepEqual(cloud.requests.at(-1).tools, tools);
});

test('refusals of the cloud keep their meaning', async () => {
  cloud.course = 'unauthorised';
  const denied = await call('openai', afar);
  assert.equal(denied.failed?.kind, 'AuthenticationError', JSON.stringify(denied));
  cloud.course = 'rate_limited';
  const limited = await call('openaiStream', afar);
  assert.equal(limited.failed?.kind, 'RateLimitError', JSON.stringify(limited));
});

test('an answer that is cut off is an error in every client, never a whole answer', async () => {
  cloud.course = 'cut';
  const { chunks, failed } = await call('openaiStream', afar);
  assert.equal(textOf(chunks), 'From af');
  assert.equal(chunks.at(-1).choices[0].finish_reason, null);
  assert.equal(failed?.kind, 'APIError');
  const whole = await call('openai', afar);
  assert.equal(whole.failed?.status, 502, JSON.stringify(whole));
  const result = await call('streamText', {
    prompt: QUESTION,
    providerOptions: { inshore: { inshore: afar.inshore } },
  });
  assert.equal(result.text, 'From af');
  assert.equal(result.errors?.length, 1);
});

test('the page’s security policy held, and nothing failed unseen', () => {
  assert.deepEqual(problems, []);
});
