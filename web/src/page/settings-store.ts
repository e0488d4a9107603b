import { fromStored, type Settings, toStored } from './settings';

const KEY = 'inshore.settings';

/** The settings of this origin, and whoever wants to know of a change. */
export class SettingsStore {
  #settings: Settings;
  readonly #listeners: ((settings: Settings, before: Settings) => void)[] = [];

  constructor() {
    this.#settings = fromStored(read());
    // Another tab's switch counts here too: "never cloud" is a promise of the origin, not of one tab.
    globalThis.addEventListener?.('storage', ({ key, newValue }) => {
      if (key === KEY) this.#set({ ...fromStored(newValue), token: this.#settings.token });
    });
  }

  /** As they are now. */
  get current(): Settings {
    return this.#settings;
  }

  /** Changes some of them and keeps them. */
  update(change: Partial<Settings>): void {
    this.#set({ ...this.#settings, ...change });
    write(toStored(this.#settings));
  }

  /** Calls `listener` after every change. */
  onChange(listener: (settings: Settings, before: Settings) => void): void {
    this.#listeners.push(listener);
  }

  #set(next: Settings): void {
    const before = this.#settings;
    this.#settings = next;
    for (const listener of this.#listeners) listener(next, before);
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    // Storage may be forbidden: then they last as long as the page.
    return null;
  }
}

function write(value: string): void {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // As above.
  }
}
