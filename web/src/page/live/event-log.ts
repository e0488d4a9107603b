import { byId, element } from '../dom';

const MAX_LINES = 40;

/** What happened, the latest first. */
export class EventLog {
  readonly #list = byId('events', HTMLOListElement);

  /** Adds a line with the time of day. */
  add(words: string): void {
    const line = element('li');
    const now = new Date();
    const time = element('time', { text: now.toLocaleTimeString(), className: 'small' });
    time.dateTime = now.toISOString();
    line.append(time, ` ${words}`);
    this.#list.prepend(line);
    while (this.#list.childElementCount > MAX_LINES) this.#list.lastElementChild?.remove();
  }
}
