const WINDOW_MS = 60_000;
/** Clients remembered at once; beyond this the oldest window is forgotten. */
const MAX_CLIENTS = 10_000;

interface Window {
  startMs: number;
  count: number;
}

/** Counts requests of each client in windows of a minute, in the memory of one isolate: a modest brake, not a wall. */
export class RateLimit {
  readonly #windows = new Map<string, Window>();

  constructor(
    readonly perMinute: number,
    readonly nowMs: () => number = Date.now,
  ) {}

  /** Counts one request. Returns the seconds to wait if it is one too many, else undefined. */
  take(client: string): number | undefined {
    if (this.perMinute === 0) return undefined;
    const now = this.nowMs();
    let window = this.#windows.get(client);
    if (window === undefined || now - window.startMs >= WINDOW_MS) {
      window = { startMs: now, count: 0 };
      // Set anew, so that the first entry is the oldest.
      this.#windows.delete(client);
      this.#windows.set(client, window);
      this.#forgetOldest();
    }
    window.count += 1;
    if (window.count <= this.perMinute) return undefined;
    return Math.max(1, Math.ceil((window.startMs + WINDOW_MS - now) / 1000));
  }

  #forgetOldest(): void {
    if (this.#windows.size <= MAX_CLIENTS) return;
    for (const client of this.#windows.keys()) {
      this.#windows.delete(client);
      return;
    }
  }
}
