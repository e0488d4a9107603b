/** Rate of a transfer over its last seconds; pure, the clock comes from outside. */
export class SpeedMeter {
  readonly #windowMs: number;
  #samples: { atMs: number; bytes: number }[] = [];

  constructor(windowMs = 5000) {
    this.#windowMs = windowMs;
  }

  /** Notes that `bytes` were there at `atMs`. Fewer than before: a new beginning. */
  add(bytes: number, atMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && bytes < last.bytes) this.#samples = [];
    this.#samples.push({ atMs, bytes });
    while (this.#samples.length > 2 && atMs - (this.#samples[0]?.atMs ?? atMs) > this.#windowMs)
      this.#samples.shift();
  }

  /** Bytes a second, once there are two samples in different moments. */
  rate(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined;
    return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
  }

  /** Seconds until `totalBytes`, at the present rate. */
  secondsTo(totalBytes: number): number | undefined {
    const rate = this.rate();
    const last = this.#samples.at(-1);
    if (rate === undefined || rate <= 0 || last === undefined) return undefined;
    return (totalBytes - last.bytes) / rate;
  }
}
