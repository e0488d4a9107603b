import { type EventStreamError, EventStreamParser, type StreamEvent } from '../protocol/event-stream';

/**
 * Yields the events of `body` as they arrive, one list for each read; an empty list means that bytes arrived without a whole
 * event. Leaving the iteration early cancels the body. So does each of `signals`, which also ends the iteration, even if the
 * body ignores its cancellation.
 *
 * @throws {@link EventStreamError}, after yielding the events before the fault
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  ...signals: AbortSignal[]
): AsyncGenerator<StreamEvent[], void, undefined> {
  const reader = body.getReader();
  const stopped = whenAborted(signals);
  const cancel = (): void => void reader.cancel().catch(() => {});
  // `Promise.race` would add another reaction to the long-lived promise with every read.
  let stopWaiting: (() => void) | undefined;
  const nextRead = (): Promise<ReadableStreamReadResult<Uint8Array> | undefined> =>
    new Promise((resolve, reject) => {
      stopWaiting = () => resolve(undefined);
      reader.read().then(resolve, reject);
    });
  stopped.promise.then(() => {
    cancel();
    stopWaiting?.();
  });
  const events: StreamEvent[] = [];
  const parser = new EventStreamParser((event) => events.push(event));
  try {
    for (;;) {
      const part = await nextRead();
      if (part === undefined || stopped.isAborted()) return;
      const error = caught(() => (part.done ? parser.end() : parser.push(part.value)));
      yield events.splice(0);
      if (error !== undefined) throw error;
      if (part.done || stopped.isAborted()) return;
    }
  } finally {
    stopped.forget();
    // Closes the connection if the stream was not read to its end; afterwards it does nothing.
    cancel();
  }
}

function caught(work: () => void): EventStreamError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as EventStreamError;
  }
}

/** Resolves when the first of `signals` aborts. */
export function whenAborted(signals: readonly AbortSignal[]) {
  let resolve: () => void = () => {};
  const promise = new Promise<undefined>((done) => {
    resolve = () => done(undefined);
  });
  const isAborted = (): boolean => signals.some(({ aborted }) => aborted);
  if (isAborted()) resolve();
  for (const signal of signals) signal.addEventListener('abort', resolve, { once: true });
  const forget = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', resolve);
  };
  return { promise, isAborted, forget };
}
