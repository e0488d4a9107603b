import { InshoreError, type WireError } from './error';

/** The calls that a worker answers: per name what goes in and what comes out. */
export type Calls = Record<string, { in: unknown; out: unknown }>;

type Request<C extends Calls> = { [K in keyof C]: { id: number; call: K; input: C[K]['in'] } }[keyof C];
type Message<E> =
  | { kind: 'reply'; id: number; value: unknown }
  | { kind: 'refusal'; id: number; error: WireError }
  | { kind: 'event'; event: E }
  | { kind: 'crash'; error: WireError };

/** The part of `Worker` that a port needs; tests pass their own. */
export type WorkerLike = Pick<Worker, 'postMessage' | 'terminate' | 'addEventListener'>;

/** What a port tells its owner besides the replies. */
export interface PortListener<E> {
  onEvent(event: E): void;
  /** The worker is gone for good; every open call has been refused with the same error. */
  onCrash(error: InshoreError): void;
}

/** The page's end of a worker: typed calls as promises, events, and the one place that notices a crash. */
export class WorkerPort<C extends Calls, E> {
  readonly #worker: WorkerLike;
  readonly #listener: PortListener<E>;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: InshoreError): void }>();
  #nextId = 1;
  #ended: InshoreError | undefined;

  constructor(worker: WorkerLike, listener: PortListener<E>) {
    this.#worker = worker;
    this.#listener = listener;
    worker.addEventListener('message', (event) => this.#receive((event as MessageEvent<Message<E>>).data));
    worker.addEventListener('error', (event) => {
      (event as Event).preventDefault();
      const detail = (event as ErrorEvent).message || 'the script did not load';
      this.#crash(
        new InshoreError(
          'worker_crashed',
          `The worker stopped: ${detail}. Start it again or reload the page.`,
        ),
      );
    });
    worker.addEventListener('messageerror', () => {
      this.#crash(
        new InshoreError('worker_crashed', 'The worker sent a message that cannot be read. Reload the page.'),
      );
    });
  }

  /** Calls the worker; rejects with {@link InshoreError}. */
  call<K extends keyof C>(call: K, input: C[K]['in']): Promise<C[K]['out']> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      try {
        this.#worker.postMessage({ id, call, input } as Request<C>);
      } catch (cause) {
        // A value that cannot be cloned (a function, for example) is the caller's mistake and does not affect the worker.
        this.#open.delete(id);
        const message = `The input of ${String(call)} has a value that cannot be sent to a worker. Pass plain values.`;
        reject(new InshoreError('invalid_argument', message, { cause }));
      }
    });
  }

  /** Ends the worker; open calls are refused with `closed`. */
  close(): void {
    this.#end(new InshoreError('closed', 'The worker was closed.'));
  }

  #receive(message: Message<E>): void {
    if (this.#ended !== undefined) return;
    switch (message.kind) {
      case 'event':
        this.#listener.onEvent(message.event);
        return;
      case 'crash':
        this.#crash(InshoreError.from(message.error));
        return;
      case 'reply':
      case 'refusal': {
        const open = this.#open.get(message.id);
        this.#open.delete(message.id);
        if (message.kind === 'reply') open?.resolve(message.value);
        else open?.reject(InshoreError.from(message.error));
      }
    }
  }

  #crash(error: InshoreError): void {
    if (this.#ended !== undefined) return;
    this.#end(error);
    this.#listener.onCrash(error);
  }

  #end(error: InshoreError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#worker.terminate();
    for (const open of this.#open.values()) open.reject(error);
    this.#open.clear();
  }
}

/** The part of a worker's global scope that {@link answerCalls} needs. */
export interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/** Handlers of a worker, one per call. */
export type Handlers<C extends Calls> = {
  [K in keyof C]: (input: C[K]['in']) => Promise<C[K]['out']> | C[K]['out'];
};

/** How a worker distinguishes its own faults from those of a call. */
export interface Faults {
  /** Whether the worker must not go on after this error. */
  isFatal(error: unknown): boolean;
  /** Creates the error for the call during which the worker failed. */
  errorOfCall(error: unknown): InshoreError;
  /** Creates the error for all other calls. */
  errorOfWorker(error: unknown): InshoreError;
}

/** For workers without a module that could break. */
const TRAPS: Faults = {
  isFatal: (error) => error instanceof WebAssembly.RuntimeError,
  errorOfCall: (error) => InshoreError.from(error, 'worker_crashed'),
  errorOfWorker: (error) => InshoreError.from(error, 'worker_crashed'),
};

/** Tells the page behind `scope` that the worker is dying, and why. */
export function postCrash(scope: Pick<WorkerScope, 'postMessage'>, reason: unknown, faults = TRAPS): void {
  scope.postMessage({ kind: 'crash', error: InshoreError.toWire(faults.errorOfWorker(reason)) });
}

/** The worker's end: answers calls with `handlers` and gives back the function that posts events. */
export function answerCalls<C extends Calls, E>(
  scope: WorkerScope,
  handlers: Handlers<C>,
  faults: Faults = TRAPS,
): (event: E) => void {
  const post = (message: Message<E>): void => scope.postMessage(message);
  scope.addEventListener('message', async (event) => {
    const { data } = event as MessageEvent<Request<C>>;
    // Not a call: a word between the two ends of a shared worker.
    if (data.call === undefined) return;
    try {
      post({ kind: 'reply', id: data.id, value: await handlers[data.call](data.input) });
    } catch (error) {
      const isFatal = faults.isFatal(error);
      const told = isFatal ? faults.errorOfCall(error) : error;
      post({ kind: 'refusal', id: data.id, error: InshoreError.toWire(told) });
      // As an unhandled error it is reported as the worker's death.
      if (isFatal) throw error;
    }
  });
  // A rejected promise that nobody holds does not reach the page by itself; a thrown error does.
  scope.addEventListener('unhandledrejection', (event) => {
    const { reason } = event as PromiseRejectionEvent;
    postCrash(scope, reason, faults);
  });
  return (event) => post({ kind: 'event', event });
}
