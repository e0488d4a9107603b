import type { RouteEvent } from '../route/types';

/** What the browser says of the page: whether it is seen and has a network. */
export interface Surroundings {
  online(): boolean;
  hidden(): boolean;
  /** Ends the watch. */
  stop(): void;
}

/** Watches the page and reports every change. In a worker or in Node: always online, never hidden. */
export function watchSurroundings(report: (event: RouteEvent) => void): Surroundings {
  const page = typeof document === 'undefined' ? undefined : document;
  const scope = typeof window === 'undefined' ? undefined : window;
  const hidden = (): boolean => page?.visibilityState === 'hidden';
  const online = (): boolean => scope?.navigator.onLine ?? true;
  const onVisibility = (): void => report({ type: 'visibility', hidden: hidden() });
  const onConnectivity = (): void => report({ type: 'connectivity', online: online() });
  page?.addEventListener('visibilitychange', onVisibility);
  scope?.addEventListener('online', onConnectivity);
  scope?.addEventListener('offline', onConnectivity);
  return {
    online,
    hidden,
    stop() {
      page?.removeEventListener('visibilitychange', onVisibility);
      scope?.removeEventListener('online', onConnectivity);
      scope?.removeEventListener('offline', onConnectivity);
    },
  };
}
