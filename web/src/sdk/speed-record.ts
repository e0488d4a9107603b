import { openRecords, type Records } from '../records';

/** What is known of a model on a device: measured over answers, or predicted by the probe before the first. */
export interface SpeedRecord {
  prefillTps: number;
  decodeTps: number;
  from: 'probe' | 'history';
  /** Answers behind it. */
  answers: number;
  /** Time to open the device and load the stored model; absent until it was loaded once. */
  loadMs?: number | undefined;
  contextTokens?: number | undefined;
  memoryBytes?: number | undefined;
  probeMs?: number | undefined;
  backend?: 'wgpu' | 'flex' | undefined;
  /** The engine's own name of the device. */
  device?: string | undefined;
}

/** Weight of the newest answer. */
const NEWEST = 0.3;

/** The record after one more answer; the first answer overrules the probe. */
export function measured(old: SpeedRecord | undefined, prefillTps: number, decodeTps: number): SpeedRecord {
  const mean = (before: number | undefined, now: number): number => {
    if (!(now > 0)) return before ?? 0;
    return old?.from !== 'history' || !before ? now : before + NEWEST * (now - before);
  };
  return {
    ...old,
    prefillTps: mean(old?.prefillTps, prefillTps),
    decodeTps: mean(old?.decodeTps, decodeTps),
    from: 'history',
    answers: (old?.answers ?? 0) + 1,
  };
}

/** Records by device and model. */
export type SpeedRecords = Records<SpeedRecord>;

/** Those of this browser. */
export const openSpeedRecords = (): SpeedRecords => openRecords('inshore-speeds', 'speeds');
