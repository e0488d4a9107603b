import { answerCalls, type Calls, type Handlers, type WorkerLike } from './worker-port';

/** For tests: a worker and its page in one thread, joined by structured clones as the real ones are. */
export function joinedWorker<C extends Calls, E>(handlers: Handlers<C>) {
  const page = new EventTarget();
  const scope = new EventTarget();
  const deliver = (target: EventTarget, message: unknown): void => {
    const data = structuredClone(message);
    queueMicrotask(() => target.dispatchEvent(Object.assign(new Event('message'), { data })));
  };
  const joined = { terminated: 0 };
  const worker: WorkerLike = {
    postMessage: (message: unknown) => deliver(scope, message),
    terminate: () => {
      joined.terminated += 1;
    },
    addEventListener: page.addEventListener.bind(page) as Worker['addEventListener'],
  };
  const post = answerCalls<C, E>(
    {
      postMessage: (message) => deliver(page, message),
      addEventListener: (type, listener) => scope.addEventListener(type, listener),
    },
    handlers,
  );
  const crash = (message: string): boolean =>
    page.dispatchEvent(Object.assign(new Event('error'), { message }));
  return { worker, post, crash, scope, joined };
}
