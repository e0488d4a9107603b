import { startTrusted } from '../trusted-worker';
import type { WorkerLike } from '../worker-port';

/** Whether tabs can share one engine here. */
export const canShare = (): boolean => typeof SharedWorker !== 'undefined' && navigator.locks !== undefined;

/**
 * The engine that all tabs of this origin share, as a worker of this page's own. `name` tells engines apart: the same
 * one for the same device and model, a fresh one after a crash.
 */
export function sharedEngine(name: string): WorkerLike {
  const worker = startTrusted(
    'SharedWorker',
    () =>
      new SharedWorker(new URL('./shared-worker.ts', import.meta.url), {
        type: 'module',
        name: `inshore-engine-${name}`,
      }),
  );
  const { port } = worker;
  let farewell = (): void => {};
  const alive = `inshore-tab-${crypto.randomUUID()}`;
  // Held until `terminate`, or until the tab dies: then the engine drops this tab's answers.
  void navigator.locks.request(alive, () => {
    port.postMessage({ alive });
    return new Promise<void>((resolve) => {
      farewell = resolve;
    });
  });
  return {
    postMessage: (message: unknown) => port.postMessage(message),
    terminate: () => {
      farewell();
      port.close();
    },
    addEventListener: ((type: string, listener: EventListener) => {
      if (type === 'error') worker.addEventListener('error', listener);
      else port.addEventListener(type, listener);
      if (type === 'message') port.start();
    }) as Worker['addEventListener'],
  };
}
