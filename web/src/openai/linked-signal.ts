/** A signal that follows others until it is released. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Removes the listeners from the sources. */
  release(): void;
}

/**
 * Returns a signal that aborts with the first of `sources`, with the same reason. Unlike `AbortSignal.any` it can be released,
 * so that a long-lived source does not collect a listener for each call.
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
