import { describe, expect, test } from 'vitest';
import { InshoreError } from '../error';
import type { AnswerEvent } from '../sdk/contract';
import { ChatStream, createChatCompletions } from './chat';
import {
  answer,
  delta,
  end,
  report,
  ScriptedDispatcher,
  type Step,
  span,
  usage,
} from './scripted-dispatcher.testing';
import type { ChatCompletionChunk } from './shapes';

const messages = [{ role: 'user', content: 'hi' }];
const chatOf = (steps: readonly Step[]) => {
  const dispatcher = new ScriptedDispatcher(steps);
  return { dispatcher, create: createChatCompletions(dispatcher, 'tiny').completions.create };
};
const collect = async (chunks: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> => {
  const found: ChatCompletionChunk[] = [];
  for await (const chunk of chunks) found.push(chunk);
  return found;
};
const textOf = (chunks: ChatCompletionChunk[]): string =>
  chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
const replace: AnswerEvent = { type: 'replace', source: 'in_cloud', reason: 'stalled' };
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (InshoreError.is(error) ? error.code : String(error)),
  );

describe('what models in the cloud say beside the answer', () => {
  const steps: Step[] = [
    span,
    { type: 'delta', text: '', source: 'in_cloud', tokens: 0, reasoning: 'Hm. ' },
    { type: 'delta', text: '', source: 'in_cloud', tokens: 0, reasoning: 'So.' },
    { type: 'delta', text: '', source: 'in_cloud', tokens: 2, refusal: 'I will not.' },
    end(),
  ];

  test('is in its own fields of a stream', async () => {
    const chunks = await collect((await chatOf(steps).create({ messages, stream: true })) as ChatStream);
    const deltas = chunks.map((chunk) => chunk.choices[0]?.delta);
    expect(textOf(chunks)).toBe('');
    expect(deltas.map((found) => found?.reasoning_content ?? '').join('')).toBe('Hm. So.');
    expect(deltas.map((found) => found?.refusal ?? '').join('')).toBe('I will not.');
    expect(deltas.slice(1, 4).every((found) => found?.content === undefined)).toBe(true);
  });

  test('is in its own fields of a whole answer, and void after a replacement', async () => {
    const message = async (list: Step[]) => (await chatOf(list).create({ messages })).choices[0]?.message;
    expect(await message(steps)).toEqual({
      role: 'assistant',
      content: null,
      refusal: 'I will not.',
      reasoning_content: 'Hm. So.',
    });
    expect(await message([...steps.slice(0, 4), replace, delta('Yes.'), end()])).toEqual({
      role: 'assistant',
      content: 'Yes.',
      refusal: null,
    });
  });
});

describe('a whole answer', () => {
  test('has the shape of OpenAI and the report', async () => {
    const { create, dispatcher } = chatOf([
      span,
      delta('Hel', { logprob: -0.5 }),
      delta('lo', { logprob: -1 }),
      end('length'),
    ]);
    const completion = await create({ messages, logprobs: true });
    expect(completion).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.closeTo(Date.now() / 1000, -1),
      model: 'tiny',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: {
            content: [
              { token: 'Hel', logprob: -0.5, bytes: [72, 101, 108], top_logprobs: [] },
              { token: 'lo', logprob: -1, bytes: [108, 111], top_logprobs: [] },
            ],
            refusal: null,
          },
          finish_reason: 'length',
        },
      ],
      usage,
      inshore: report,
    });
    expect(dispatcher.closed).toBe(1);
  });

  test('holds nothing of what was replaced', async () => {
    const { create } = chatOf([span, delta('wrong'), replace, delta('right'), end()]);
    expect((await create({ messages })).choices[0]?.message.content).toBe('right');
  });

  test('joins the pieces of tool calls', async () => {
    const piece = (index: number, more: object): AnswerEvent => ({
      type: 'delta',
      text: '',
      source: 'in_cloud',
      toolCalls: [{ index, ...more }],
    });
    const { create } = chatOf([
      span,
      piece(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x"' } }),
      piece(0, { function: { arguments: ':1}' } }),
      piece(2, { id: 'b', function: { name: 'g', arguments: '{}' } }),
      end('tool_calls'),
    ]);
    const choice = (await create({ messages, tools: [{}] })).choices[0];
    expect(choice?.finish_reason).toBe('tool_calls');
    expect(choice?.message).toEqual({
      role: 'assistant',
      content: null,
      refusal: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
        { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
      ],
    });
    const wild = chatOf([span, piece(2 ** 31, {}), end()]);
    expect(await codeOf(wild.create({ messages }))).toBe('protocol');
  });

  test('is not an answer when its end is missing', async () => {
    expect(await codeOf(chatOf([span, delta('half')]).create({ messages }))).toBe('internal');
  });
});

