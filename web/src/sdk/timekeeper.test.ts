import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Timekeeper } from './timekeeper';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

function keep() {
  const heard: (string | number)[] = [];
  let skipped = 0;
  const time = new Timekeeper(
    { onWake: () => heard.push('wake'), onSuspended: (lostMs) => heard.push(Math.round(lostMs)) },
    () => performance.now() + skipped,
  );
  return { time, heard, sleep: (ms: number) => (skipped += ms) };
}

it('wakes at each time once, in whatever order they were asked for', () => {
  const { time, heard } = keep();
  time.wakeAt(time.now() + 300);
  time.wakeAt(time.now() + 100);
  time.wakeAt(time.now() + 100);
  vi.advanceTimersByTime(99);
  expect(heard).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(heard).toEqual(['wake']);
  vi.advanceTimersByTime(1000);
  expect(heard).toEqual(['wake', 'wake']);
});

it('takes a time that has passed for now, and one beyond the range of timers for later', () => {
  const { time, heard } = keep();
  time.wakeAt(time.now() - 5);
  time.wakeAt(time.now() + 2 ** 33);
  vi.advanceTimersByTime(1);
  expect(heard).toEqual(['wake']);
});

it('notices that the clock went on without the page, before anything else is told', () => {
  const { time, heard, sleep } = keep();
  time.setBusy(true);
  vi.advanceTimersByTime(5000);
  expect(heard).toEqual([]);
  sleep(60_000);
  time.check();
  expect(heard.length).toBe(1);
  expect(heard[0]).toBeGreaterThan(59_000);
  expect(heard[0]).toBeLessThanOrEqual(60_500);
  time.check();
  vi.advanceTimersByTime(5000);
  expect(heard.length).toBe(1);
});

it('counts neither late timers of a hidden tab nor time in which nothing ran', () => {
  const { time, heard, sleep } = keep();
  sleep(60_000);
  time.setBusy(true);
  for (let beat = 0; beat < 5; beat++) {
    sleep(900);
    vi.advanceTimersByTime(500);
  }
  expect(heard).toEqual([]);
  time.setBusy(false);
  sleep(60_000);
  time.check();
  expect(heard).toEqual([]);
});
