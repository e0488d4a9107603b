import { InshoreError } from '../error';
import type { StoredKey } from '../store/protocol';
import { EngineClient, type LoadOptions, startEngine } from './client';
import { kvFormat } from './kv-format';
import type { DeviceChoice, DeviceReport, ModelInfo } from './protocol';
import { canShare, sharedEngine } from './shared';

/** A loaded model on its device. */
export interface Session {
  engine: EngineClient;
  device: DeviceReport;
  info: ModelInfo;
}

// What a GPU can refuse though the model is sound: then `auto` goes on with WASM SIMD.
const GPU_FAILURES = new Set([
  'out_of_memory',
  'tensor_too_large_for_device',
  'device_lost',
  'worker_crashed',
]);

/** How a session is opened. */
export interface SessionOptions extends LoadOptions {
  /**
   * Tabs that give the same word share one engine where the browser has shared workers; take a fresh word after a
   * crash or a stall. Absent: a worker of this page's own.
   */
  share?: string | undefined;
  /** Address of the engine's worker, if not beside this module; such an engine is not shared. */
  worker?: string | URL | undefined;
  /** Threads of the CPU engine; absent: as many as pay. */
  threads?: number | undefined;
  /** Aborts the opening: its worker is closed, and the promise rejects with `closed`. */
  signal?: AbortSignal | undefined;
}

/** Opens a device in a fresh (or shared) worker and loads the stored model `key` onto it. */
export async function openSession(
  key: StoredKey,
  choice: DeviceChoice,
  options: SessionOptions = {},
): Promise<Session> {
  try {
    return await openOn(key, choice, options);
  } catch (thrown) {
    const error = InshoreError.from(thrown);
    if (options.signal?.aborted || choice !== 'auto' || !GPU_FAILURES.has(error.code)) throw error;
    const session = await openOn(key, 'cpu', options);
    return { ...session, device: { ...session.device, fallback: InshoreError.toWire(error) } };
  }
}

/** The name of the engine that tabs share: whoever asks for the same on the same device finds it. */
export function sharedName(share: string, key: string, choice: DeviceChoice, options: LoadOptions): string {
  const { contextTokens, exact, gpuPlan, tune } = options;
  const manner = [exact ? 'exact' : 'rounded', kvFormat(options), gpuPlan ?? tune ?? 'auto'];
  return [share, choice, key, contextTokens ?? 'default', ...manner].join('-');
}

async function openOn(key: StoredKey, choice: DeviceChoice, options: SessionOptions): Promise<Session> {
  const { share, worker, threads, signal } = options;
  // A file of the user's is known to one tab only.
  const shared = share !== undefined && worker === undefined && typeof key === 'string' && canShare();
  const engine = shared
    ? new EngineClient(sharedEngine(sharedName(share, key, choice, options)))
    : new EngineClient(startEngine(worker));
  const close = (): void => engine.close();
  if (signal?.aborted) close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    const device = await engine.open(choice, threads);
    const info = await engine.load(key, options);
    return { engine, device, info };
  } catch (error) {
    close();
    throw error;
  } finally {
    signal?.removeEventListener('abort', close);
  }
}
