import { describe, expect, it } from 'vitest';
import { cuttings, readStream, streamCases } from './streams.testing';

describe('streams of other vendors', () => {
  it.each(streamCases())('$name', ({ bytes, expect: expected }) => {
    const whole = readStream([bytes]);
    expect(whole.verdict).toEqual(expected);
    for (const [name, pieces] of cuttings(bytes)) expect(readStream(pieces), name).toEqual(whole);
  });
});
