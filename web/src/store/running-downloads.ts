/** The downloads that a page has asked for, by its numbers, each with the signal that cancels it. */
export class RunningDownloads {
  readonly #running = new Map<number, AbortController>();
  /** Cancelled before they began. */
  readonly #cancelled = new Set<number>();
  readonly #finished = new Set<number>();

  /** Begins download `number`. To be called before anything is waited for: until then nobody can cancel it. */
  begin(number: number): AbortSignal {
    const controller = new AbortController();
    if (this.#cancelled.delete(number)) controller.abort();
    this.#running.set(number, controller);
    return controller.signal;
  }

  /** Cancels download `number`, also one whose call has not arrived yet. */
  cancel(number: number): void {
    const controller = this.#running.get(number);
    if (controller !== undefined) controller.abort();
    // The word may cross with the result.
    else if (!this.#finished.has(number)) this.#cancelled.add(number);
  }

  /** Notes that download `number` has ended. */
  end(number: number): void {
    this.#running.delete(number);
    this.#finished.add(number);
  }
}
