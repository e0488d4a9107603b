import { EngineClient, startEngine } from '../engine/client';
import type { DeviceChoice } from '../engine/protocol';
import { InshoreError } from '../error';
import type { Reason, Slo } from '../route/types';
import type { ModelRef } from '../store/model';
import type { Estimate } from './contract';
import type { SpeedRecord } from './speed-record';

/** The prompt of the estimate. */
const PROMPT_TOKENS = 64;
/** The beginning of a model's file that names its shape. */
const HEAD_BYTES = 64 << 10;
/** The probe's context where none is configured. */
const CONTEXT_TOKENS = 2_048;

/** Probes the device with the model's shape: only the first bytes of its file are fetched. */
export async function probeDevice(
  model: ModelRef,
  device: DeviceChoice,
  contextTokens: number | undefined,
  worker: string | URL | undefined,
): Promise<SpeedRecord> {
  const head = await readHead(model);
  const engine = new EngineClient(startEngine(worker));
  try {
    const opened = await engine.open(device);
    const shape = await engine.shape(head);
    const context = Math.min(contextTokens ?? CONTEXT_TOKENS, shape.trainContextTokens);
    const { prefillTps, decodeTps, memoryBytes, probeMs } = await engine.probe(shape, context);
    const { backend, name } = opened;
    return { prefillTps, decodeTps, from: 'probe', answers: 0, memoryBytes, probeMs, backend, device: name };
  } finally {
    engine.close();
  }
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

async function readHead(model: ModelRef): Promise<Uint8Array> {
  if (model.file !== undefined) return new Uint8Array(await model.file.slice(0, HEAD_BYTES).arrayBuffer());
  try {
    const headers = { Range: `bytes=0-${HEAD_BYTES - 1}` };
    const response = await fetch(model.url, { headers, credentials: 'omit' });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    return await firstBytes(response.body);
  } catch (cause) {
    throw new InshoreError(
      'network_failed',
      'The beginning of the model’s file cannot be fetched, which the estimate needs. Check the address and the connection.',
      { cause },
    );
  }
}

/** A server that knows no ranges sends all: the rest is left there. */
async function firstBytes(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const head = new Uint8Array(HEAD_BYTES);
  let length = 0;
  const reader = body.getReader();
  try {
    while (length < HEAD_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, HEAD_BYTES - length);
      head.set(part, length);
      length += part.length;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  return head.subarray(0, length);
}
