import type { Order, RouteConfig, RouteEvent, TraceLine } from '../route/types';
import { Redactor } from './trace-redactor';

/** Lines kept by default: about a hundred answers. */
const MAX_LINES = 20_000;

/**
 * The policy's events with its orders, as JSON lines. The trace keeps the latest lines and counts the dropped ones. It
 * holds times, counts and words of the policy: names and addresses are replaced by numbers (see {@link Redactor}).
 */
export class Trace {
  readonly #config: RouteConfig;
  readonly #maxLines: number;
  readonly #onLine: ((line: TraceLine) => void) | undefined;
  readonly #redactor = new Redactor();
  /** A ring: once it is full, `#oldest` is the place of its first line. */
  readonly #ring: TraceLine[] = [];
  #oldest = 0;
  #dropped = 0;

  constructor(config: RouteConfig, options: { maxLines?: number; onLine?: (line: TraceLine) => void } = {}) {
    this.#config = config;
    this.#maxLines = Math.max(1, options.maxLines ?? MAX_LINES);
    this.#onLine = options.onLine;
  }

  /** Appends one event with its orders. */
  add(now_ms: number, event: RouteEvent, orders: Order[]): void {
    const line = this.#redactor.line({ now_ms, event, orders });
    if (this.#ring.length < this.#maxLines) this.#ring.push(line);
    else {
      this.#ring[this.#oldest] = line;
      this.#oldest = (this.#oldest + 1) % this.#maxLines;
      this.#dropped += 1;
    }
    this.#onLine?.(line);
  }

  /** The configuration (with `dropped`, the number of older lines that are gone), then the latest lines in order. */
  get lines(): readonly TraceLine[] {
    const head = this.#dropped === 0 ? {} : { dropped: this.#dropped };
    const latest = [...this.#ring.slice(this.#oldest), ...this.#ring.slice(0, this.#oldest)];
    return [{ config: this.#config, ...head }, ...latest];
  }

  /** One JSON object per line, as `inshore route replay` reads it. */
  toJsonl(): string {
    return this.lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}
