import type { DeviceChoice, KvFormat } from '../engine/protocol';
import { InshoreError } from '../error';

/** What the address line asks for. */
export interface PageQuery {
  device: DeviceChoice;
  /** Threads on the CPU; undefined: as many as pay. */
  threads: number | undefined;
  /** Of the KV cache; undefined: f16. */
  kvCache: KvFormat | undefined;
  /** A model other than the server's. */
  model: string | undefined;
  sha256: string | undefined;
  /** Download without waiting for the button. */
  autoload: boolean;
}

const DEVICES: readonly string[] = ['auto', 'gpu', 'cpu'];

/** Reads `?device=auto|gpu|cpu&threads=N&kvCache=f16|f32|q8_0&model=URL&sha256=HEX&autoload=1`. */
export function readQuery(search: string): PageQuery {
  const query = new URLSearchParams(search);
  const device = query.get('device') ?? 'auto';
  if (!DEVICES.includes(device)) {
    throw new InshoreError(
      'bad_device',
      `There is no device ${JSON.stringify(device)}: use auto, gpu or cpu in the address.`,
    );
  }
  return {
    device: device as DeviceChoice,
    threads: readThreads(query.get('threads')),
    kvCache: readKvCache(query.get('kvCache')),
    model: query.get('model') ?? undefined,
    sha256: query.get('sha256') ?? undefined,
    autoload: query.get('autoload') === '1',
  };
}

function readThreads(text: string | null): number | undefined {
  if (text === null) return undefined;
  const threads = Number(text);
  if (Number.isInteger(threads) && threads > 0) return threads;
  throw new InshoreError(
    'bad_threads',
    `There cannot be ${JSON.stringify(text)} threads: use a number in the address.`,
  );
}

function readKvCache(text: string | null): KvFormat | undefined {
  if (text === null || text === 'f16' || text === 'f32' || text === 'q8_0') return text ?? undefined;
  throw new InshoreError(
    'bad_kv_cache',
    `There is no KV cache of ${JSON.stringify(text)}: use f16, f32 or q8_0 in the address.`,
  );
}
