import type { InshoreEvents } from '../../sdk/contract';
import { byId, element } from '../dom';
import { formatWait } from '../format';

const STATES = {
  closed: 'in use',
  open: 'rests after failures',
  half_open: 'is tried with one request',
} as const;

/** The circuit breakers that have ever moved, and how they stand. */
export class BreakerList {
  readonly #list = byId('breakers', HTMLUListElement);
  readonly #breakers = new Map<string, InshoreEvents['breaker']>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#show();
  }

  /** A breaker moved. */
  moved(breaker: InshoreEvents['breaker']): void {
    this.#breakers.set(breaker.key, breaker);
    this.#show();
  }

  /** There is another endpoint now, or none: how the old one's stands is nobody's business. */
  forgetCloud(): void {
    for (const key of this.#breakers.keys()) if (isCloud(key)) this.#breakers.delete(key);
    this.#show();
  }

  #show(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const lines = [...this.#breakers.values()].map(({ key, state, untilMs }) => {
      const left = state === 'open' && untilMs !== undefined ? untilMs - now : 0;
      const wait = left > 0 ? `, ${formatWait(left / 1000)} more` : '';
      const line = element('li', { className: `breaker ${state}` });
      line.dataset.state = state;
      line.append(element('span', { text: nameOf(key), className: 'key-name' }), ` ${STATES[state]}${wait}`);
      line.title = key;
      return line;
    });
    this.#list.replaceChildren(
      ...(lines.length > 0 ? lines : [element('li', { text: 'All closed: nothing failed.' })]),
    );
    const waiting = [...this.#breakers.values()].some(
      ({ state, untilMs }) => state === 'open' && (untilMs ?? 0) > now,
    );
    // A hidden page wakes it late, which does no harm.
    if (waiting) this.#timer = setTimeout(() => this.#show(), 1000);
  }
}

const isCloud = (key: string): boolean => /^https?:/.test(key);

/** Keys name engine, model and adapter, or an endpoint. */
const nameOf = (key: string): string =>
  isCloud(key) ? 'The cloud' : key.length > 40 ? `${key.slice(0, 40)}…` : key;
