import { byId } from './dom';

/**
 * Speaks to screen readers. A growing answer would be read word by word in fragments; instead the log is quiet, and what
 * matters is said once: that an answer came, where it went over, how it ended.
 */
export class Announcer {
  readonly #region = byId('announcer', HTMLDivElement);
  #queue: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Says `words` when it is its turn; several at once are said together. */
  say(words: string): void {
    this.#queue.push(words);
    this.#timer ??= setTimeout(() => {
      this.#region.textContent = this.#queue.join(' ');
      this.#queue = [];
      this.#timer = undefined;
    }, 150);
  }
}
