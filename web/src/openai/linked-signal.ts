/** A signal that follows others until it is released. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Takes the listeners off the others. */
  release(): void;
}

/**
 * A signal that fires with the first of `sources`, with its reason. Unlike `AbortSignal.any` it can be released, so that a
 * source which outlives many calls (a caller's, a session's) does not collect a listener for each of them.
 */
export function linkSignals(...sources: (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const given = sources.filter((source) => source !== undefined);
  const onAbort = ({ target }: Event): void => fire((target as AbortSignal).reason);
  const release = (): void => {
    for (const source of given) source.removeEventListener('abort', onAbort);
  };
  const fire = (reason: unknown): void => {
    release();
    controller.abort(reason);
  };
  for (const source of given) source.addEventListener('abort', onAbort, { once: true });
  const aborted = given.find((source) => source.aborted);
  if (aborted !== undefined) fire(aborted.reason);
  return { signal: controller.signal, release };
}
