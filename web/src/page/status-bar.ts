import type { DeviceReport } from '../engine/protocol';
import { byId } from './dom';
import { formatAdapter, formatBackend, formatBytes } from './format';

/** The line that says what computes, and why it is not the GPU. */
export class StatusBar {
  readonly #bar = byId('status', HTMLDivElement);
  readonly #backend = byId('backend', HTMLSpanElement);
  readonly #adapter = byId('adapter', HTMLSpanElement);
  readonly #memory = byId('memory', HTMLSpanElement);
  readonly #fallback = byId('fallback', HTMLParagraphElement);

  constructor(actions: { onRemove(): void }) {
    byId('remove', HTMLButtonElement).addEventListener('click', actions.onRemove);
  }

  /** Shows the device and any fallback. */
  show(report: DeviceReport, notes: readonly string[] = []): void {
    this.#bar.hidden = false;
    this.#backend.textContent = formatBackend(report);
    this.#backend.dataset.backend = report.backend;
    this.#adapter.textContent = formatAdapter(report);
    // Where the engine's name for it says more, it is one hover away.
    this.#adapter.title = report.name;
    const fallback =
      report.fallback === undefined
        ? []
        : [`Runs on WASM SIMD instead of the GPU: ${report.fallback.message}`];
    const words = [...fallback, ...notes];
    this.#fallback.hidden = words.length === 0;
    this.#fallback.textContent = words.join(' ');
  }

  /** Shows the engine's memory. */
  memory(bytes: number): void {
    this.#memory.textContent = `${formatBytes(bytes)} memory`;
  }

  /** Takes the line off the page. */
  hide(): void {
    this.#bar.hidden = true;
  }
}
