import { describe, expect, test } from 'vitest';
import { InvalidRequestError } from './errors';
import { checkChatRequest } from './request';

const user = { role: 'user', content: 'hi' };
const check = (fields: object) => checkChatRequest({ messages: [user], ...fields }, 'tiny');
const refusalOf = (body: unknown): { code: string; param: string | null } => {
  try {
    checkChatRequest(body, 'tiny');
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    expect(error.message).toMatch(/^[A-Za-z].*\.$/);
    return { code: error.code, param: error.param };
  }
  throw new Error('the body was not refused');
};

test('fields reach the request', () => {
  const { checked, stream, includeUsage, logprobs } = check({
    model: 'tiny',
    max_tokens: 7,
    temperature: 0,
    top_p: 0.5,
    top_k: 3,
    min_p: 0.1,
    repetition_penalty: 1.5,
    seed: -1,
    stop: 'x',
    frequency_penalty: -2,
    presence_penalty: 2,
    logprobs: true,
    top_logprobs: 5,
    stream: true,
    stream_options: { include_usage: true },
    inshore: {
      privacy: 'local_only',
      mode: 'auto',
      deadline_ms: 500,
      conversation: 'c',
      accept_replace: true,
    },
    user: 'ignored',
    reasoning_effort: 'low',
  });
  expect({ stream, includeUsage, logprobs }).toEqual({ stream: true, includeUsage: true, logprobs: true });
  expect(checked).toMatchObject({
    messages: [user],
    maxTokens: 7,
    temperature: 0,
    topP: 0.5,
    topK: 3,
    minP: 0.1,
    repetitionPenalty: 1.5,
    seed: -1,
    stop: ['x'],
    frequencyPenalty: -2,
    presencePenalty: 2,
    topLogprobs: 5,
    extension: {
      privacy: 'local_only',
      mode: 'auto',
      deadline_ms: 500,
      conversation: 'c',
      accept_replace: true,
    },
    localLacks: [],
  });
  // Unknown fields pass through to a cloud leg; the extension is for us alone.
  expect(checked.body).toMatchObject({ user: 'ignored', reasoning_effort: 'low', messages: [user] });
  expect(checked.body).not.toHaveProperty('inshore');
});

test('what is absent or null is left to the engine', () => {
  const absent = check({}).checked;
  const names = [
    'max_tokens',
    'max_completion_tokens',
    'temperature',
    'top_p',
    'seed',
    'stop',
    'n',
    'logprobs',
  ];
  const more = ['top_logprobs', 'stream', 'stream_options', 'tools', 'response_format', 'inshore', 'model'];
  const nulls = check(Object.fromEntries([...names, ...more].map((name) => [name, null]))).checked;
  for (const { body: _, ...fields } of [absent, nulls]) {
    expect(fields).toEqual({ messages: [user], stop: [], extension: {}, localLacks: [] });
  }
});

test('max_completion_tokens goes before max_tokens, and logprobs without a number means none beside the token', () => {
  expect(check({ max_tokens: 7, max_completion_tokens: 9 }).checked.maxTokens).toBe(9);
  expect(check({ logprobs: true }).checked.topLogprobs).toBe(0);
  expect(check({ logprobs: false, top_logprobs: 0 }).checked.topLogprobs).toBeUndefined();
});

test('messages: developer is system, parts are joined, an assistant may be silent', () => {
  const messages = [
    { role: 'developer', content: 'be brief' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
    },
    { role: 'assistant', content: null },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
    user,
  ];
  const { checked } = check({ messages });
  expect(checked.messages.map(({ role, content }) => `${role}:${content}`)).toEqual([
    'system:be brief',
    'user:ab',
    'assistant:',
    'assistant:no',
    'user:hi',
  ]);
  expect(checked.localLacks).toEqual([]);
});

describe('what the engine here lacks is named, not refused', () => {
  test.each([
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }],
    ['tools', { functions: [{ name: 'f' }] }],
    ['tools', { messages: [user, { role: 'tool', tool_call_id: '1', content: 'x' }] }],
    ['tools', { messages: [{ role: 'assistant', content: null, tool_calls: [{ id: '1' }] }, user] }],
    ['logit_bias', { logit_bias: { 5: -100 } }],
    ['response_format', { response_format: { type: 'json_object' } }],
    ['audio', { audio: { voice: 'x', format: 'wav' } }],
    ['web_search', { web_search_options: {} }],
    ['images', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }],
    ['audio', { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] }],
    ['files', { messages: [{ role: 'user', content: [{ type: 'file', file: {} }] }] }],
    ['prefix', { messages: [user, { role: 'assistant', content: 'He', prefix: true }] }],
  ])('%s', (lack, fields) => {
    expect(check(fields).checked.localLacks).toEqual([lack]);
  });

  test('empty ones count as absent', () => {
    const fields = { tools: [], logit_bias: {}, response_format: { type: 'text' }, functions: [] };
    expect(check(fields).checked.localLacks).toEqual([]);
  });
});

