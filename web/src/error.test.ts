import { describe, expect, it } from 'vitest';
import { InshoreError } from './error';

describe('InshoreError', () => {
  it('keeps code, message and cause across a worker boundary', () => {
    const inner = new InshoreError('read_failed', 'no bytes');
    const wire = InshoreError.toWire(new InshoreError('truncated', 'too short', { cause: inner }));
    const rebuilt = InshoreError.from(structuredClone(wire));
    expect(rebuilt).toBeInstanceOf(InshoreError);
    expect(rebuilt.code).toBe('truncated');
    expect(rebuilt.message).toBe('too short');
    expect(InshoreError.is(rebuilt.cause)).toBe(true);
    expect((rebuilt.cause as InshoreError).code).toBe('read_failed');
  });

  it("takes the engine's plain objects, whose cause is a string", () => {
    const error = InshoreError.from({ code: 'not_gguf', message: 'no magic', cause: 'read 0000' });
    expect(error.code).toBe('not_gguf');
    expect(InshoreError.toWire(error).cause?.message).toBe('read 0000');
  });

  it('knows an error made by another copy of the module', () => {
    const foreign = Object.assign(new Error('x'), { code: 'busy', [Symbol.for('inshore.error')]: true });
    expect(foreign).not.toBeInstanceOf(InshoreError);
    expect(InshoreError.is(foreign)).toBe(true);
    expect(InshoreError.from(foreign)).toBe(foreign);
  });

  it('gives a code to what has none, and keeps it as the cause', () => {
    const thrown = new RangeError('off the end');
    const error = InshoreError.from(thrown, 'read_failed');
    expect(error.code).toBe('read_failed');
    expect(error.message).toBe('off the end');
    expect(error.cause).toBe(thrown);
    expect(InshoreError.toWire(error).cause).toEqual({ code: 'RangeError', message: 'off the end' });
  });

  it.each([undefined, null, 7, 'text', { code: 5, message: 'x' }])(
    'does not take %j for an error of its own',
    (value) => {
      expect(InshoreError.is(value)).toBe(false);
      expect(InshoreError.from(value).code).toBe('internal');
    },
  );
});
