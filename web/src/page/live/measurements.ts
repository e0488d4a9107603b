import type { Reason, Report, Source, Span } from '../../sdk/contract';

/** One answer, as far as the charts and their table must know it. */
export interface Measurement {
  /** Counted from 1. */
  answer: number;
  /** Wall clock. */
  at: Date;
  source: Report['source'];
  reason: Reason;
  predictedTtftMs: number | undefined;
  ttftMs: number | undefined;
  predictedTps: number | undefined;
  tps: number | undefined;
  handovers: number;
  spans: Span[];
}

/** Speed over the last tokens at one moment of answering. */
export interface SpeedSample {
  /** Milliseconds of answering so far, over all answers: pauses between them take no room. */
  x: number;
  /** Tokens a second. */
  y: number;
  kind: Source;
  answer: number;
}

const MAX_ANSWERS = 60;
const MAX_SAMPLES = 240;
const WINDOW_MS = 1500;

/** What was predicted and what was measured in this page's life. Pure: time comes from outside. */
export class Measurements {
  readonly answers: Measurement[] = [];
  readonly samples: SpeedSample[] = [];
  /** Where answers went over to another source, on the samples' x. */
  readonly handovers: number[] = [];
  #count = 0;
  #answeringMs = 0;
  #startedMs = 0;
  #recent: { atMs: number; tokens: number }[] = [];

  /** Number of the answer that runs or ran last. */
  get count(): number {
    return this.#count;
  }

  /** An answer begins. */
  begin(nowMs: number): void {
    this.#count += 1;
    this.#startedMs = nowMs;
    this.#recent = [];
  }

  /** Tokens arrived. */
  tokens(source: Source, tokens: number, nowMs: number): void {
    this.#recent.push({ atMs: nowMs, tokens });
    while (this.#recent.length > 2 && nowMs - (this.#recent[0]?.atMs ?? nowMs) > WINDOW_MS)
      this.#recent.shift();
    const tps = this.liveTps(nowMs);
    if (tps === undefined) return;
    this.samples.push({ x: this.#x(nowMs), y: tps, kind: source, answer: this.#count });
    if (this.samples.length > MAX_SAMPLES) this.samples.shift();
  }

  /** The answer goes on elsewhere: the speeds of two sources are never mixed. */
  handover(nowMs: number): void {
    this.#recent = [];
    this.handovers.push(this.#x(nowMs));
    if (this.handovers.length > MAX_ANSWERS) this.handovers.shift();
  }

  /** Tokens a second over the last moments; the time since the last token counts, so that a stall shows. */
  liveTps(nowMs: number): number | undefined {
    const first = this.#recent[0];
    if (first === undefined || nowMs <= first.atMs) return undefined;
    const after = this.#recent.slice(1).reduce((sum, { tokens }) => sum + tokens, 0);
    return after === 0 ? undefined : (after * 1000) / (nowMs - first.atMs);
  }

  /** The answer has ended; without a report (it was stopped, it failed) only its time counts. */
  end(nowMs: number, report: Report | undefined, at: Date): void {
    this.#answeringMs = this.#x(nowMs);
    this.#startedMs = nowMs;
    if (report === undefined) return;
    this.answers.push({
      answer: this.#count,
      at,
      source: report.source,
      reason: report.reason,
      predictedTtftMs: report.predicted.ttftMs ?? undefined,
      ttftMs: report.timings.ttftMs,
      predictedTps: report.predicted.decodeTps ?? undefined,
      tps: report.timings.decodeTps,
      handovers: report.handovers,
      spans: report.spans,
    });
    if (this.answers.length > MAX_ANSWERS) this.answers.shift();
  }

  #x(nowMs: number): number {
    return this.#answeringMs + nowMs - this.#startedMs;
  }
}

/** How far the measured value was from the predicted one, in percent of the prediction. */
export function offBy(predicted: number | undefined, measured: number | undefined): number | undefined {
  if (predicted === undefined || measured === undefined || predicted <= 0) return undefined;
  return Math.round(((measured - predicted) / predicted) * 100);
}
