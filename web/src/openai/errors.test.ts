import { describe, expect, test } from 'vitest';
import { InshoreError } from '../error';
import { ERROR_CODES, type ErrorCode } from '../protocol/error-codes';
import { LegError } from '../sdk/leg';
import { InvalidRequestError, toHttpError } from './errors';

test.each([
  ['prompt_too_long', 400, 'invalid_request_error', 'context_length_exceeded'],
  ['chat_template_failed', 400, 'invalid_request_error', 'chat_template_failed'],
  ['template_refused', 400, 'invalid_request_error', 'template_refused'],
  ['unauthorised', 401, 'authentication_error', 'unauthorised'],
  ['payment', 402, 'insufficient_quota', 'payment'],
  ['private', 403, 'permission_error', 'private'],
  ['not_found', 404, 'invalid_request_error', 'not_found'],
  ['model_mismatch', 409, 'invalid_request_error', 'model_mismatch'],
  ['unsupported_feature', 422, 'invalid_request_error', 'unsupported_feature'],
  ['rate_limited', 429, 'rate_limit_error', 'rate_limited'],
  ['budget_spent', 429, 'insufficient_quota', 'budget_spent'],
  ['engine_panicked', 500, 'server_error', 'engine_panicked'],
  ['server_error', 502, 'server_error', 'server_error'],
  ['device_lost', 503, 'server_error', 'device_lost'],
  ['deadline', 504, 'server_error', 'deadline'],
] as const)('%s is %i %s', (code, status, type, shown) => {
  const error = toHttpError(new InshoreError(code, 'What is wrong.'));
  expect(error.status).toBe(status);
  expect(error.body).toEqual({ error: { message: 'What is wrong.', type, param: null, code: shown } });
});

describe('codes that are not in the table', () => {
  /** As another copy of the SDK in the page would throw it. */
  const foreign = (code: string, more: object = {}) =>
    Object.assign(new Error('x'), { code, [Symbol.for('inshore.error')]: true, ...more });

  test('count as their kind, else as a fault of ours', () => {
    expect(toHttpError(foreign('bad_stream', { kind: 'protocol' })).status).toBe(502);
    expect(toHttpError(foreign('strange', { kind: 'refused' })).status).toBe(400);
    expect(toHttpError(foreign('never_heard_of'))).toMatchObject({
      status: 500,
      body: { error: { code: 'never_heard_of' } },
      headers: { 'x-should-retry': 'false' },
    });
  });

  test('do not come out of `from`', () => {
    expect(InshoreError.from({ code: 'ECONNRESET', message: 'x' }, 'network').code).toBe('network');
    expect(InshoreError.from({ code: 'constructor', message: 'x' }).code).toBe('internal');
  });
});

test("a failed leg's pause is told also where it is the cause", () => {
  const cause = new LegError('rate_limited', 'rate_limited', 'x', { retryAfterMs: 5000 });
  const told = toHttpError(new InshoreError('retry_after', 'x', { cause }));
  expect(told).toMatchObject({ status: 429, headers: { 'retry-after': '5' } });
});

test('a refusal names the field', () => {
  const { body } = toHttpError(new InvalidRequestError('invalid_value', 'stop', 'x'));
  expect(body.error.param).toBe('stop');
});

test('a client tries again only where the policy has not', () => {
  const limited = new LegError('rate_limited', 'rate_limited', 'x', { retryAfterMs: 1200 });
  expect(toHttpError(limited).headers).toEqual({ 'retry-after': '2', 'x-should-retry': 'false' });
  const again = (Object.keys(ERROR_CODES) as ErrorCode[]).filter(
    (code) => toHttpError(new InshoreError(code, 'x')).headers['x-should-retry'] === 'true',
  );
  expect(again.sort()).toEqual([
    'body_timeout',
    'busy',
    'engine_in_use',
    'loading',
    'reloading',
    'stopping',
    'store_busy',
    'superseded',
  ]);
});

test('every code has a status, a type and a word on retries over HTTP', () => {
  for (const [code, row] of Object.entries(ERROR_CODES)) {
    const { status, body, headers } = toHttpError(new InshoreError(code as ErrorCode, 'x'));
    expect([status, body.error.type]).toEqual([row.status, row.type]);
    expect(['true', 'false']).toContain(headers['x-should-retry']);
  }
});

test('whatever was thrown becomes a body', () => {
  expect(toHttpError(new TypeError('x is not a function'))).toMatchObject({
    status: 500,
    body: { error: { code: 'internal', type: 'server_error' } },
  });
});
