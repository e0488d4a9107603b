import { expect, it, vi } from 'vitest';

/** What the test needs of `thread-pool.ts`, which is written for workers. */
interface ThreadPoolModule {
  threadsFor(wanted: number | undefined, cores: number): number;
}
const { threadsFor } = await vi.importActual<ThreadPoolModule>('./thread-pool');

it.each([
  [undefined, 2, 2],
  [undefined, 16, 8],
  [1, 8, 1],
  [8, 8, 8],
  [9, 8, 8],
  [1_000_000, 8, 8],
  [Number.POSITIVE_INFINITY, 4, 4],
  [0, 8, 1],
  [-3, 8, 1],
  [2.9, 8, 2],
  [Number.NaN, 8, 1],
])('asked for %s threads, a machine of %i cores starts %i', (wanted, cores, threads) => {
  expect(threadsFor(wanted, cores)).toBe(threads);
});
