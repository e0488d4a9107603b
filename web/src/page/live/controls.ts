import { byId, element } from '../dom';
import { formatMs } from '../format';
import { endpointOf, endpointProblem, fromSlider, type Settings, SLO_RANGE, toSlider } from '../settings';
import type { SettingsStore } from '../settings-store';
import { MODE_WORDS } from '../words';

/** How many times as long a step takes, for each place of the slider. */
const SLOWNESS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

/** The controls of the panel and the switch in the head of the page, bound to the settings. */
export class Controls {
  readonly #store: SettingsStore;
  readonly #neverCloud = byId('never-cloud', HTMLInputElement);
  readonly #mode = byId('mode', HTMLSelectElement);
  readonly #ttft = byId('slo-ttft', HTMLInputElement);
  readonly #ttftValue = byId('slo-ttft-value', HTMLOutputElement);
  readonly #tps = byId('slo-tps', HTMLInputElement);
  readonly #tpsValue = byId('slo-tps-value', HTMLOutputElement);
  readonly #endpoint = byId('endpoint', HTMLInputElement);
  readonly #state = byId('cloud-state', HTMLParagraphElement);
  readonly #fields: [keyof Settings, HTMLInputElement | HTMLSelectElement][] = [
    ['cloudModel', byId('cloud-model', HTMLInputElement)],
    ['continuation', byId('continuation', HTMLSelectElement)],
    ['tokenRoute', byId('token-route', HTMLInputElement)],
    ['token', byId('token', HTMLInputElement)],
  ];

  constructor(store: SettingsStore, actions: { onSlow(factor: number): void; onSaveTrace(): void }) {
    this.#store = store;
    this.#mode.append(...Object.entries(MODE_WORDS).map(([mode, words]) => new Option(words, mode)));
    this.#endpoint.placeholder = endpointOf({ ...store.current, endpoint: '' }, location.origin);
    this.#neverCloud.addEventListener('change', () => store.update({ neverCloud: this.#neverCloud.checked }));
    this.#mode.addEventListener('change', () => store.update({ mode: this.#mode.value as Settings['mode'] }));
    for (const slider of [this.#ttft, this.#tps]) {
      slider.addEventListener('input', () => this.#label(this.#slo()));
      slider.addEventListener('change', () => store.update({ slo: this.#slo() }));
    }
    this.#endpoint.addEventListener('change', () => this.#changeEndpoint());
    for (const [name, field] of this.#fields)
      field.addEventListener('change', () => store.update({ [name]: field.value.trim() }));
    byId('cloud-form', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
    byId('save-trace', HTMLButtonElement).addEventListener('click', actions.onSaveTrace);
    const slow = byId('slow', HTMLInputElement);
    const slowValue = byId('slow-value', HTMLOutputElement);
    const factor = (): number => SLOWNESS[slow.valueAsNumber] ?? 1;
    const labelSlow = (): void => {
      const words = factor() === 1 ? 'off' : `${factor()} times`;
      slowValue.textContent = words;
      slow.setAttribute('aria-valuetext', words);
    };
    labelSlow();
    slow.addEventListener('input', labelSlow);
    slow.addEventListener('change', () => actions.onSlow(factor()));
    store.onChange(() => this.#show());
    this.#show();
  }

  #show(): void {
    const { current } = this.#store;
    this.#neverCloud.checked = current.neverCloud;
    this.#mode.value = current.mode;
    this.#ttft.value = String(toSlider(current.slo.ttft_ms, SLO_RANGE.ttft_ms));
    this.#tps.value = String(toSlider(current.slo.tokens_per_second, SLO_RANGE.tokens_per_second));
    this.#label(current.slo);
    this.#endpoint.value = current.endpoint;
    for (const [name, field] of this.#fields) field.value = String(current[name]);
    const { host } = new URL(endpointOf(current, location.origin));
    this.#state.replaceChildren(
      element('strong', { text: current.neverCloud ? 'Not used. ' : 'Allowed. ' }),
      current.neverCloud
        ? 'While “Never cloud” is on, nothing that you ask leaves this device.'
        : `Questions and answers may go to ${host} when this device cannot keep the promise.`,
    );
  }

  #slo(): Settings['slo'] {
    return {
      ttft_ms: fromSlider(this.#ttft.valueAsNumber, SLO_RANGE.ttft_ms),
      tokens_per_second: fromSlider(this.#tps.valueAsNumber, SLO_RANGE.tokens_per_second),
    };
  }

  #label({ ttft_ms, tokens_per_second }: Settings['slo']): void {
    this.#ttftValue.textContent = formatMs(ttft_ms);
    this.#ttft.setAttribute('aria-valuetext', formatMs(ttft_ms));
    const speed = `${tokens_per_second} tokens a second`;
    this.#tpsValue.textContent = speed;
    this.#tps.setAttribute('aria-valuetext', speed);
  }

  /** An address that cannot be one is told at the field, and nothing changes. */
  #changeEndpoint(): void {
    const problem = endpointProblem(this.#endpoint.value);
    this.#endpoint.setCustomValidity(problem ?? '');
    this.#endpoint.setAttribute('aria-invalid', String(problem !== undefined));
    if (problem === undefined) this.#store.update({ endpoint: this.#endpoint.value.trim() });
    else this.#endpoint.reportValidity();
  }
}
