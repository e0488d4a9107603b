import { afterEach, expect, test, vi } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../web/src/protocol/error-codes';
import { bodyOf, requestCases } from '../../web/src/protocol/requests.testing';
import { createApp, errorResponse } from '../src/app';
import { parseConfig } from '../src/config';
import { ApiError, rowOf } from '../src/errors';

const ORIGIN = 'https://app.example';
/** The model's name is the one that the page and the host know as well; there is no other. */
const CONFIG = parseConfig(
  {
    INSHORE_UPSTREAMS: JSON.stringify([
      { name: 'box', base_url: 'http://127.0.0.1:1/v1', models: ['inshore'], inshore: true, prefix: true },
    ]),
    INSHORE_ORIGINS: ORIGIN,
    INSHORE_TOKEN_SECRET: 'x'.repeat(32),
    INSHORE_MINTS_PER_MINUTE: '0',
    INSHORE_MAX_TOKENS: '1000',
  },
  { heartbeatMs: 0, earlyStreamMs: 0 },
);
const app = createApp(CONFIG, () => {});

/** Sends bytes as a page does. Returns the answer, and what reached the upstream. */
async function send(bytes: Uint8Array) {
  const sent: string[] = [];
  vi.stubGlobal('fetch', async (_url: string, { body }: { body: string }) => {
    sent.push(body);
    return answerTo(JSON.parse(body).stream);
  });
  const headers = { origin: ORIGIN, 'content-type': 'application/json' };
  const { token } = await (await app.request('/v1/token', { method: 'POST', headers }, {})).json();
  const request = {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${token}` },
    body: bytes as Uint8Array<ArrayBuffer>,
  };
  const response = await app.request('/v1/chat/completions', request, {});
  return { status: response.status, headers: response.headers, text: await response.text(), sent };
}

function answerTo(stream: boolean): Response {
  const message = { role: 'assistant', content: 'A shore.' };
  const choice = { index: 0, finish_reason: 'stop', ...(stream ? { delta: message } : { message }) };
  const answer = JSON.stringify({ id: 'x', object: 'chat.completion', choices: [choice] });
  return stream
    ? new Response(`data: ${answer}\n\ndata: [DONE]\n\n`, {
        headers: { 'content-type': 'text/event-stream' },
      })
    : new Response(answer, { headers: { 'content-type': 'application/json' } });
}

afterEach(() => vi.unstubAllGlobals());

test.each(requestCases().map((row) => [row.name, row] as const))('%s', async (_, row) => {
  const expected = row.worker ?? row.expect;
  const { status, text, sent, headers } = await send(bodyOf(row));
  if (expected !== 'accept') {
    const { code, param, message } = JSON.parse(text).error;
    expect({ status, code, param }).toEqual(expected);
    expect(message).toMatch(/\.$/);
    expect(headers.get('x-should-retry')).toBe('false');
    expect(sent, 'nothing is sent or paid for').toEqual([]);
    return;
  }
  expect(status, text).toBe(200);
  expect(sent).toHaveLength(1);
  const { seed, stop, temperature, max_tokens } = row.normalised ?? {};
  const [body = ''] = sent;
  const passed = JSON.parse(body);
  if (temperature !== undefined) expect(passed.temperature).toBe(temperature);
  if (typeof max_tokens === 'number') expect(passed.max_tokens).toBe(Math.min(max_tokens, 1000));
  if (Array.isArray(stop) && stop.length > 0) expect([passed.stop].flat()).toEqual(stop);
  // The digits themselves: reading them as a number would round both sides alike.
  const digits = /"seed":(-?\d+)/.exec(body)?.[1];
  if (typeof seed === 'string') expect(BigInt.asUintN(64, BigInt(digits ?? 'none'))).toBe(BigInt(seed));
  expect(body).not.toMatch(/(?<!\\)\\ud[89a-f]/i);
});

test('what an endpoint can do and our engine cannot goes out as it came', async () => {
  const fields = {
    messages: [
      {
        role: 'user',
        content: [{ type: 'image_url', image_url: { url: 'https://x.example/y.png' } }],
        name: 'Ann',
      },
      { role: 'assistant', content: null, refusal: 'No.', tool_calls: [{ id: '1' }], annotations: [] },
      { role: 'tool', content: 'low', tool_call_id: '1' },
    ],
    tools: [{ type: 'function', function: { name: 'tide' } }],
    tool_choice: 'required',
    response_format: { type: 'json_object' },
    logit_bias: { 5: -100 },
    modalities: ['text', 'audio'],
    audio: { voice: 'x', format: 'wav' },
  };
  const { sent, text } = await send(new TextEncoder().encode(JSON.stringify(fields)));
  expect(sent, text).toHaveLength(1);
  const [user, assistant, tool] = fields.messages;
  const { annotations: _, ...known } = assistant as { annotations: unknown };
  expect(JSON.parse(sent[0] ?? '')).toMatchObject({ ...fields, messages: [user, known, tool] });
});

test('every code has its status, its type and its word on retries', async () => {
  for (const [code, row] of Object.entries(ERROR_CODES)) {
    const response = errorResponse(new ApiError(...rowOf(code as ErrorCode), 'x'));
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([
      row.status,
      String(row.retry !== 'no'),
    ]);
    expect((await response.json()).error).toMatchObject({ code, type: row.type });
  }
});
