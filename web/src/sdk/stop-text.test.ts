import { expect, it } from 'vitest';
import { StopText } from './stop-text';

const run = (stops: string[], pieces: string[]): [string, boolean] => {
  const watch = new StopText(stops);
  let text = '';
  for (const piece of pieces) {
    const released = watch.push(piece);
    text += released.text;
    if (released.stopped) return [text, true];
  }
  return [text + watch.finish(), false];
};

it('ends at a stop text across pieces, and gives back what only looked like one', () => {
  expect(run(['END'], ['some E', 'N', 'D more'])).toEqual(['some ', true]);
  expect(run(['END'], ['some E', 'N', 'O'])).toEqual(['some ENO', false]);
  expect(run(['cd', 'b'], ['abcd'])).toEqual(['a', true]);
  expect(run([''], ['abc'])).toEqual(['abc', false]);
  expect(run([], ['abc'])).toEqual(['abc', false]);
});

it('gives the same text however it is cut', () => {
  const text = 'aabaabaaab🌊ab';
  for (const stop of ['aaab', 'ab', 'b🌊', 'zz', 'aabaabaaab🌊abc']) {
    const at = text.indexOf(stop);
    const expected: [string, boolean] = at < 0 ? [text, false] : [text.slice(0, at), true];
    for (let first = 0; first <= text.length; first++) {
      for (let second = first; second <= text.length; second++) {
        const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        expect(run([stop], pieces), `${stop} ${first} ${second}`).toEqual(expected);
      }
    }
  }
});
