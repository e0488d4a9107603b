import { describe, expect, it } from 'vitest';
import { cut, cuttings, streamCases, ToolCallList, verdictOf } from '../../web/src/protocol/streams.testing';
import { relay } from './relay';
import { UpstreamBody } from './upstream_body';

/** What the worker makes of an upstream's stream, and how the log calls it. */
async function relayed(parts: readonly Uint8Array[], options: { aliveTimeoutMs?: number } = {}) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  const abort = new AbortController();
  const outcomes: string[] = [];
  const stream = relay({
    source: Promise.resolve(new UpstreamBody(new Response(body), 10_000, abort)),
    key: undefined,
    heartbeatMs: 0,
    aliveTimeoutMs: options.aliveTimeoutMs ?? 600_000,
    abort,
    onEnd: (outcome) => outcomes.push(outcome),
  });
  return { text: await new Response(stream).text(), outcomes };
}

/**
 * Reads a stream as a client does that knows OpenAI's shape and nothing else: whatever is not in it would be lost.
 */
function readPlainly(text: string) {
  const said = { text: '', refusal: '', reasoning: '' };
  const calls = new ToolCallList();
  const usage: Record<string, number> = {};
  let finish = '';
  let error: string | undefined;
  for (const event of text.split('\n\n')) {
    const data = event.replaceAll(/^data: /gm, '');
    if (!event.startsWith('data: ') || data === '[DONE]') continue;
    const chunk = JSON.parse(data);
    if (chunk.error) {
      error = chunk.error.code;
      continue;
    }
    const [choice] = chunk.choices;
    const { content, refusal, reasoning_content, reasoning, tool_calls, function_call } = choice?.delta ?? {};
    if (content !== undefined && content !== null) expect(content).toBeTypeOf('string');
    said.text += content ?? '';
    said.refusal += refusal ?? '';
    said.reasoning += reasoning_content ?? reasoning ?? '';
    calls.add(tool_calls ?? []);
    if (function_call) calls.add([{ index: 0, id: 'call_0', function: function_call }]);
    finish ||= choice?.finish_reason ?? '';
    // Groq's own place of the counts is not OpenAI's.
    const counts = chunk.usage ?? chunk.x_groq?.usage;
    const count = (name: string, value: unknown): void => {
      if (Number.isSafeInteger(value) && (value as number) >= 0) usage[name] = value as number;
    };
    count('promptTokens', counts?.prompt_tokens);
    count('completionTokens', counts?.completion_tokens);
    count('cachedTokens', counts?.prompt_tokens_details?.cached_tokens);
  }
  if (finish === 'function_call') finish = 'tool_calls';
  return { error, verdict: verdictOf(said, calls, finish, usage) };
}

const CODES: Record<string, string[]> = {
  garbage: ['upstream_garbage'],
  truncated: ['upstream_truncated'],
  peer_error: ['upstream_error', 'upstream_rate_limited', 'upstream_quota'],
};

describe('the worker and the page read the same streams', () => {
  it.each(streamCases())('$name', async ({ bytes, expect: expected }) => {
    for (const [name, parts] of cuttings(bytes)) {
      const { text, outcomes } = await relayed(parts);
      const { error, verdict } = readPlainly(text);
      if ('error' in expected) {
        expect(CODES[expected.error], `${name}: ${text}`).toContain(error);
        expect(outcomes).toEqual([error]);
        expect(text).not.toContain('[DONE]');
      } else {
        expect({ error, verdict }, name).toEqual({ error: undefined, verdict: expected });
        expect(outcomes).toEqual(['complete']);
      }
    }
  });
});

describe('an upstream that only pings', () => {
  const ping = (wait: number) => {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, wait));
        controller.enqueue(new TextEncoder().encode(': PROCESSING\n\n'));
      },
    });
    return new UpstreamBody(new Response(body), 10_000, new AbortController());
  };
  const options = (aliveTimeoutMs: number, wait: number, outcomes: string[] = []) => ({
    source: Promise.resolve(ping(wait)),
    key: undefined,
    heartbeatMs: 0,
    aliveTimeoutMs,
    abort: new AbortController(),
    onEnd: (outcome: string) => void outcomes.push(outcome),
  });

  it('is given up at last', async () => {
    const outcomes: string[] = [];
    const text = await new Response(relay(options(60, 10, outcomes))).text();
    expect(readPlainly(text).error).toBe('upstream_timeout');
    expect(outcomes).toEqual(['upstream_timeout']);
  });

  it('looks alive to the page until then', async () => {
    const reader = relay(options(600_000, 300)).getReader();
    for (let beats = 0; beats < 2; beats++)
      expect(new TextDecoder().decode((await reader.read()).value)).toBe(':\n\n');
    await reader.cancel();
  });
});

it('what OpenAI’s clients read already is passed on as it came', async () => {
  const events = [
    '{"id":"x",  "choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null}]}',
    '{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null, "vendor":[1]}',
    '{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null}}]}',
    '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}]}}]}',
    '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}',
    '{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
    '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    '[DONE]',
  ];
  const stream = events.map((data) => `data: ${data}\n\n`).join('');
  const { text } = await relayed(cut(new TextEncoder().encode(stream), 11));
  expect(text).toBe(stream);
});
