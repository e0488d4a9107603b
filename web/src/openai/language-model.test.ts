import { describe, expect, test } from 'vitest';
import { InshoreError } from '../error';
import type { CheckedRequest, Progress } from '../sdk/contract';
import { createChatCompletions } from './chat';
import { createLanguageModel, type LanguageModelHost } from './language-model';
import { answer, delta, end, ScriptedDispatcher, type Step, span } from './scripted-dispatcher.testing';

type Script = readonly Step[] | ((request: CheckedRequest) => readonly Step[]);
const setUp = (script: Script, host: Partial<LanguageModelHost> = {}) => {
  const dispatcher = new ScriptedDispatcher(script);
  const model = createLanguageModel(createChatCompletions(dispatcher, 'tiny'), {
    availability: () => 'available',
    download: async () => {},
    ...host,
  });
  return { dispatcher, model };
};
const collect = async (stream: ReadableStream<string>): Promise<string[]> => {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
};
const named = (name: string) => expect.objectContaining({ name });

describe('create', () => {
  test('downloads what is missing and reports it from 0 to 1', async () => {
    let downloads = 0;
    const progress = (phase: Progress['phase'], doneBytes: number): Progress => ({
      phase,
      doneBytes,
      totalBytes: 4,
    });
    const { model } = setUp(answer('x'), {
      availability: () => 'downloadable',
      download: async ({ onProgress }) => {
        downloads += 1;
        for (const done of [1, 3, 2, 4]) onProgress?.(progress('downloading', done));
        onProgress?.(progress('verifying', 1));
      },
    });
    const loaded: number[] = [];
    await model.create({
      monitor: (monitor) =>
        monitor.addEventListener('downloadprogress', (event) => loaded.push((event as ProgressEvent).loaded)),
    });
    expect(downloads).toBe(1);
    expect(loaded).toEqual([0, 0.25, 0.75, 1]);
  });

  test.each(['downloadable', 'downloading', 'unavailable'] as const)(
    'an endpoint that may answer makes a %s device no matter',
    async (availability) => {
      const downloads: unknown[] = [];
      const { model, dispatcher } = setUp(answer('from the cloud'), {
        availability: () => availability,
        cloudMayAnswer: () => true,
        download: async (options) => downloads.push(options),
      });
      expect(await model.availability()).toBe('available');
      const loaded: number[] = [];
      const session = await model.create({
        monitor: (monitor) =>
          monitor.addEventListener('downloadprogress', (event) =>
            loaded.push((event as ProgressEvent).loaded),
          ),
      });
      expect(await session.prompt('hi')).toBe('from the cloud');
      expect([downloads, loaded, dispatcher.requests.length]).toEqual([[], [0, 1], 1]);
    },
  );

  test('an endpoint that may not answer does not count', async () => {
    const { model } = setUp([], { availability: () => 'unavailable', cloudMayAnswer: () => false });
    expect(await model.availability()).toBe('unavailable');
    await expect(model.create()).rejects.toEqual(named('NotSupportedError'));
  });

  test('an abort while the device is looked at counts', async () => {
    const controller = new AbortController();
    const { model } = setUp([], {
      availability: async () => {
        controller.abort();
        return 'downloadable' as const;
      },
      download: async () => expect.unreachable(),
    });
    await expect(model.create({ signal: controller.signal })).rejects.toEqual(named('AbortError'));
  });

  test('refuses what it cannot do', async () => {
    const { model } = setUp([], { availability: () => 'unavailable' });
    await expect(model.create()).rejects.toEqual(named('NotSupportedError'));
    const able = setUp([]).model;
    expect(await able.availability()).toBe('available');
    const image = { expectedInputs: [{ type: 'image' }] };
    expect(await able.availability(image)).toBe('unavailable');
    await expect(able.create(image)).rejects.toEqual(named('NotSupportedError'));
    await expect(able.create({ tools: [{}] })).rejects.toEqual(named('NotSupportedError'));
    await expect(able.create({ temperature: -1 })).rejects.toThrow(RangeError);
    await expect(able.create({ topK: 0 })).rejects.toThrow(RangeError);
    await expect(able.create({ signal: AbortSignal.abort() })).rejects.toEqual(named('AbortError'));
    const late = { role: 'system', content: 'x' } as const;
    await expect(able.create({ initialPrompts: [{ role: 'user', content: 'a' }, late] })).rejects.toThrow(
      TypeError,
    );
  });
});

