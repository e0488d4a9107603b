/** The running downloads of a page, by the page's numbers, each with the signal that cancels it. */
export class RunningDownloads {
  readonly #running = new Map<number, AbortController>();
  /** Numbers of downloads that were cancelled before they began. */
  readonly #cancelled = new Set<number>();
  readonly #finished = new Set<number>();

  /** Registers download `number`. Call it before the first `await`, so that the download can be cancelled from then on. */
  begin(number: number): AbortSignal {
    const controller = new AbortController();
    if (this.#cancelled.delete(number)) controller.abort();
    this.#running.set(number, controller);
    return controller.signal;
  }

  /** Cancels download `number`, even if its call has not arrived yet. */
  cancel(number: number): void {
    const controller = this.#running.get(number);
    if (controller !== undefined) controller.abort();
    // The cancellation may cross with the result.
    else if (!this.#finished.has(number)) this.#cancelled.add(number);
  }

  /** Notes that download `number` has ended. */
  end(number: number): void {
    this.#running.delete(number);
    this.#finished.add(number);
  }
}
