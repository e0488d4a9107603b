import type { DeviceReport } from '../engine/protocol';
import type { Estimate } from '../sdk/contract';
import type { ChatEnd } from './chat/chat-answer';
import { reasonWords } from './words';

/** `98 MB`; decimal units, as disks and browsers count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  // 999.5 would be written as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
}

/** `0.42 s` or `85 ms`. */
export function formatMs(ms: number): string {
  return ms < 100 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** `12 s` or `3 min 20 s`. */
export function formatWait(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `12.3 tok/s`; a dash where one token gives no speed. */
export function formatTps(tps: number): string {
  if (!Number.isFinite(tps) || tps <= 0) return '– tok/s';
  return `${tps < 100 ? tps.toFixed(1) : tps.toFixed(0)} tok/s`;
}

const REASONS: Record<ChatEnd['finishReason'], string> = {
  stop: '',
  length: 'length limit reached',
  cancelled: 'stopped',
  tool_calls: 'asks for a tool, which this page has not',
  content_filter: 'cut off by the endpoint’s filter',
};

/** The line under an answer. */
export function formatEnd({ finishReason, timings }: Pick<ChatEnd, 'finishReason' | 'timings'>): string {
  const parts = [
    `TTFT ${formatMs(timings.ttftMs)}`,
    formatTps(timings.decodeTps),
    `${timings.completionTokens} ${timings.completionTokens === 1 ? 'token' : 'tokens'}`,
    REASONS[finishReason],
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

/** What the device is predicted to do, in a sentence or two. */
export function formatEstimate(estimate: Estimate): string {
  const { ttftMs, decodeTps, memoryBytes, meetsSlo, reason, device } = estimate;
  const speed = `first token after ${formatMs(ttftMs)}, then ${formatTps(decodeTps)}, ${formatBytes(memoryBytes)} of memory`;
  const verdict = meetsSlo
    ? 'That keeps the promise.'
    : `That does not keep the promise: ${reasonWords(reason)}.`;
  return `Predicted on ${device}: ${speed}. ${verdict}`;
}

/** `WebGPU` or `WASM SIMD`. */
export function formatBackend(report: DeviceReport): string {
  return report.backend === 'wgpu' ? 'WebGPU' : 'WASM SIMD';
}

/** The adapter in words: the browser's where it tells, else the engine's. */
export function formatAdapter({ adapter, name }: DeviceReport): string {
  if (adapter === undefined) return name;
  const told = [adapter.vendor, adapter.architecture].filter((part) => part !== '').join(' ');
  const words = adapter.description || told || name;
  return adapter.software ? `${words} (software)` : words;
}
