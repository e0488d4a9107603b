import type { EngineClient } from '../engine/client';
import { fetchHead } from '../engine/head';
import { kvFormat } from '../engine/kv-format';
import type { ModelShape } from '../engine/protocol';
import { InshoreError } from '../error';
import type { Reason, Slo } from '../route/types';
import { LOST } from '../store/failures';
import type { StoredKey } from '../store/protocol';
import type { Estimate } from './contract';
import { nameOfDevice } from './device-name';
import type { EngineSetup } from './engine-lifecycle';
import type { SpeedRecord } from './speed-record';

/** The prompt of the estimate. */
const PROMPT_TOKENS = 64;
/** The probe's context where none is configured. */
const CONTEXT_TOKENS = 2_048;

/** What a probe is made of. */
export interface ProbeParts {
  /** Fresh, for this probe alone: it is closed afterwards. */
  engine: EngineClient;
  /** Where the model's file is in the network. */
  url: string;
  /** The model's file on this device, if it is whole: then nothing is fetched. */
  stored: StoredKey | undefined;
  setup: EngineSetup;
}

/** Result of a probe, with the device that opened, which may differ from the expected one. */
export interface Probed {
  device: string;
  record: SpeedRecord;
}

/** Probes the device with the model's shape: only the first bytes of its file are read. */
export async function probeDevice({ engine, url, stored, setup }: ProbeParts): Promise<Probed> {
  try {
    const opened = await engine.open(setup.device, setup.threads);
    const shape = await shapeOf(engine, url, stored);
    const context = Math.min(setup.contextTokens ?? CONTEXT_TOKENS, shape.trainContextTokens);
    const { prefillTps, decodeTps, memoryBytes, probeMs } = await engine.probe(
      shape,
      context,
      kvFormat(setup),
    );
    const { backend, name } = opened;
    const speeds = { prefillTps, decodeTps, from: 'probe' as const, answers: 0 };
    const record = { ...speeds, memoryBytes, probeMs, backend, device: name };
    return { device: nameOfDevice(opened), record };
  } finally {
    engine.close();
  }
}

async function shapeOf(
  engine: EngineClient,
  url: string,
  stored: StoredKey | undefined,
): Promise<ModelShape> {
  if (stored !== undefined) {
    try {
      return await engine.shape(stored);
    } catch (error) {
      // The store had it a moment ago; before a download it would be fetched as well.
      if (!LOST.has(InshoreError.from(error).code)) throw error;
    }
  }
  return engine.shape(await fetchHead(url));
}

/** What a record says about the device, for a prompt of 64 tokens with the model loaded. */
export function toEstimate(record: SpeedRecord, slo: Slo, memoryFits: boolean | null): Estimate {
  const { prefillTps, decodeTps, from } = record;
  const ttftMs = 1000 * (PROMPT_TOKENS / prefillTps + 1 / decodeTps);
  const reason = verdict(ttftMs, decodeTps, slo, memoryFits);
  return {
    ttftMs,
    prefillTps,
    decodeTps,
    memoryBytes: record.memoryBytes ?? 0,
    meetsSlo: reason === 'meets_slo',
    reason,
    from,
    probeMs: record.probeMs ?? 0,
    backend: record.backend ?? 'flex',
    device: record.device ?? '',
  };
}

function verdict(ttftMs: number, decodeTps: number, slo: Slo, memoryFits: boolean | null): Reason {
  if (memoryFits === false) return 'memory_too_small';
  if (decodeTps < slo.tokens_per_second) return 'predicted_tps_too_low';
  return ttftMs > slo.ttft_ms ? 'predicted_ttft_too_long' : 'meets_slo';
}
