import { byId } from './dom';

const NARROW = matchMedia('(max-width: 60rem)');

/**
 * The live panel: beside the chat on a wide screen, over it as a sheet on a narrow one. As a sheet it is a dialog: the
 * rest of the page is inert, Escape closes it, and the focus goes back to where it came from.
 */
export class Sheet {
  readonly #panel = byId('panel', HTMLDivElement);
  readonly #toggle = byId('panel-toggle', HTMLButtonElement);
  readonly #close = byId('panel-close', HTMLButtonElement);
  readonly #rest = byId('column', HTMLDivElement);
  readonly #onChange: (open: boolean) => void;
  #open: boolean;

  constructor(options: { open: boolean; onChange(open: boolean): void }) {
    this.#onChange = options.onChange;
    // A sheet that covers the chat opens on demand only.
    this.#open = options.open && !NARROW.matches;
    this.#toggle.addEventListener('click', () => this.#set(!this.#open));
    this.#close.addEventListener('click', () => this.#set(false));
    document.addEventListener(
      'keydown',
      (event) => {
        if (event.key !== 'Escape' || !this.#open || !NARROW.matches) return;
        event.preventDefault();
        this.#set(false);
      },
      // Before the chat, for which Escape means Stop.
      { capture: true },
    );
    NARROW.addEventListener('change', () => {
      if (NARROW.matches) this.#open = false;
      this.#show();
    });
    this.#show();
  }

  #set(open: boolean): void {
    this.#open = open;
    this.#show();
    if (open && NARROW.matches) this.#close.focus();
    if (!open) this.#toggle.focus();
    // On a narrow screen it is closed most of the time: that says nothing of the wide one.
    if (!NARROW.matches) this.#onChange(open);
  }

  #show(): void {
    const sheet = NARROW.matches;
    this.#panel.hidden = !this.#open;
    this.#toggle.setAttribute('aria-expanded', String(this.#open));
    this.#rest.inert = sheet && this.#open;
    document.body.classList.toggle('with-panel', this.#open && !sheet);
    this.#panel.setAttribute('role', sheet ? 'dialog' : 'complementary');
    if (sheet) this.#panel.setAttribute('aria-modal', 'true');
    else this.#panel.removeAttribute('aria-modal');
  }
}
