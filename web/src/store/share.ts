import { InshoreError, type WireError } from '../error';
import { cancelled } from './failures';
import type { DownloadProgress } from './protocol';

const CHANNEL = 'inshore-store';
const WAITING_MS = 100;
/** How long a failure is held, in milliseconds, so that tabs that wait hear of it before it is their turn. */
const LINGER_MS = 100;

/** The Web Lock that whoever writes to the model `key` must hold. */
export const lockName = (key: string): string => `inshore-model-${key}`;

type Report = (progress: DownloadProgress) => void;
type News = { key: string } & ({ progress: DownloadProgress } | { failed: WireError } | { asks: true });

/**
 * Runs `work` in one tab at a time per model. A tab that waits hears how far the other one is; where that one fails,
 * it fails alike, and where that one is paused, closed or dies, it takes over.
 */
export async function oneOfAllTabs<T>(
  key: string,
  signal: AbortSignal,
  report: Report,
  work: (report: Report) => Promise<T>,
): Promise<T> {
  const channel = new BroadcastChannel(CHANNEL);
  const tell = (news: News): void => channel.postMessage(news);
  const waiting = new AbortController();
  const stop = (): void => waiting.abort();
  let elsewhere: InshoreError | undefined;
  let latest: DownloadProgress = { phase: 'waiting', doneBytes: 0, totalBytes: undefined };
  channel.onmessage = ({ data }: MessageEvent<News>) => {
    if (data.key !== key) return;
    if ('failed' in data) {
      elsewhere = InshoreError.from(data.failed);
      stop();
    } else if ('progress' in data) {
      latest = { ...data.progress, phase: 'waiting' };
      report(latest);
    }
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  const hint = setTimeout(() => {
    report(latest);
    // The line of the other tab may be silent just now.
    tell({ key, asks: true });
  }, WAITING_MS);
  try {
    return await navigator.locks.request(lockName(key), { signal: waiting.signal }, async () => {
      clearTimeout(hint);
      let mine: DownloadProgress | undefined;
      channel.onmessage = ({ data }: MessageEvent<News>) => {
        if (data.key === key && 'asks' in data && mine !== undefined) tell({ key, progress: mine });
      };
      try {
        return await work((progress) => {
          mine = progress;
          report(progress);
          tell({ key, progress });
        });
      } catch (error) {
        if (!signal.aborted) {
          tell({ key, failed: InshoreError.toWire(error) });
          await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
        }
        throw error;
      }
    });
  } catch (error) {
    if (InshoreError.is(error)) throw error;
    if (signal.aborted) throw cancelled();
    throw elsewhere ?? error;
  } finally {
    clearTimeout(hint);
    signal.removeEventListener('abort', stop);
    channel.close();
  }
}
