/**
 * Watches a stream of text for stop texts, as the engine does: text is held back while it may be the beginning of one.
 * For endpoints that ignore `stop`, and for a stop text that lies across a hand-over.
 */
export class StopText {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Takes the next piece; gives back what is surely part of the answer, and whether a stop text ended it. */
  push(piece: string): { text: string; stopped: boolean } {
    this.#held += piece;
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      const text = this.#held.slice(0, Math.min(...found));
      this.#held = '';
      return { text, stopped: true };
    }
    const keep = Math.max(0, ...this.#stops.map((stop) => overlap(this.#held, stop)));
    const text = this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(text.length);
    return { text, stopped: false };
  }

  /** The end of the stream: what was held back belongs to the answer after all. */
  finish(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }
}

/** Length of the longest end of `text` that is a proper beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
