import { byId } from './dom';

/** The views of the page; the part of the address behind `#` names one. */
export type ViewName = 'chat' | 'bench';

/** Shows one view at a time, as the address says: Back and bookmarks work. */
export class Views {
  readonly #scroller = byId('scroller', HTMLElement);
  readonly #onShow: (view: ViewName) => void;

  constructor(onShow: (view: ViewName) => void) {
    this.#onShow = onShow;
    window.addEventListener('hashchange', () => this.show());
  }

  /** The view that the address names. */
  get current(): ViewName {
    return location.hash === '#bench' ? 'bench' : 'chat';
  }

  /** Shows the view of the address. */
  show(): void {
    const view = this.current;
    document.body.dataset.view = view;
    for (const link of document.querySelectorAll<HTMLAnchorElement>('nav a')) {
      if (link.hash === `#${view}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    document.title = view === 'bench' ? 'Benchmark – inshore' : 'inshore';
    this.#scroller.scrollTop = 0;
    this.#onShow(view);
  }
}
