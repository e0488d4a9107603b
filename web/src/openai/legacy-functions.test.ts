import { describe, expect, it } from 'vitest';
import { createChatCompletions } from './chat';
import { createOpenAIFetch } from './fetch';
import { answer, ScriptedDispatcher } from './scripted-dispatcher.testing';

const messages = [{ role: 'user', content: 'hi' }];
const functions = [{ name: 'weather', parameters: {} }];

describe('OpenAI’s older form of tools is refused before anything runs or is paid for', () => {
  it.each<[string, object]>([
    ['functions', { messages, functions }],
    [
      'functions beside tools',
      { messages, functions, tools: [{ type: 'function', function: functions[0] }] },
    ],
    ['a forced function', { messages, functions, function_call: { name: 'weather' } }],
    ['a forced function without a list', { messages, function_call: { name: 'weather' } }],
  ])('%s', async (_, body) => {
    const dispatcher = new ScriptedDispatcher(answer('never'));
    const chat = createChatCompletions(dispatcher, 'tiny');
    const create = (more: object) => chat.completions.create({ ...body, ...more } as { messages: object[] });
    await expect(create({})).rejects.toMatchObject({ code: 'unsupported_feature' });
    await expect(create({ stream: true })).rejects.toMatchObject({ code: 'unsupported_feature' });
    const init = { method: 'POST', body: JSON.stringify(body) };
    const response = await createOpenAIFetch(dispatcher, 'tiny')('https://x.test/v1/chat/completions', init);
    expect(response.status).toBe(422);
    expect(dispatcher.requests).toEqual([]);
  });

  it('while what asks for none of it passes', async () => {
    const dispatcher = new ScriptedDispatcher(answer('hello'));
    const chat = createChatCompletions(dispatcher, 'tiny');
    for (const more of [
      { functions: [] },
      { function_call: 'none' },
      { functions: null, function_call: null },
    ])
      await chat.completions.create({ messages, ...more });
    expect(dispatcher.requests.length).toBe(3);
  });
});
