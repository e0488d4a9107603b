import type { Progress } from '../sdk/contract';
import type { ModelRef } from '../store/model';
import type { Stored } from '../store/protocol';
import { byId } from './dom';
import { formatBytes, formatWait } from './format';
import { SpeedMeter } from './speed';

/** A model of another site. */
export interface Foreign {
  host: string;
  /** Size that the site reports. */
  bytes: number | undefined;
  /** Whether the site was asked for the size. */
  asked: boolean;
}

/** The card that offers the model, and shows how far its download and load are. */
export class ModelCard {
  readonly #card = byId('model-card', HTMLElement);
  readonly #name = byId('model-name', HTMLHeadingElement);
  readonly #note = byId('model-note', HTMLParagraphElement);
  readonly #choiceLabel = byId('model-choice-label', HTMLLabelElement);
  readonly #choice = byId('model-choice', HTMLSelectElement);
  readonly #download = byId('download', HTMLButtonElement);
  readonly #pause = byId('pause', HTMLButtonElement);
  readonly #remove = byId('card-remove', HTMLButtonElement);
  readonly #estimate = byId('estimate', HTMLButtonElement);
  readonly #file = byId('model-file-label', HTMLLabelElement);
  readonly #estimateText = byId('estimate-text', HTMLParagraphElement);
  readonly #progressBox = byId('progress-box', HTMLDivElement);
  readonly #progress = byId('progress', HTMLProgressElement);
  readonly #progressText = byId('progress-text', HTMLParagraphElement);
  #speed = new SpeedMeter();

  constructor(actions: {
    onDownload(): void;
    onPause(): void;
    onRemove(): void;
    onChoose(index: number): void;
    onEstimate(): void;
    onFile(file: File): void;
  }) {
    this.#download.addEventListener('click', actions.onDownload);
    this.#pause.addEventListener('click', actions.onPause);
    this.#remove.addEventListener('click', actions.onRemove);
    this.#estimate.addEventListener('click', actions.onEstimate);
    const file = byId('model-file', HTMLInputElement);
    file.addEventListener('change', () => {
      const [chosen] = file.files ?? [];
      // The same file may be chosen again after an error.
      file.value = '';
      if (chosen !== undefined) actions.onFile(chosen);
    });
    this.#choice.addEventListener('change', () => actions.onChoose(this.#choice.selectedIndex));
  }

  /** Fills the choice; it is shown where there is one. */
  list(names: readonly string[]): void {
    this.#choice.replaceChildren(...names.map((name) => new Option(name)));
    this.#choiceLabel.hidden = names.length < 2;
  }

  /** Offers `model` for download, or the rest of it, or what is here already for another load. */
  offer(model: ModelRef, stored: Stored, foreign?: Foreign): void {
    this.#show(model);
    const bytes = model.bytes ?? foreign?.bytes;
    const size = bytes === undefined ? '' : ` (${formatBytes(bytes)})`;
    const begun = stored.bytes > 0;
    if (stored.complete) {
      this.#note.textContent = 'It is stored in this browser, but not loaded.';
      this.#download.textContent = 'Load model';
    } else if (begun) {
      this.#note.textContent = `${formatBytes(stored.bytes)} are here already.`;
      this.#download.textContent = `Resume download${size}`;
    } else if (foreign !== undefined) {
      this.#offerForeign(model, foreign, size);
    } else {
      this.#note.textContent =
        'Runs in this tab. It is downloaded once and kept in this browser; while “Never cloud” is on, what you write does not leave the device.';
      this.#download.textContent = `Download model${size}`;
    }
    this.#download.hidden = false;
    this.#remove.hidden = !begun;
    this.#estimate.hidden = stored.complete;
    this.#file.hidden = false;
    this.#choice.disabled = false;
  }

  /** Shows which file would be fetched from which site, because the link chose them and not this site. */
  #offerForeign({ url }: ModelRef, { host, asked }: Foreign, size: string): void {
    const file = new URL(url).pathname.slice(0, 200);
    const large = size !== '' ? size : asked ? ', whose size the server does not say' : '';
    this.#note.textContent = `The link that you opened names a model on another site: ${file} at ${host}${large}. Nothing is fetched from there until you ask for it.`;
    this.#download.textContent =
      size === '' && !asked ? `Ask ${host} for its size` : `Download model from ${host}${size}`;
  }

  /** Shows what the test of the device says; undefined while it runs or where there is nothing to say. */
  estimated(words: string | undefined, options: { busy?: boolean } = {}): void {
    this.#estimate.disabled = options.busy === true;
    this.#estimateText.hidden = words === undefined;
    this.#estimateText.textContent = words ?? '';
  }

  /** Shows how far download and load are. */
  progress(model: ModelRef, progress: Progress): void {
    if (progress.phase === 'loading') this.#loading(model, progress.doneBytes, progress.totalBytes ?? 0);
    else this.#downloading(model, progress);
  }

  #downloading(model: ModelRef, progress: Progress): void {
    this.#busy(model, 'Downloading the model, once.');
    this.#pause.hidden = false;
    const { phase, doneBytes } = progress;
    const totalBytes = progress.totalBytes ?? model.bytes;
    this.#bar(doneBytes, totalBytes);
    if (phase === 'waiting') {
      this.#progressText.textContent = 'Another tab is downloading this model; waiting for it.';
    } else if (phase === 'verifying') {
      this.#progressText.textContent = 'Checking the file …';
    } else {
      this.#speed.add(doneBytes, performance.now());
      this.#progressText.textContent = this.#describe(doneBytes, totalBytes);
    }
  }

  #loading(model: ModelRef, doneBytes: number, totalBytes: number): void {
    this.#busy(model, 'Loading the model onto the device.');
    this.#bar(doneBytes, totalBytes);
    this.#progressText.textContent =
      totalBytes > 0 ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : 'Starting the engine …';
  }

  /** Takes the card off the page. */
  hide(): void {
    this.#card.hidden = true;
  }

  #describe(doneBytes: number, totalBytes: number | undefined): string {
    const parts = [
      `${formatBytes(doneBytes)}${totalBytes === undefined ? '' : ` of ${formatBytes(totalBytes)}`}`,
    ];
    const rate = this.#speed.rate();
    if (rate !== undefined) parts.push(`${formatBytes(Math.round(rate))}/s`);
    const left = totalBytes === undefined ? undefined : this.#speed.secondsTo(totalBytes);
    if (left !== undefined) parts.push(`${formatWait(left)} left`);
    return parts.join(' · ');
  }

  #bar(doneBytes: number, totalBytes: number | undefined): void {
    if (totalBytes === undefined || totalBytes <= 0) this.#progress.removeAttribute('value');
    else this.#progress.value = Math.min(1, doneBytes / totalBytes);
  }

  #busy(model: ModelRef, note: string): void {
    if (this.#progressBox.hidden) this.#speed = new SpeedMeter();
    this.#show(model);
    this.#note.textContent = note;
    this.#progressBox.hidden = false;
    this.#choice.disabled = true;
  }

  #show(model: ModelRef): void {
    this.#card.hidden = false;
    this.#name.textContent = model.name;
    this.#download.hidden = true;
    this.#pause.hidden = true;
    this.#remove.hidden = true;
    this.#estimate.hidden = true;
    this.#file.hidden = true;
    this.#progressBox.hidden = true;
  }
}
