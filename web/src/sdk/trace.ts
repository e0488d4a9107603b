import type { Order, RouteConfig, RouteEvent, TraceLine } from '../route/types';

/** Lines kept by default: about a hundred answers. */
const MAX_LINES = 20_000;

/**
 * What the policy was told and what it ordered, line by line. It holds no text of prompts or answers. A replay needs
 * the beginning, so a full trace stops growing rather than forgetting its first lines.
 */
export class Trace {
  readonly #lines: TraceLine[];
  readonly #maxLines: number;
  readonly #onLine: ((line: TraceLine) => void) | undefined;
  #dropped = 0;

  constructor(config: RouteConfig, options: { maxLines?: number; onLine?: (line: TraceLine) => void } = {}) {
    this.#lines = [{ config }];
    this.#maxLines = options.maxLines ?? MAX_LINES;
    this.#onLine = options.onLine;
  }

  /** Notes one event with its orders. */
  add(now_ms: number, event: RouteEvent, orders: Order[]): void {
    const line = { now_ms, event, orders };
    if (this.#lines.length < this.#maxLines) this.#lines.push(line);
    else this.#dropped += 1;
    this.#onLine?.(line);
  }

  /** The lines so far, the configuration first. */
  get lines(): readonly TraceLine[] {
    return this.#lines;
  }

  /** Lines that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** One JSON object a line, as `inshore route replay` reads it. */
  toJsonl(): string {
    return this.#lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}