describe('wrong bodies', () => {
  test.each([[null], [undefined], [7], ['text'], [[]], [true]])('%j is no body', (body) => {
    expect(refusalOf(body)).toEqual({ code: 'invalid_body', param: null });
  });

  const cyclic: Record<string, unknown> = { messages: [user] };
  cyclic.self = cyclic;
  test.each([
    ['a cycle', cyclic],
    ['a bigint', { messages: [user], metadata: { n: 1n } }],
  ])('%s is no JSON', (_, body) => {
    expect(refusalOf(body)).toEqual({ code: 'invalid_body', param: null });
  });

  const content = (value: unknown) => ({ messages: [{ role: 'user', content: value }] });
  test.each<[string, object]>([
    ['messages', { messages: undefined }],
    ['messages', { messages: [] }],
    ['messages', { messages: { 0: user } }],
    ['messages[1]', { messages: [user, 'hi'] }],
    ['messages[0].role', { messages: [{ role: 'king', content: '' }] }],
    ['messages[0].role', { messages: [{ role: 'toString', content: '' }] }],
    ['messages[0].role', { messages: [{ content: '' }] }],
    ['messages[0].content', content(undefined)],
    ['messages[0].content', content(null)],
    ['messages[0].content', content(7)],
    ['messages[0].content[0]', content(['hi'])],
    ['messages[0].content[0].text', content([{ type: 'text', text: 7 }])],
    ['messages[0].content[0].type', content([{ type: 'smell' }])],
    ['messages[0].content[0].type', content([{ type: 'constructor' }])],
    ['model', { model: 7 }],
    ['temperature', { temperature: 2.01 }],
    ['temperature', { temperature: -1 }],
    ['temperature', { temperature: '1' }],
    ['temperature', { temperature: Number.NaN }],
    ['top_p', { top_p: 1.1 }],
    ['top_k', { top_k: 1.5 }],
    ['min_p', { min_p: -0.1 }],
    ['repetition_penalty', { repetition_penalty: 0 }],
    ['frequency_penalty', { frequency_penalty: 2.1 }],
    ['presence_penalty', { presence_penalty: -2.1 }],
    ['max_tokens', { max_tokens: 0 }],
    ['max_tokens', { max_tokens: 1.5, max_completion_tokens: 5 }],
    ['max_completion_tokens', { max_completion_tokens: '5' }],
    ['n', { n: 0 }],
    ['seed', { seed: 0.5 }],
    ['seed', { seed: 2 ** 60 }],
    ['stop', { stop: '' }],
    ['stop', { stop: ['a', ''] }],
    ['stop', { stop: [7] }],
    ['stop', { stop: Array.from({ length: 17 }, () => 'x') }],
    ['stream', { stream: 'yes' }],
    ['stream_options', { stream_options: { include_usage: true } }],
    ['stream_options', { stream: true, stream_options: [] }],
    ['include_usage', { stream: true, stream_options: { include_usage: 1 } }],
    ['logprobs', { logprobs: 5 }],
    ['top_logprobs', { top_logprobs: 3 }],
    ['top_logprobs', { logprobs: true, top_logprobs: 21 }],
    ['response_format', { response_format: 'json' }],
    ['inshore', { inshore: 'local_only' }],
    ['inshore.privacy', { inshore: { privacy: 'secret' } }],
    // A misspelt label must not become a missing one.
    ['inshore.privcy', { inshore: { privcy: 'local_only' } }],
    ['inshore.mode', { inshore: { mode: 'fast' } }],
    ['inshore.deadline_ms', { inshore: { deadline_ms: 0 } }],
    ['inshore.deadline_ms', { inshore: { deadline_ms: Number.NaN } }],
    ['inshore.conversation', { inshore: { conversation: '' } }],
    ['inshore.accept_replace', { inshore: { accept_replace: 'yes' } }],
  ])('%s in %j', (param, fields) => {
    expect(refusalOf({ messages: [user], ...fields })).toEqual({ code: 'invalid_value', param });
  });

  test('more than one answer, and another model', () => {
    expect(refusalOf({ messages: [user], n: 2 })).toEqual({ code: 'unsupported_value', param: 'n' });
    expect(refusalOf({ messages: [user], model: 'gpt' })).toEqual({
      code: 'model_not_found',
      param: 'model',
    });
  });
});

test('sixteen stops are taken', () => {
  const stop = Array.from({ length: 16 }, (_, index) => `s${index}`);
  expect(check({ stop }).checked.stop).toEqual(stop);
});

test('the body is a copy: the caller may change its own', () => {
  const messages = [{ role: 'user', content: 'hi' }];
  const { checked } = check({ messages });
  messages.push({ role: 'user', content: 'later' });
  expect(checked.body.messages).toEqual([user]);
  expect(checked.messages).toEqual([user]);
});
