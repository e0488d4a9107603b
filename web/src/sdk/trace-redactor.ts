import type { Order, RouteEvent } from '../route/types';

/** Fields whose values are words of the policy's own language (`route/types.ts`). */
const WORD_FIELDS: ReadonlySet<string> = new Set([
  'type',
  'mode',
  'privacy',
  'availability',
  'source',
  'continuation',
  'kind',
  'last',
  'reason',
  'manner',
  'plan',
  'state',
]);

/** Pattern of those words. */
const WORD = /^[a-z]+(_[a-z]+){0,5}$/;

/** Features that a request can ask for and the engine here may lack. */
const FEATURES: ReadonlySet<string> = new Set([
  'tools',
  'response_format',
  'logit_bias',
  'audio',
  'images',
  'files',
  'prefix',
  'web_search',
]);

/** A line of the trace: an event with its orders. */
interface EventLine {
  now_ms: number;
  event: RouteEvent;
  orders: Order[];
}

/**
 * Removes personal text from a line: keys of devices and endpoints (which hold file names and addresses) and names of
 * conversations become numbered aliases. Equal names get equal aliases, so a replay makes the same decisions as the policy.
 * Unknown fields are replaced too: only words of the policy's own language pass.
 */
export class Redactor {
  readonly #aliases = new Map<string, string>();

  /** Returns the line with aliases. */
  line(line: EventLine): EventLine {
    return this.#redact(line, '') as EventLine;
  }

  #redact(value: unknown, field: string): unknown {
    if (typeof value === 'string') return this.#text(value, field);
    if (Array.isArray(value)) return value.map((item) => this.#redact(item, field));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value as object);
    return Object.fromEntries(entries.map(([name, item]) => [name, this.#redact(item, name)]));
  }

  #text(text: string, field: string): string {
    if (text === '' || (WORD_FIELDS.has(field) && WORD.test(text))) return text;
    if (field === 'local_lacks' && FEATURES.has(text)) return text;
    // Keys of events and orders share one list, because a breaker and a snapshot use the same key.
    const known = this.#aliases.get(text);
    if (known !== undefined) return known;
    const alias = `${field === 'conversation' ? 'conversation' : 'name'}-${this.#aliases.size + 1}`;
    this.#aliases.set(text, alias);
    return alias;
  }
}
