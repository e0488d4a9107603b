/** A heart beats so often while requests run. */
const BEAT_MS = 500;
/** A beat may be late by so much (a busy page, a hidden tab's timers at one a second) before the clock counts as stopped. */
const LATE_MS = 1_000;
/** The longest time that `setTimeout` takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** What a timekeeper tells. */
export interface TimekeeperListener {
  /** The time of `wakeAt` has come. */
  onWake(): void;
  /** The page slept (a suspended laptop, a frozen tab, a long task): this many ms did not count. */
  onSuspended(lostMs: number): void;
}

/**
 * The policy's clock: wakes it when it asked for it, and notices when time went by in which the page did not run, so that
 * no answer is taken for stalled that nobody could have received.
 */
export class Timekeeper {
  readonly #now: () => number;
  readonly #listener: TimekeeperListener;
  readonly #wakes = new Set<number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heart: ReturnType<typeof setInterval> | undefined;
  #lastBeat = 0;

  constructor(listener: TimekeeperListener, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#listener = listener;
  }

  /** Now, in ms, on the clock of all events. */
  now(): number {
    return this.#now();
  }

  /** Wakes the policy at `atMs`. */
  wakeAt(atMs: number): void {
    this.#wakes.add(atMs);
    this.#arm();
  }

  /** Requests run (or no longer): only then the heart beats. */
  setBusy(busy: boolean): void {
    if (busy === (this.#heart !== undefined)) return;
    clearInterval(this.#heart);
    this.#lastBeat = this.#now();
    this.#heart = busy ? setInterval(() => this.check(), BEAT_MS) : undefined;
  }

  /** Looks for lost time; called before every event too, for after a pause any timer may be the first to run. */
  check(): void {
    if (this.#heart === undefined) return;
    const now = this.#now();
    const gap = now - this.#lastBeat;
    this.#lastBeat = now;
    if (gap > BEAT_MS + LATE_MS) this.#listener.onSuspended(gap - BEAT_MS);
  }

  /** Stops every timer. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#wakes.clear();
    this.setBusy(false);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#wakes.size === 0) return;
    const wait = Math.max(0, Math.min(...this.#wakes) - this.#now());
    this.#timer = setTimeout(() => this.#ring(), Math.min(wait, MAX_TIMEOUT_MS));
  }

  #ring(): void {
    const now = this.#now();
    const due = [...this.#wakes].filter((atMs) => atMs <= now);
    for (const atMs of due) this.#wakes.delete(atMs);
    this.#arm();
    if (due.length > 0) this.#listener.onWake();
  }
}
