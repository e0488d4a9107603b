import { describe, expect, test } from 'vitest';
import { writeJsonBody } from '../protocol/json-body';
import { bodyOf, type RequestCase, requestCases } from '../protocol/requests.testing';
import { InvalidRequestError, toHttpError } from './errors';
import { type ChatRequest, checkChatRequest } from './request';
import { readBody } from './request-body';

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

const cyclic = (): object => {
  const body: Record<string, unknown> = { messages: [user] };
  body.self = body;
  return body;
};
/** What a request was understood as, in the words of the table. */
function understood({ checked, stream, includeUsage }: ChatRequest): Record<string, unknown> {
  return {
    messages: checked.messages.map(({ role, content }) => [role, content]),
    stream,
    include_usage: includeUsage,
    max_tokens: checked.maxTokens ?? null,
    stop: checked.stop,
    top_logprobs: checked.topLogprobs ?? null,
    temperature: checked.temperature ?? null,
    top_p: checked.topP ?? null,
    top_k: checked.topK ?? null,
    frequency_penalty: checked.frequencyPenalty ?? null,
    seed: asUnsigned(checked.seed),
  };
}
const asUnsigned = (seed: number | bigint | undefined): string | null =>
  seed === undefined ? null : String(BigInt.asUintN(64, BigInt(seed)));

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

describe('the table of bodies', () => {
  /** As `fetch` reads it. */
  const read = async (row: RequestCase) => {
    const body = bodyOf(row) as Uint8Array<ArrayBuffer>;
    const request = new Request('http://page.invalid/', { method: 'POST', body });
    return checkChatRequest(await readBody(request, undefined), 'tiny');
  };

  test.each(requestCases().map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const expected = row.page ?? row.expect;
    const outcome = await read(row).catch((error: unknown) => error);
    if (expected !== 'accept') {
      const { status, body } = toHttpError(outcome);
      expect({ status, code: body.error.code, param: body.error.param }).toEqual(expected);
      expect(body.error.message).toMatch(/^[A-Za-z].*\.$/s);
      return;
    }
    if (outcome instanceof Error) throw outcome;
    const request = outcome as ChatRequest;
    expect(request.checked.localLacks.sort()).toEqual(row.local_lacks ?? []);
    // A page neither goes on from others' tokens nor reads a prefix: it passes both on or refuses them.
    const { prefix: _prefix, continue_ids: _ids, ...expectedFields } = row.normalised ?? {};
    expect(understood(request)).toMatchObject(expectedFields);
  });
});

describe('wrong bodies', () => {
  test.each([
    ['a bigint', { messages: [user], metadata: { n: 1n } }],
    ['a cycle', cyclic()],
  ])('%s is not JSON', (_, body) => {
    expect(refusalOf(body)).toEqual({ code: 'invalid_body', param: null });
  });

  test('an object of JavaScript with numbers that no JSON has', () => {
    for (const fields of [{ seed: Number.NaN }, { seed: 2 ** 65 }, { seed: 0.5 }])
      expect(refusalOf({ messages: [user], ...fields })).toEqual({ code: 'invalid_value', param: 'seed' });
    expect(refusalOf({ messages: [user], inshore: { deadline_ms: Number.NaN } }).param).toBe(
      'inshore.deadline_ms',
    );
  });
});

test('a seed beyond 2^53 keeps its digits on the way to the engine and to an endpoint', () => {
  for (const [given, seed] of [
    [2 ** 60, 2n ** 60n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
    [-(2n ** 63n), -(2n ** 63n)],
    [-1, -1],
  ] as const) {
    const { checked } = check({ seed: given });
    expect(checked.seed).toBe(seed);
    expect(writeJsonBody(checked.body)).toContain(`"seed":${seed}`);
  }
});

test('half a surrogate pair leaves the page for nowhere', () => {
  const { checked } = check({ messages: [{ role: 'user', content: 'a\ud83d' }], user: '\udc00' });
  expect(checked.messages[0]?.content).toBe('a\ufffd');
  expect(checked.body).toMatchObject({ messages: [{ content: 'a\ufffd' }], user: '\ufffd' });
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
