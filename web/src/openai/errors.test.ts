import { expect, test } from 'vitest';
import { InshoreError } from '../error';
import { LegError } from '../sdk/leg';
import { InvalidRequestError, toHttpError } from './errors';

test.each([
  ['prompt_too_long', 400, 'invalid_request_error', 'context_length_exceeded'],
  ['template_failed', 400, 'invalid_request_error', 'template_failed'],
  ['unauthorised', 401, 'authentication_error', 'unauthorised'],
  ['payment_required', 402, 'insufficient_quota', 'payment_required'],
  ['private', 403, 'permission_error', 'private'],
  ['not_found', 404, 'invalid_request_error', 'not_found'],
  ['model_mismatch', 409, 'invalid_request_error', 'model_mismatch'],
  ['unsupported_feature', 422, 'invalid_request_error', 'unsupported_feature'],
  ['rate_limited', 429, 'rate_limit_error', 'rate_limited'],
  ['never_heard_of', 500, 'server_error', 'never_heard_of'],
  ['server_error', 502, 'server_error', 'server_error'],
  ['device_lost', 503, 'server_error', 'device_lost'],
  ['deadline', 504, 'server_error', 'deadline'],
])('%s is %i %s', (code, status, type, shown) => {
  const error = toHttpError(new InshoreError(code, 'What is wrong.'));
  expect(error.status).toBe(status);
  expect(error.body).toEqual({ error: { message: 'What is wrong.', type, param: null, code: shown } });
});

test('a failed leg with a code of its own counts as its kind', () => {
  expect(toHttpError(new LegError('protocol', 'bad_stream', 'x')).status).toBe(502);
  expect(toHttpError(new LegError('refused', 'strange', 'x')).status).toBe(400);
  // The dispatcher tells a request's error with the last leg's as its cause.
  const cause = new LegError('rate_limited', 'slow_down', 'x', { retryAfterMs: 5000 });
  const told = toHttpError(new InshoreError('slow_down', 'x', { cause }));
  expect(told).toMatchObject({ status: 429, headers: { 'retry-after': '5' } });
});

test('a refusal names the field', () => {
  const { body } = toHttpError(new InvalidRequestError('invalid_value', 'stop', 'x'));
  expect(body.error.param).toBe('stop');
});

test('headers tell whether and when to try again', () => {
  const limited = new LegError('rate_limited', 'rate_limited', 'x', { retryAfterMs: 1200 });
  expect(toHttpError(limited).headers).toEqual({ 'retry-after': '2' });
  expect(toHttpError(new InshoreError('busy', 'x')).headers).toEqual({ 'x-should-retry': 'true' });
  // By its status alone a client would try again, three times.
  expect(toHttpError(new InshoreError('no_endpoint', 'x')).headers).toEqual({ 'x-should-retry': 'false' });
});

test('whatever was thrown becomes a body', () => {
  expect(toHttpError(new TypeError('x is not a function'))).toMatchObject({
    status: 500,
    body: { error: { code: 'internal', type: 'server_error' } },
  });
});
