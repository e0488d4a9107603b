// What the scripted dispatcher does in these tests, and the fetch on top of it.
import { sdk } from './sdk.mjs';

const { createOpenAIFetch, delta, end, InshoreError, ScriptedDispatcher, span } = await sdk();

/** Text with all that breaks naive parsers: line ends, SSE fields, JSON, code points of one to four bytes. */
export const TEXTS = ['Fjörð\n\n', 'data: [DONE]\r\n', '{"a":"\\"}', ' 潮 ', '👩‍👩‍👧', '\u2028end'];
export const TEXT = TEXTS.join('');

const text = () => [span, ...TEXTS.map((piece, index) => delta(piece, { logprob: -(index + 1) / 4 })), end()];
const failure = (code, more = {}) => Object.assign(new InshoreError(code, `It failed: ${code}.`), more);

/** Named courses of an answer. */
export const STORIES = {
  whole: text,
  /** Goes on until it is aborted. */
  endless: () => [span, delta('one '), delta('two '), 'hang'],
  /** Fails after the first words. */
  broken: () => [span, delta('half of '), delta('an answer'), failure('device_lost')],
  unauthorised: () => [span, failure('unauthorised')],
  rate_limited: () => [span, failure('rate_limited', { retryAfterMs: 20 })],
  no_endpoint: () => [failure('no_endpoint')],
  tool_calls: () => [
    span,
    tool({ id: 'call_1', type: 'function', function: { name: 'tide', arguments: '{"port":' } }),
    tool({ function: { arguments: '"Dover"}' } }),
    end('tool_calls'),
  ],
};

const tool = (call) => ({
  type: 'delta',
  text: '',
  source: 'in_cloud',
  toolCalls: [{ index: 0, ...call }],
});

/** A fetch whose answers take the course `story`, or for the n-th request the n-th of `stories`. */
export function telling(...stories) {
  const dispatcher = new ScriptedDispatcher(() => {
    const at = Math.min(dispatcher.requests.length, stories.length) - 1;
    return STORIES[stories[at]]();
  });
  return { dispatcher, fetch: createOpenAIFetch(dispatcher, 'tiny') };
}

/** Resolves once `condition()` holds; fails after a second. */
export async function eventually(condition) {
  for (let tries = 0; tries < 200; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`still not so: ${condition}`);
}
