/** Nothing happened in the time given. */
export const QUIET: unique symbol = Symbol('quiet');

/** Longest delay of `setTimeout`; longer ones fire at once. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** What `work` comes to, or {@link QUIET} if that takes longer than `waitMs`; the work goes on. */
export async function settled<T>(work: Promise<T>, waitMs: number): Promise<T | typeof QUIET> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const quiet = new Promise<typeof QUIET>((resolve) => {
    timer = setTimeout(() => resolve(QUIET), Math.min(waitMs, MAX_WAIT_MS));
  });
  try {
    return await Promise.race([work, quiet]);
  } finally {
    clearTimeout(timer);
  }
}
