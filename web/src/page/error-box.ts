import { InshoreError } from '../error';
import { byId } from './dom';

/** The one place where errors are shown. */
export class ErrorBox {
  readonly #box = byId('error', HTMLDivElement);
  readonly #text = byId('error-text', HTMLSpanElement);
  readonly #code = byId('error-code', HTMLElement);
  readonly #retry = byId('retry', HTMLButtonElement);
  #onRetry: (() => void) | undefined;

  constructor() {
    this.#retry.addEventListener('click', () => {
      const retry = this.#onRetry;
      this.clear();
      retry?.();
    });
  }

  /** Shows `error`, with a button for `retry` where there is something to do. */
  show(error: unknown, retry?: { label: string; action(): void }): void {
    const known = InshoreError.from(error);
    this.#text.textContent = known.message;
    this.#code.textContent = known.code;
    this.#retry.hidden = retry === undefined;
    this.#retry.textContent = retry?.label ?? '';
    this.#onRetry = retry?.action;
    this.#box.hidden = false;
    this.#box.scrollIntoView({ block: 'nearest' });
  }

  /** Takes the error off the page. */
  clear(): void {
    this.#box.hidden = true;
    this.#onRetry = undefined;
  }
}