describe('a session', () => {
  test('remembers the conversation and counts it', async () => {
    const { model, dispatcher } = setUp(answer('Hel', 'lo'));
    const session = await model.create({
      initialPrompts: [{ role: 'system', content: 'be brief' }],
      temperature: 0.5,
      topK: 3,
    });
    const before = session.contextUsage;
    expect(before).toBeGreaterThan(0);
    expect(await session.prompt('one')).toBe('Hello');
    // From the answer's own usage.
    expect(session.contextUsage).toBe(9);
    expect(session.inputUsage).toBe(9);
    await session.append([
      {
        role: 'user',
        content: [
          { type: 'text', value: 'and ' },
          { type: 'text', value: 'more' },
        ],
      },
    ]);
    expect(await collect(session.promptStreaming('two'))).toEqual(['Hel', 'lo']);
    expect(dispatcher.requests.map(({ messages }) => messages.map(({ content }) => content))).toEqual([
      ['be brief', 'one'],
      ['be brief', 'one', 'Hello', 'and more', 'two'],
    ]);
    const [first, second] = dispatcher.requests;
    expect(first).toMatchObject({
      temperature: 0.5,
      topK: 3,
      messages: [{ role: 'system' }, { role: 'user' }],
    });
    // Sticky: both requests name the same conversation.
    expect(first?.extension.conversation).toBe(second?.extension.conversation);
    expect(await session.measureContextUsage('12345678')).toBe(6);
  });

  test('a clone goes its own way', async () => {
    const { model, dispatcher } = setUp(answer('x'));
    const session = await model.create();
    await session.prompt('one');
    const other = await session.clone();
    await other.prompt('two');
    await session.prompt('three');
    expect(dispatcher.requests.map(({ messages }) => messages.map(({ content }) => content))).toEqual([
      ['one'],
      ['one', 'x', 'two'],
      ['one', 'x', 'three'],
    ]);
  });

  test('prompts run one after another', async () => {
    const { model, dispatcher } = setUp(answer('x'));
    const session = await model.create();
    const streamed = collect(session.promptStreaming('one'));
    await Promise.all([session.prompt('two'), session.prompt('three'), streamed]);
    expect(dispatcher.requests.map(({ messages }) => messages.length)).toEqual([1, 3, 5]);
  });

  test('forgets the oldest exchange when the context is full, and never the system message', async () => {
    const countTokens = (turns: readonly { content: string }[]) => turns.length;
    const steps: Step[] = [
      span,
      delta('x'),
      { ...end(), usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 3 } } as Step,
    ];
    const { model, dispatcher } = setUp(steps, { contextTokens: () => 3, countTokens });
    const session = await model.create({ initialPrompts: [{ role: 'system', content: 's' }] });
    let overflows = 0;
    session.oncontextoverflow = () => {
      overflows += 1;
    };
    await session.prompt('one');
    expect(overflows).toBe(0);
    await session.prompt('two');
    expect(overflows).toBe(1);
    expect(dispatcher.requests[1]?.messages.map(({ content }) => content)).toEqual(['s', 'two']);
    const three = ['a', 'b', 'c'].map((content) => ({ role: 'user' as const, content }));
    await expect(session.prompt(three)).rejects.toEqual(named('QuotaExceededError'));
    expect(session.contextWindow).toBe(3);
  });

  test('a failed prompt leaves no trace in the conversation', async () => {
    let fail = true;
    const lost = new InshoreError('device_lost', 'The GPU is gone.');
    const { model, dispatcher } = setUp(() => (fail ? [span, delta('a'), lost] : answer('x')));
    const session = await model.create();
    await expect(session.prompt('one')).rejects.toBe(lost);
    await expect(collect(session.promptStreaming('two'))).rejects.toBe(lost);
    fail = false;
    await session.prompt('three');
    expect(dispatcher.requests[2]?.messages).toEqual([{ role: 'user', content: 'three' }]);
  });

  test('refuses constraints, prefixes, images and what is too long', async () => {
    const long = new InshoreError('prompt_too_long', 'x');
    const session = await setUp([span, long]).model.create();
    await expect(session.prompt('a', { responseConstraint: {} })).rejects.toEqual(named('NotSupportedError'));
    await expect(collect(session.promptStreaming('a', { responseConstraint: {} }))).rejects.toEqual(
      named('NotSupportedError'),
    );
    const prefix = [{ role: 'assistant', content: 'He', prefix: true }] as const;
    await expect(session.prompt(prefix)).rejects.toEqual(named('NotSupportedError'));
    const image = [{ role: 'user', content: [{ type: 'image', value: {} }] }] as const;
    await expect(session.prompt(image)).rejects.toEqual(named('NotSupportedError'));
    await expect(session.prompt('a')).rejects.toEqual(named('QuotaExceededError'));
  });

  test('a signal, cancelling the stream and destroy() end what runs, and the next prompt has its turn', async () => {
    let hang = true;
    const { model, dispatcher } = setUp(() => (hang ? [span, delta('a'), 'hang'] : answer('x')));
    const session = await model.create();
    const abort = new AbortController();
    setTimeout(() => abort.abort('enough'), 5);
    await expect(session.prompt('one', { signal: abort.signal })).rejects.toBe('enough');
    expect(dispatcher.aborted).toBe(1);

    const reader = session.promptStreaming('two').getReader();
    expect((await reader.read()).value).toBe('a');
    await reader.cancel();
    await expect.poll(() => dispatcher.aborted).toBe(2);

    const unread = new AbortController();
    const stream = session.promptStreaming('three', { signal: unread.signal });
    await expect.poll(() => dispatcher.requests.length).toBe(3);
    unread.abort('late');
    await expect(collect(stream)).rejects.toBe('late');
    await expect.poll(() => dispatcher.aborted).toBe(3);

    hang = false;
    expect(await session.prompt('four')).toBe('x');
    hang = true;
    const running = session.prompt('five');
    await expect.poll(() => dispatcher.requests.length).toBe(5);
    session.destroy();
    await expect(running).rejects.toEqual(named('AbortError'));
    await expect(session.prompt('six')).rejects.toEqual(named('AbortError'));
    expect(dispatcher).toMatchObject({ aborted: 4, closed: 5 });
  });
});
