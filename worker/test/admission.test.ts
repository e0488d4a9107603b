import { expect, it } from 'vitest';
import { type Answer, codeOf } from './page';
import { answerWhole, type UpstreamCall } from './scripted_upstream';
import { HOST_KEY, KEY, MESSAGES, onEveryHost } from './world';

onEveryHost({}, (world) => {
  /** Sends a body that must arrive; returns how it arrived. */
  async function passed(body: unknown, headers: Record<string, string> = {}): Promise<UpstreamCall> {
    const { page, upstream } = world();
    const index = upstream.calls.length;
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    const answer = await page.chat(body, { headers });
    expect(answer.status, answer.text).toBe(200);
    return upstream.call(index);
  }

  /** Sends a body that must not arrive. */
  async function refused(body: unknown): Promise<Answer> {
    const { page, upstream } = world();
    const before = upstream.calls.length;
    const answer = await page.chat(body);
    expect(upstream.calls.length, `nothing reached the upstream: ${answer.text}`).toBe(before);
    return answer;
  }

  it('lists the models by their public names only', async () => {
    const { text } = await world().page.send('/v1/models');
    expect(JSON.parse(text).data.map((model: { id: string }) => model.id)).toEqual(['small', 'shore']);
    expect(text).not.toContain('upstream-small');
  });

  it('sends known fields upstream, under the name and with the key of the upstream', async () => {
    const fields = {
      temperature: 0,
      top_p: 0.9,
      seed: 7,
      stop: ['END'],
      logprobs: true,
      top_logprobs: 2,
      tools: [{ type: 'function', function: { name: 'tide', parameters: {} } }],
      tool_choice: 'auto',
      response_format: { type: 'text' },
    };
    const call = await passed({ model: 'small', messages: MESSAGES, max_tokens: 9, ...fields });
    expect(call.path).toBe('/provider/v1/chat/completions');
    expect(call.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(call.body).toEqual({
      model: 'upstream-small',
      messages: MESSAGES,
      stream: false,
      max_tokens: 9,
      ...fields,
    });
  });

  it('keeps unknown fields and null fields back', async () => {
    const call = await passed({
      model: 'small',
      messages: [{ role: 'user', content: 'Hi', cache_control: {}, __proto__: { x: 1 } }],
      user: 'visitor-17',
      store: true,
      metadata: { a: 'b' },
      api_key: 'x',
      base_url: 'http://169.254.169.254/',
      temperature: null,
      stream_options: null,
      tools: [],
      logit_bias: {},
      tool_choice: 'auto',
    });
    expect(call.body).toEqual({
      model: 'upstream-small',
      messages: [{ role: 'user', content: 'Hi' }],
      stream: false,
      max_tokens: 100,
    });
  });

  it("keeps the page's headers back", async () => {
    const call = await passed(
      { model: 'small', messages: MESSAGES },
      {
        cookie: 'session=1',
        referer: 'https://app.example/private',
        'x-custom': '1',
        'openai-organization': 'x',
      },
    );
    const hostsOwn = [
      'host',
      'connection',
      'content-length',
      'transfer-encoding',
      'accept-language',
      'sec-fetch-mode',
    ];
    const ours = ['accept', 'accept-encoding', 'authorization', 'content-type', 'user-agent', 'x-request-id'];
    const names = Object.keys(call.headers).filter((name) => !hostsOwn.includes(name));
    expect(names.sort()).toEqual(ours);
  });

  it('caps the length of an answer, whatever it is called', async () => {
    const limits: [Record<string, unknown>, number][] = [
      [{}, 100],
      [{ max_tokens: 1_000_000 }, 100],
      [{ max_completion_tokens: 101 }, 100],
      [{ max_completion_tokens: 5, max_tokens: 50 }, 5],
      [{ max_tokens: null }, 100],
    ];
    for (const [fields, expected] of limits) {
      const { body } = await passed({ model: 'small', messages: MESSAGES, ...fields });
      expect([fields, body.max_tokens, body.max_completion_tokens]).toEqual([fields, expected, undefined]);
    }
  });

  it('gives our own host what it needs of the extension, and takes a prefix to it', async () => {
    const sha = 'a'.repeat(64);
    const messages = [...MESSAGES, { role: 'assistant', content: 'A shore', prefix: true }];
    const call = await passed({
      model: 'shore',
      messages: MESSAGES,
      inshore: {
        continue_ids: [1, 2, 3],
        model_sha256: sha,
        ids: true,
        privacy: 'cloud_allowed',
        mode: 'auto',
        conversation: 'c1',
      },
    });
    expect(call.path).toBe('/host/v1/chat/completions');
    expect(call.headers.authorization).toBe(`Bearer ${HOST_KEY}`);
    expect(call.body.inshore).toEqual({ continue_ids: [1, 2, 3], model_sha256: sha, ids: true });
    const begun = await passed({ model: 'shore', messages });
    expect(begun.body.messages).toEqual(messages);
  });

  it('strips the extension for everybody else', async () => {
    const inshore = { ids: true, privacy: 'cloud_allowed', mode: 'auto', conversation: 'c1' };
    const { body } = await passed({ model: 'small', messages: MESSAGES, inshore });
    expect(body.inshore).toBeUndefined();
  });

  it('refuses to begin anew where the page wants a continuation', async () => {
    const prefix = [...MESSAGES, { role: 'assistant', content: 'A shore', prefix: true }];
    for (const body of [
      { model: 'small', messages: prefix },
      {
        model: 'small',
        messages: MESSAGES,
        inshore: { continue_ids: [1], model_sha256: 'a'.repeat(64) },
      },
    ]) {
      const answer = await refused(body);
      expect([answer.status, codeOf(answer.text)]).toEqual([422, 'continuation_unsupported']);
    }
  });

  it('passes nothing on that is for the device only', async () => {
    for (const inshore of [{ privacy: 'local_only' }, { mode: 'only_on_device' }]) {
      for (const model of ['small', 'shore']) {
        const answer = await refused({ model, messages: MESSAGES, inshore });
        expect([answer.status, codeOf(answer.text)]).toEqual([403, 'privacy_local_only']);
      }
    }
  });

  it('knows no model that is not on the list, nor one by its upstream name', async () => {
    for (const model of ['gpt-99', 'upstream-small', '__proto__', 'constructor', '']) {
      const answer = await refused({ model, messages: MESSAGES });
      expect([model, answer.status, codeOf(answer.text)]).toEqual([model, 404, 'model_not_found']);
      expect(JSON.parse(answer.text).error.param).toBe('model');
    }
  });

  it('refuses values of the wrong kind, naming the field', async () => {
    const valid = { model: 'small', messages: MESSAGES };
    const cases: [Record<string, unknown>, number, string][] = [
      [{ ...valid, model: 7 }, 400, 'model'],
      [{ ...valid, messages: [] }, 400, 'messages'],
      [{ ...valid, messages: 'Hi' }, 400, 'messages'],
      [{ ...valid, messages: [null] }, 400, 'messages[0]'],
      [{ ...valid, messages: [{ role: 'root', content: 'Hi' }] }, 400, 'messages[0].role'],
      [{ ...valid, messages: [{ role: 'function', content: 'Hi' }] }, 422, 'messages[0].role'],
      [{ ...valid, functions: [{ name: 'tide' }] }, 422, 'functions'],
      [{ ...valid, messages: [{ role: 'user', content: 5 }] }, 400, 'messages[0].content'],
      [
        { ...valid, messages: [{ role: 'user', content: [{ type: 'smell' }] }] },
        400,
        'messages[0].content[0].type',
      ],
      [{ ...valid, messages: [{ role: 'user', content: 'Hi', prefix: true }] }, 400, 'messages[0].prefix'],
      [{ ...valid, n: 2 }, 422, 'n'],
      [{ ...valid, n: 1.5 }, 400, 'n'],
      [{ ...valid, stream: 'yes' }, 400, 'stream'],
      [{ ...valid, max_tokens: 0 }, 400, 'max_tokens'],
      [{ ...valid, max_tokens: -1 }, 400, 'max_tokens'],
      [{ ...valid, max_completion_tokens: '9' }, 400, 'max_completion_tokens'],
      [{ ...valid, temperature: 'hot' }, 400, 'temperature'],
      [{ ...valid, stop: [1] }, 400, 'stop'],
      [{ ...valid, tools: 'tide' }, 400, 'tools'],
      [{ ...valid, tool_choice: 'required' }, 400, 'tool_choice'],
      [{ ...valid, model: 'shore', inshore: { continue_ids: [-1] } }, 400, 'inshore.continue_ids'],
      [{ ...valid, model: 'shore', inshore: { model_sha256: 'x' } }, 400, 'inshore.model_sha256'],
    ];
    for (const [body, status, param] of cases) {
      const answer = await refused(body);
      expect([param, answer.status]).toEqual([param, status]);
      expect(JSON.parse(answer.text).error.param, answer.text).toBe(param);
    }
  });
});
