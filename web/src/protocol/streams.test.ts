import { describe, expect, it } from 'vitest';
import { fuzz } from './streams.fuzz';
import { cuttings, readStream, streamCases } from './streams.testing';

describe('streams of other vendors', () => {
  it.each(streamCases())('$name', ({ bytes, expect: expected }) => {
    const whole = readStream([bytes]);
    expect(whole.verdict).toEqual(expected);
    for (const [name, pieces] of cuttings(bytes)) expect(readStream(pieces), name).toEqual(whole);
  });
});

it('a round of the fuzz target is clean', () => {
  const lines: string[] = [];
  fuzz({ seconds: 0, seed: 1, report: (line) => lines.push(line) });
  expect(lines).toEqual(['streams: 800 runs of 4 properties, clean']);
});
