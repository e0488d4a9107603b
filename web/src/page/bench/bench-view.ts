import { InshoreError } from '../../error';
import { byId } from '../dom';
import { saveFile } from '../save-file';
import { type BenchResult, type BenchRun, cells, HEADS, rows, toJson, toMarkdown } from './result';
import { type BenchProgress, type BenchTarget, runBench } from './runner';

/** What the benchmark needs of the page. */
export interface BenchHost {
  /** The engine as a target; undefined while no model is loaded. */
  device(): BenchTarget | undefined;
  /** The cloud as a target; undefined while it is not allowed. */
  cloud(): BenchTarget | undefined;
  /** What is known of device, model and endpoint. */
  facts(withCloud: boolean): Promise<Omit<BenchResult, 'runs' | 'date'>>;
  /** Whether the chat has the engine at present. */
  answering(): boolean;
  /** The benchmark wants the engine for itself. */
  setRunning(running: boolean): void;
}

/** The benchmark's view: a form, its progress, a table, two exports. */
export class BenchView {
  readonly #host: BenchHost;
  readonly #runs = byId('bench-runs', HTMLSelectElement);
  readonly #cloud = byId('bench-cloud', HTMLInputElement);
  readonly #start = byId('bench-start', HTMLButtonElement);
  readonly #stop = byId('bench-stop', HTMLButtonElement);
  readonly #progressBox = byId('bench-progress-box', HTMLDivElement);
  readonly #progress = byId('bench-progress', HTMLProgressElement);
  readonly #progressText = byId('bench-progress-text', HTMLParagraphElement);
  readonly #status = byId('bench-status', HTMLParagraphElement);
  readonly #hint = byId('bench-hint', HTMLParagraphElement);
  readonly #result = byId('bench-result', HTMLDivElement);
  readonly #table = byId('bench-table', HTMLTableElement);
  #abort: AbortController | undefined;
  #last: BenchResult | undefined;

  constructor(host: BenchHost) {
    this.#host = host;
    const heads = HEADS.map((head) => {
      const th = document.createElement('th');
      th.scope = 'col';
      th.textContent = head;
      return th;
    });
    this.#table.tHead?.rows[0]?.replaceChildren(...heads);
    byId('bench-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.run();
    });
    this.#stop.addEventListener('click', () => this.#abort?.abort());
    byId('bench-json', HTMLButtonElement).addEventListener('click', () => this.#export('json'));
    byId('bench-markdown', HTMLButtonElement).addEventListener('click', () => this.#export('md'));
  }

  /** The last whole result. */
  get result(): BenchResult | undefined {
    return this.#last;
  }

  /** Shows what can be run at present. */
  refresh(): void {
    const device = this.#host.device() !== undefined;
    const cloud = this.#host.cloud() !== undefined;
    this.#cloud.disabled = !cloud || this.#abort !== undefined;
    if (!cloud) this.#cloud.checked = false;
    this.#start.disabled = !device && !cloud;
    this.#hint.textContent = device
      ? cloud
        ? ''
        : 'To compare with the cloud, switch “Never cloud” off.'
      : 'Load the model in the chat first.';
  }

  /** Runs it; once at a time. */
  async run(): Promise<void> {
    if (this.#abort !== undefined) return;
    const device = this.#host.device();
    const cloud = this.#cloud.checked ? this.#host.cloud() : undefined;
    const targets: [BenchRun['target'], BenchTarget][] = [];
    if (device !== undefined) targets.push(['on_device', device]);
    if (cloud !== undefined) targets.push(['in_cloud', cloud]);
    if (targets.length === 0) return this.refresh();
    if (this.#host.answering()) {
      this.#status.textContent = 'An answer is running in the chat. Stop it, or wait for its end.';
      return;
    }
    this.#abort = new AbortController();
    this.#setRunning(true);
    this.#status.textContent = '';
    try {
      const runs = await runBench(targets, Number(this.#runs.value), this.#abort.signal, (progress, done) =>
        this.#show(progress, done),
      );
      const facts = await this.#host.facts(cloud !== undefined);
      this.#last = { date: new Date().toISOString(), ...facts, runs };
      this.#fill(runs);
      this.#status.textContent = `Done: ${runs.length} runs.`;
    } catch (error) {
      this.#last = undefined;
      const { code, message } = InshoreError.from(error);
      this.#status.textContent =
        code === 'cancelled' ? 'Stopped; nothing to export.' : `${message} (${code})`;
    } finally {
      this.#abort = undefined;
      this.#setRunning(false);
    }
  }

  #setRunning(running: boolean): void {
    const moved = running ? this.#start : this.#stop;
    const hadFocus = moved === document.activeElement;
    this.#host.setRunning(running);
    this.#start.hidden = running;
    this.#stop.hidden = !running;
    this.#progressBox.hidden = !running;
    this.#runs.disabled = running;
    this.#result.hidden = running || this.#last === undefined;
    if (!running) this.refresh();
    else this.#cloud.disabled = true;
    if (hadFocus) (running ? this.#stop : this.#start).focus();
  }

  #show({ done, total, target, prompt }: BenchProgress, runs: readonly BenchRun[]): void {
    this.#progress.value = done / total;
    const where = target === 'on_device' ? 'This device' : 'Cloud';
    this.#progressText.textContent = `${where}: ${prompt} (${done + 1} of ${total})`;
    if (runs.length > 0) this.#fill(runs);
  }

  #fill(runs: readonly BenchRun[]): void {
    const made = rows(runs).map((row) => {
      const tr = document.createElement('tr');
      for (const [index, cell] of cells(row).entries()) {
        const td = document.createElement(index < 2 ? 'th' : 'td');
        if (td instanceof HTMLTableCellElement && index < 2) td.scope = 'row';
        td.textContent = cell;
        tr.append(td);
      }
      return tr;
    });
    this.#table.tBodies[0]?.replaceChildren(...made);
  }

  #export(kind: 'json' | 'md'): void {
    if (this.#last === undefined) return;
    const name = `inshore-bench-${this.#last.date.slice(0, 19).replaceAll(/[:T]/g, '-')}.${kind}`;
    if (kind === 'json') saveFile(name, 'application/json', toJson(this.#last));
    else saveFile(name, 'text/markdown', toMarkdown(this.#last));
  }
}
