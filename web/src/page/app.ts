import type { EngineClient } from '../engine/client';
import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import type { EngineState, Progress } from '../sdk/contract';
import { blamesRequest } from '../sdk/engine-failure';
import { createInshore, type Inshore } from '../sdk/inshore';
import { ModelStore } from '../store/client';
import { Announcer } from './announcer';
import { requestOf } from './ask';
import { BenchView } from './bench/bench-view';
import { benchHost } from './bench/host';
import type { ChatAnswer } from './chat/chat-answer';
import { ChatView } from './chat/chat-view';
import { Conversation } from './chat/conversation';
import { ErrorBox } from './error-box';
import { askSize, foreignHost } from './foreign-model';
import { formatEstimate } from './format';
import { Controls } from './live/controls';
import { Panel } from './live/panel';
import { listModels, type OfferedModel, offer } from './manifest';
import { type Foreign, ModelCard } from './model-card';
import { type PageQuery, readQuery } from './query';
import { saveFile } from './save-file';
import { cloudOptions } from './settings';
import { SettingsStore } from './settings-store';
import { Sheet } from './sheet';
import { StatusBar } from './status-bar';
import { Views } from './views';

/** The page: from the offered model over its download to the conversation. */
export class App {
  readonly store = new ModelStore();
  readonly settings = new SettingsStore();
  readonly #errors = new ErrorBox();
  readonly #panel = new Panel(this.settings.current.slo);
  readonly #status = new StatusBar({ onRemove: () => void this.#remove() });
  readonly #card = new ModelCard({
    onDownload: () => void this.#downloadClicked(),
    onPause: () => this.#download?.abort(),
    onRemove: () => void this.#remove(),
    onChoose: (index) => void this.#choose(index),
    onEstimate: () => void this.#estimate(),
    onFile: (file) => void this.#useFile(file),
  });
  readonly #chat = new ChatView({
    onAsk: (question) => void this.#ask(question),
    onStop: () => this.answer?.stop(),
    onNewChat: () => this.#newChat(),
  });
  readonly #conversation = new Conversation({
    view: this.#chat,
    panel: this.#panel,
    announcer: new Announcer(),
    ask: (messages, conversation) => this.#instance().run(requestOf(messages, { conversation })),
    onEnd: (error, again) => this.#answered(error, again),
  });
  readonly #bench = new BenchView(
    benchHost({
      session: () => this.session,
      loaded: () => this.#loaded,
      model: () => this.#model?.ref,
      settings: () => this.settings.current,
      answering: () => this.#conversation.running,
      run: (request, signal) => this.#instance().run(request, { signal }),
      setRunning: (running) => {
        this.#benchRuns = running;
        this.#showReady();
      },
    }),
  );
  readonly #views = new Views(() => this.#bench.refresh());
  #query: PageQuery | undefined;
  #models: OfferedModel[] = [];
  #model: OfferedModel | undefined;
  /** Set if the model comes from another site. */
  #foreign: Foreign | undefined;
  #inshore: Inshore | undefined;
  /** The endpoint that the instance was given. */
  #cloud: string | undefined;
  #download: AbortController | undefined;
  #slow = 1;
  #benchRuns = false;
  #loaded = false;

  constructor() {
    new Controls(this.settings, {
      onSlow: (factor) => this.#slowDown(factor),
      onSaveTrace: () =>
        saveFile('inshore-trace.jsonl', 'application/x-ndjson', this.#inshore?.trace() ?? ''),
    });
    new Sheet({
      open: this.settings.current.panelOpen,
      onChange: (panelOpen) => this.settings.update({ panelOpen }),
    });
    this.settings.onChange(() => this.#configure());
  }

  /** The package's instance for the chosen model. */
  get sdk(): Inshore | undefined {
    return this.#inshore;
  }

  /** The engine, once a model is loaded. */
  get engine(): EngineClient | undefined {
    return this.session?.engine;
  }

  /** The loaded model on its device. */
  get session(): Session | undefined {
    return this.#inshore?.session;
  }

  /** The answer that runs or ran last. */
  get answer(): ChatAnswer | undefined {
    return this.#conversation.answer;
  }

  /** Shows the model. Loads it without a click only if it is stored, or if `?autoload=1` is set and the model is of this site. */
  async start(): Promise<void> {
    try {
      this.#views.show();
      this.#query = readQuery(location.search);
      this.#models = await listModels(this.#query);
      this.#card.list(this.#models.map(({ ref }) => ref.name));
      await this.#choose(0);
    } catch (error) {
      this.#errors.show(error, { label: 'Reload', action: () => location.reload() });
    }
  }

  /** Downloads the chosen model unless it is here, and loads it. */
  async obtain(): Promise<void> {
    const [model, inshore] = [this.#model, this.#inshore];
    if (model === undefined || inshore === undefined || this.#download !== undefined) return;
    this.#errors.clear();
    this.#card.estimated(undefined);
    this.#download = new AbortController();
    const { signal } = this.#download;
    const onProgress = (progress: Progress): void => {
      if (inshore === this.#inshore) this.#card.progress(model.ref, progress);
    };
    try {
      onProgress({ phase: 'loading', doneBytes: 0, totalBytes: undefined });
      await inshore.download({ onProgress, signal });
      if (this.#inshore === inshore) this.#card.hide();
    } catch (error) {
      if (this.#inshore === inshore) await this.#offerAgain(model, error);
    } finally {
      this.#download = undefined;
    }
  }

  /** For a model of another site of unknown size, the first click asks for the size and the next one downloads it. */
  async #downloadClicked(): Promise<void> {
    const [model, foreign] = [this.#model, this.#foreign];
    if (model === undefined || foreign === undefined || foreign.asked || model.ref.bytes !== undefined)
      return this.obtain();
    const stored = await this.store.find(model.ref);
    if (stored.complete || stored.bytes > 0) return this.obtain();
    const bytes = await askSize(model.ref.url);
    if (foreign !== this.#foreign) return;
    this.#foreign = { ...foreign, bytes, asked: true };
    this.#card.offer(model.ref, stored, this.#foreign);
  }

  async #choose(index: number): Promise<void> {
    const model = this.#models[index];
    if (model === undefined) return;
    this.#errors.clear();
    this.#card.estimated(undefined);
    try {
      await this.#create(model);
      const stored = await this.store.find(model.ref);
      // Another model was chosen in the meantime, so this result no longer applies.
      if (this.#model !== model) return;
      const host = foreignHost(model.ref, location.origin);
      this.#foreign = host === undefined ? undefined : { host, bytes: undefined, asked: false };
      // A link may start a download from this site only.
      if (stored.complete || (this.#query?.autoload && host === undefined)) await this.obtain();
      else this.#card.offer(model.ref, stored, this.#foreign);
    } catch (error) {
      this.#errors.show(error, { label: 'Try again', action: () => void this.#choose(index) });
    }
  }

  async #create(model: OfferedModel): Promise<void> {
    this.#inshore?.destroy();
    this.#inshore = undefined;
    this.#model = model;
    this.#loaded = false;
    this.#status.hide();
    this.#showReady();
    const inshore = await createInshore({
      model: model.source,
      device: this.#query?.device ?? 'auto',
      // The card asks first.
      download: 'manual',
      ...(this.#query?.threads !== undefined && { threads: this.#query.threads }),
      ...(this.#query?.kvCache !== undefined && { kvCache: this.#query.kvCache }),
    });
    if (this.#model !== model) return inshore.destroy();
    this.#inshore = inshore;
    inshore.on('decision', (event) => this.#panel.decided(event));
    inshore.on('handover', (event) => this.#panel.handedOver(event));
    inshore.on('breaker', (event) => this.#panel.breakers.moved(event));
    inshore.on('engine', (event) => void this.#engineChanged(inshore, event));
    if (this.#slow !== 1) this.#slowDown(this.#slow);
    // Before anything can be asked.
    this.#cloud = undefined;
    this.#configure();
  }

  /** Hands the settings on; they hold from the next request on, the switch at once. */
  #configure(): void {
    const { current } = this.settings;
    const { mode, slo, neverCloud } = current;
    const name = this.#model?.ref.name ?? '';
    const cloud = neverCloud ? undefined : cloudOptions(current, location.origin, name);
    // Given anew, an endpoint begins without breaker and history: not at every move of a slider.
    const chosen = JSON.stringify([cloud, current.token]);
    const isNew = chosen !== this.#cloud;
    this.#cloud = chosen;
    if (isNew) this.#panel.breakers.forgetCloud();
    try {
      this.#inshore?.setCloudEnabled(!neverCloud);
      this.#inshore?.configure({ mode, slo, ...(isNew && { cloud }) });
    } catch (error) {
      this.#errors.show(error);
    }
    this.#panel.setSlo(slo);
    this.#showReady();
  }

  async #engineChanged(inshore: Inshore, engine: EngineState): Promise<void> {
    if (inshore !== this.#inshore) return;
    this.#loaded ||= engine.state === 'ready';
    this.#showReady();
    if (engine.state === 'ready') {
      this.#status.show(engine.device, engine.info.notes);
      await this.#showMemory();
    } else if (engine.state === 'closed') {
      this.#status.hide();
      if (engine.error !== undefined) this.#panel.events.add(`The engine ended: ${engine.error.message}`);
    }
  }

  /** The chat is open while somebody may answer: an engine that ended comes back with the next question. */
  #showReady(): void {
    const { neverCloud, mode } = this.settings.current;
    const cloud = !neverCloud && mode !== 'only_on_device';
    this.#chat.setReady(this.#inshore !== undefined && (this.#loaded || cloud) && !this.#benchRuns);
    this.#bench.refresh();
  }

  #instance(): Inshore {
    if (this.#inshore !== undefined) return this.#inshore;
    throw new InshoreError(
      'no_model',
      'There is no model yet. Wait for the list of models, or reload the page.',
    );
  }

  async #ask(question: string): Promise<void> {
    this.#errors.clear();
    await this.#conversation.ask(question);
  }

  #answered(error: unknown, again: () => void): void {
    if (error !== undefined) {
      // The request itself is the reason, or the user stopped it, so a retry would not help.
      const harmless = InshoreError.is(error) && (error.code === 'cancelled' || blamesRequest(error.code));
      this.#errors.show(error, harmless ? undefined : { label: 'Ask again', action: again });
    }
    void this.#showMemory();
  }

  async #showMemory(): Promise<void> {
    const bytes = await this.#inshore?.memoryBytes().catch(() => undefined);
    if (bytes !== undefined) this.#status.memory(bytes);
  }

  #newChat(): void {
    this.#conversation.clear();
    this.#errors.clear();
  }

  #slowDown(factor: number): void {
    this.#slow = factor;
    this.#inshore?.slowDown(factor).catch((error: unknown) => this.#errors.show(error));
  }

  async #estimate(): Promise<void> {
    this.#card.estimated('Testing …', { busy: true });
    try {
      const estimate = await this.#instance().estimate();
      this.#card.estimated(formatEstimate(estimate));
    } catch (error) {
      this.#card.estimated(InshoreError.from(error).message);
    }
  }

  async #useFile(file: File): Promise<void> {
    this.#errors.clear();
    try {
      this.#models.unshift(await offer(file));
      this.#card.list(this.#models.map(({ ref }) => ref.name));
      await this.#choose(0);
    } catch (error) {
      this.#errors.show(error);
    }
  }

  async #offerAgain(model: OfferedModel, error: unknown): Promise<void> {
    const stored = await this.store.find(model.ref).catch(() => undefined);
    if (stored === undefined) this.#card.hide();
    else this.#card.offer(model.ref, stored, this.#foreign);
    if (InshoreError.is(error) && error.code === 'cancelled') return;
    this.#errors.show(error, { label: 'Try again', action: () => void this.obtain() });
  }

  async #remove(): Promise<void> {
    const model = this.#model;
    if (model === undefined || !confirm(`Delete ${model.ref.name} from this browser?`)) return;
    this.#newChat();
    try {
      await this.#create(model);
      await this.#inshore?.remove();
      this.#card.offer(model.ref, await this.store.find(model.ref), this.#foreign);
    } catch (error) {
      this.#errors.show(error);
    }
  }
}
