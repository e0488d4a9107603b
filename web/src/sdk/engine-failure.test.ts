import { describe, expect, test } from 'vitest';
import { InshoreError } from '../error';
import { ERROR_CODES, type ErrorCode } from '../protocol/error-codes';
import { engineFailure, leavesEngineSound } from './engine-failure';

const failure = (code: ErrorCode) => engineFailure(new InshoreError(code, 'x'));
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

describe("a failure that is the request's", () => {
  const blamed = CODES.filter((code) => ERROR_CODES[code].owner === 'request');

  test.each(blamed)('%s leaves the engine as it was', (code) => {
    expect(leavesEngineSound(failure(code))).toBe(true);
  });

  test.each(blamed.filter((code) => code !== 'cancelled'))(
    '%s opens no breaker and restarts nothing',
    (code) => {
      // The kinds that `Loss::counts` of crates/inshore-route does not hold against an engine.
      expect(['refused', 'context_exceeded']).toContain(failure(code).kind);
    },
  );
});

test.each([
  ['a seed of the wrong kind', { code: 'invalid_argument', message: 'the request is not understood' }],
  ['a temperature that is not a number', { code: 'invalid_sampling', message: 'temperature is NaN' }],
  ['a template that refuses', { code: 'template_refused', message: 'roles must alternate' }],
  ['a template that never ends', { code: 'chat_template_runaway', message: 'stopped' }],
  ['a file without a template', { code: 'no_chat_template', message: 'none' }],
])('%s is refused, as the engine throws it', (_, thrown) => {
  const error = engineFailure(thrown);
  expect([error.kind, error.code, leavesEngineSound(error)]).toEqual(['refused', thrown.code, true]);
});

test('what breaks the engine is not taken for the request', () => {
  for (const code of CODES) {
    const { owner } = ERROR_CODES[code];
    if (owner === 'request' || code.includes('template')) continue;
    const sound = leavesEngineSound(failure(code));
    expect([code, sound]).toEqual([code, ['busy', 'superseded'].includes(code)]);
  }
  expect(engineFailure(new TypeError('x')).kind).toBe('other');
});