describe('a stream', () => {
  test('has role, text, end and counts, and names its stretches', async () => {
    const { create, dispatcher } = chatOf([
      span,
      delta('a', { logprob: -2 }),
      delta(''),
      { type: 'span', source: 'in_cloud', reason: 'stalled' },
      delta('b'),
      delta('c'),
      end(),
    ]);
    const stream = await create({
      messages,
      stream: true,
      logprobs: true,
      stream_options: { include_usage: true },
    });
    expect(stream).toBeInstanceOf(ChatStream);
    const chunks = await collect(stream);
    const { id, created } = chunks[0] ?? {};
    const heading = { id, object: 'chat.completion.chunk', created, model: 'tiny' };
    const chunk = (delta: object, more: object = {}) => ({
      ...heading,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
      usage: null,
    });
    const logprobs = { content: [{ token: 'a', logprob: -2, bytes: [97], top_logprobs: [] }], refusal: null };
    expect(chunks).toEqual([
      { ...chunk({ role: 'assistant', content: '' }), inshore: { source: 'on_device', reason: 'meets_slo' } },
      chunk({ content: 'a' }, { logprobs }),
      { ...chunk({ content: 'b' }), inshore: { source: 'in_cloud', reason: 'stalled' } },
      chunk({ content: 'c' }),
      { ...chunk({}, { finish_reason: 'stop' }), inshore: report },
      { ...heading, choices: [], usage },
    ]);
    expect(dispatcher).toMatchObject({ aborted: 0, closed: 1 });
  });

  test('has no counts unless they are wanted, and no log-probabilities either', async () => {
    const { create } = chatOf([span, delta('a', { logprob: -1 }), end()]);
    const chunks = await collect(await create({ messages, stream: true }));
    expect(chunks.some((chunk) => 'usage' in chunk)).toBe(false);
    expect(chunks.every((chunk) => chunk.choices[0]?.logprobs === null)).toBe(true);
  });

  test('shows one replacement, and none where nothing was shown', async () => {
    const { create } = chatOf([span, delta('old'), replace, delta('new'), end()]);
    const chunks = await collect(await create({ messages, stream: true }));
    const at = chunks.findIndex((chunk) => chunk.inshore && 'replace' in chunk.inshore);
    expect(chunks[at]?.inshore).toEqual({ replace: true, source: 'in_cloud', reason: 'stalled' });
    expect(textOf(chunks.slice(0, at))).toBe('old');
    expect(textOf(chunks.slice(at))).toBe('new');
    const unseen = chatOf([span, replace, delta('new'), end()]);
    const quiet = await collect(await unseen.create({ messages, stream: true }));
    expect(quiet[0]?.inshore).toEqual({ source: 'in_cloud', reason: 'stalled' });
    expect(JSON.stringify(quiet)).not.toContain('replace');
  });

  test('fails at a replacement where the caller does not know them', async () => {
    const { create, dispatcher } = chatOf([span, delta('old'), replace, delta('new'), end()]);
    const stream = await create({ messages, stream: true, inshore: { accept_replace: false } });
    expect(await codeOf(collect(stream))).toBe('answer_replaced');
    expect(dispatcher).toMatchObject({ aborted: 1, closed: 1 });
  });

  test('passes tool calls on', async () => {
    const toolCalls = [{ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }];
    const { create } = chatOf([
      span,
      { type: 'delta', text: '', source: 'in_cloud', toolCalls },
      end('tool_calls'),
    ]);
    const chunks = await collect(await create({ messages, stream: true, tools: [{}] }));
    expect(chunks[1]?.choices[0]?.delta).toEqual({ tool_calls: toolCalls });
    expect(chunks[2]?.choices[0]?.finish_reason).toBe('tool_calls');
  });

  test('throws in the loop what happens after the first token, and rejects with what happens before', async () => {
    const lost = new InshoreError('device_lost', 'The GPU is gone.');
    const late = chatOf([span, delta('a'), lost]);
    expect(await codeOf(collect(await late.create({ messages, stream: true })))).toBe('device_lost');
    const early = chatOf([span, lost]);
    expect(await codeOf(early.create({ messages, stream: true }))).toBe('device_lost');
  });

  test('without its end is an error', async () => {
    const { create } = chatOf([span, delta('half')]);
    expect(await codeOf(collect(await create({ messages, stream: true })))).toBe('internal');
  });
});

describe('ending early', () => {
  test('break ends the generation', async () => {
    const { create, dispatcher } = chatOf([span, delta('a'), delta('b'), 'hang']);
    for await (const chunk of await create({ messages, stream: true })) {
      if (chunk.choices[0]?.delta.content === 'b') break;
    }
    expect(dispatcher).toMatchObject({ aborted: 1, closed: 1 });
  });

  test('controller.abort() ends it from outside the loop', async () => {
    const { create, dispatcher } = chatOf([span, delta('a'), 'hang']);
    const stream = await create({ messages, stream: true });
    setTimeout(() => stream.controller.abort(), 5);
    expect(await codeOf(collect(stream))).toBe('cancelled');
    expect(dispatcher.aborted).toBe(1);
  });

  test.each([true, false])('a signal ends it (stream: %s)', async (stream) => {
    const { create, dispatcher } = chatOf([span, delta('a'), 'hang']);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 5);
    const whole = create({ messages, stream }, { signal: abort.signal }).then(
      (result): Promise<unknown> | object => (result instanceof ChatStream ? collect(result) : result),
    );
    expect(await codeOf(whole)).toBe('cancelled');
    expect(dispatcher.aborted).toBe(1);
  });

  test('a signal that has fired before starts nothing', async () => {
    const { create, dispatcher } = chatOf(answer('a'));
    const signal = AbortSignal.abort(new Error('why'));
    const error = await create({ messages }, { signal }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'cancelled', cause: new Error('why') });
    expect(dispatcher.requests).toEqual([]);
  });
});
