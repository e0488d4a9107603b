import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { createChatCompletions } from './chat';
import { createOpenAIFetch } from './fetch';
import { createLanguageModel, type LanguageModelSession } from './language-model';
import { linkSignals } from './linked-signal';
import { answer, ScriptedDispatcher, type Step } from './scripted-dispatcher.testing';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('a linked signal', () => {
  it('fires with the first source, and listens to none afterwards', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const { signal } = linkSignals(one.signal, undefined, other.signal);
    other.abort('second');
    expect([signal.aborted, signal.reason]).toEqual([true, 'second']);
    expect([listeners(one.signal), listeners(other.signal)]).toEqual([0, 0]);
  });

  it('has fired already where a source has', () => {
    const one = new AbortController();
    expect(linkSignals(one.signal, AbortSignal.abort('before')).signal.reason).toBe('before');
    expect(listeners(one.signal)).toBe(0);
  });

  it('follows nobody once released', () => {
    const one = new AbortController();
    const { signal, release } = linkSignals(one.signal);
    expect(listeners(one.signal)).toBe(1);
    release();
    one.abort();
    expect([signal.aborted, listeners(one.signal)]).toEqual([false, 0]);
  });
});

describe('a call that is over leaves no listener on its caller’s signal', () => {
  let signal: AbortSignal;
  beforeEach(() => {
    signal = new AbortController().signal;
  });
  const setUp = (script: readonly Step[]) => {
    const dispatcher = new ScriptedDispatcher(script);
    // The scripted one is no example of tidiness.
    const chat = createChatCompletions({ run: (request) => dispatcher.run(request, {}) }, 'tiny');
    return { chat, fetch: createOpenAIFetch({ run: (request) => dispatcher.run(request, {}) }, 'tiny') };
  };
  const openSession = (script: readonly Step[] = answer('one ', 'two')) =>
    createLanguageModel(setUp(script).chat, {
      availability: () => 'available',
      download: async () => {},
    }).create();
  const read = async (stream: ReadableStream<string>): Promise<string> => {
    let text = '';
    for await (const piece of stream) text += piece;
    return text;
  };
  const messages = [{ role: 'user', content: 'hi' }];
  const body = (stream: boolean) => ({ method: 'POST', body: JSON.stringify({ messages, stream }), signal });

  it.each<[string, (session: LanguageModelSession) => Promise<unknown>]>([
    ['prompt', (session) => session.prompt('hi', { signal })],
    ['promptStreaming', (session) => read(session.promptStreaming('hi', { signal }))],
    ['promptStreaming that is cancelled', (session) => session.promptStreaming('hi', { signal }).cancel()],
    ['append', (session) => session.append('hi', { signal })],
    ['clone', (session) => session.clone({ signal })],
    ['measureContextUsage', (session) => session.measureContextUsage('hi', { signal })],
  ])('%s', async (_, call) => {
    const session = await openSession();
    for (let time = 0; time < 5; time++) await call(session);
    await expect.poll(() => listeners(signal)).toBe(0);
  });

  it('a failed promptStreaming', async () => {
    const session = await openSession(['hang']);
    const stream = session.promptStreaming('hi', { signal });
    const reading = read(stream);
    await expect.poll(() => listeners(signal)).toBeGreaterThan(0);
    session.destroy();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => listeners(signal)).toBe(0);
  });

  it.each([true, false])('fetch with stream %s', async (stream) => {
    const { fetch } = setUp(answer('one ', 'two'));
    for (let time = 0; time < 5; time++) {
      await (await fetch('https://x.test/v1/chat/completions', body(stream))).text();
    }
    await expect.poll(() => listeners(signal)).toBe(0);
  });

  it.each([true, false])('chat.completions.create with stream %s', async (stream) => {
    const { chat } = setUp(answer('one ', 'two'));
    for (let time = 0; time < 5; time++) {
      const answered = await chat.completions.create({ messages, stream } as { messages: object[] }, {
        signal,
      });
      if (Symbol.asyncIterator in answered) for await (const _ of answered as AsyncIterable<unknown>);
    }
    expect(listeners(signal)).toBe(0);
  });
});
