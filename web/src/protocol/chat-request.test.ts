import { describe, expect, test } from 'vitest';
import { checkChatRequest, RequestRefusal } from './chat-request';
import { ERROR_CODES } from './error-codes';
import { parseJsonBody, writeJsonBody } from './json-body';
import { bodyOf, type Refusal, requestCases, understood } from './requests.testing';

function refusalOf(run: () => unknown): Refusal {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RequestRefusal)) throw error;
    expect(error.message).toMatch(/\.$/);
    return { status: ERROR_CODES[error.code].status, code: error.code, param: error.param };
  }
  throw new Error('the body was not refused');
}

describe('the table of bodies', () => {
  // What is not JSON, and the names of models, are checked by those who use this module.
  const about = requestCases().filter(({ expect: expected }) =>
    expected === 'accept' ? true : expected.code !== 'model_not_found',
  );
  test.each(about.map((row) => [row.name, row] as const))('%s', (_, row) => {
    const read = () => {
      let body: unknown;
      try {
        body = parseJsonBody(new TextDecoder('utf-8', { fatal: true }).decode(bodyOf(row)));
      } catch {
        throw new RequestRefusal('invalid_body', null, 'The body is not JSON.');
      }
      return checkChatRequest(body);
    };
    if (row.expect !== 'accept') {
      expect(refusalOf(read)).toEqual(row.expect);
      return;
    }
    const request = read();
    expect(request.localLacks.sort()).toEqual(row.local_lacks ?? []);
    expect(understood(request)).toMatchObject(row.normalised ?? {});
  });
});

describe('objects that no JSON makes', () => {
  const user = { role: 'user', content: 'hi' };
  const check = (fields: object) => checkChatRequest({ messages: [user], ...fields });

  test.each([
    ['seed', { seed: Number.NaN }],
    ['seed', { seed: Number.POSITIVE_INFINITY }],
    ['seed', { seed: 2n ** 64n }],
    ['seed', { seed: -(2n ** 63n) - 1n }],
    ['seed', { seed: new Date() }],
    ['temperature', { temperature: Number.NaN }],
    ['temperature', { temperature: 1n }],
    ['max_tokens', { max_tokens: Number.POSITIVE_INFINITY }],
    ['max_tokens', { max_tokens: 5n }],
    ['stop', { stop: new Set(['a']) }],
    ['messages', { messages: new Map() }],
    ['stream', { stream: Object(true) }],
  ])('%s in %o is refused', (param, fields) => {
    expect(refusalOf(() => check(fields))).toEqual({ status: 400, code: 'invalid_value', param });
  });

  test('a cycle is nested too deeply', () => {
    const cycle: Record<string, unknown> = { messages: [user] };
    cycle.self = cycle;
    expect(refusalOf(() => checkChatRequest(cycle)).code).toBe('invalid_body');
  });

  test('what is shared many times over is looked at once', () => {
    let shared: unknown = 1;
    for (let level = 0; level < 90; level += 1) shared = [shared, shared];
    expect(check({ metadata: shared }).messages).toEqual([user]);
  });

  test('undefined is absent, and a number beyond 2^53 is taken with all the digits that it has', () => {
    expect(check({ max_tokens: undefined, inshore: undefined }).maxTokens).toBeUndefined();
    for (const seed of [7, -1, 7n, -1n, 2n ** 64n - 1n]) expect(check({ seed }).seed).toBe(seed);
    expect(check({ seed: 2 ** 60 }).seed).toBe(2n ** 60n);
    expect(check({ seed: -(2 ** 63) }).seed).toBe(-(2n ** 63n));
    expect(check({ seed: 2 ** 64 }).seed).toBe(2n ** 64n - 1n);
  });
});

describe('a body as text', () => {
  test.each([
    ['{"seed":18446744073709551615}', 18446744073709551615n],
    ['{"seed":-9223372036854775807}', -9223372036854775807n],
    ['{ "a" : [ "}", {"seed": 1} ] , "seed" : 9007199254740993 , "b" : null }', 9007199254740993n],
    ['{"seed":"\\"","s\\u0065ed":9007199254740993}', 9007199254740993n],
    ['{"seed":9007199254740993,"seed":5}', 5],
    ['{"seed":1e19}', 1e19],
    ['{"seed":1e999}', Number.POSITIVE_INFINITY],
    ['{"seed":[9007199254740993]}', [9007199254740992]],
  ])('%s', (text, seed) => {
    expect((parseJsonBody(text) as { seed: unknown }).seed).toEqual(seed);
  });

  test('may be long', () => {
    const long = JSON.stringify('\\"x'.repeat(2_000_000));
    const text = `{"a":${long},"seed":9007199254740993,"b":[${long}]}`;
    expect((parseJsonBody(text) as { seed: unknown }).seed).toBe(9007199254740993n);
  });

  test('goes out with all digits of its seed and without half pairs', () => {
    expect(writeJsonBody({ seed: 2n ** 64n - 1n })).toBe('{"seed":18446744073709551615}');
    expect(writeJsonBody({ a: 1, seed: 3n })).toBe('{"a":1,"seed":3}');
    expect(writeJsonBody({ seed: 3 })).toBe('{"seed":3}');
    expect(writeJsonBody({ a: '\ud83d', '\udc00': '\\ud83d😀' })).toBe(
      '{"a":"\ufffd","\ufffd":"\\\\ud83d😀"}',
    );
    expect(() => writeJsonBody({ other: 3n })).toThrow(TypeError);
  });
});
