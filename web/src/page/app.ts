import type { EngineClient } from '../engine/client';
import type { ChatMessage } from '../engine/protocol';
import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import { checkChatRequest } from '../openai/request';
import type { Mode, Progress, RunningAnswer } from '../sdk/contract';
import { ModelStore } from '../store/client';
import type { ModelRef } from '../store/model';
import { Announcer } from './announcer';
import { BenchView } from './bench/bench-view';
import { benchHost } from './bench/host';
import { BENCH_TOKENS } from './bench/prompts';
import type { ChatAnswer } from './chat/chat-answer';
import { ChatView } from './chat/chat-view';
import { Conversation } from './chat/conversation';
import { ErrorBox } from './error-box';
import { formatEstimate } from './format';
import { createInstance, type Instance } from './instance';
import { Controls } from './live/controls';
import { Panel } from './live/panel';
import { listModels } from './manifest';
import { ModelCard } from './model-card';
import { type PageQuery, readQuery } from './query';
import { saveFile } from './save-file';
import { cloudOptions } from './settings';
import { SettingsStore } from './settings-store';
import { Sheet } from './sheet';
import { StatusBar } from './status-bar';
import { Views } from './views';

// A small model may never find an end by itself.
const MAX_ANSWER_TOKENS = 512;

// The question itself is to blame, or the reader: asking the same again would change nothing.
const REFUSALS = new Set([
  'prompt_too_long',
  'empty_prompt',
  'invalid_argument',
  'template_failed',
  'cancelled',
]);

/** The page: from the offered model over its download to the conversation. */
export class App {
  readonly store = new ModelStore();
  readonly settings = new SettingsStore();
  readonly #errors = new ErrorBox();
  readonly #announcer = new Announcer();
  readonly #panel = new Panel(this.settings.current.slo);
  readonly #status = new StatusBar({ onRemove: () => void this.#remove() });
  readonly #card = new ModelCard({
    onDownload: () => void this.obtain(),
    onPause: () => this.#download?.abort(),
    onRemove: () => void this.#remove(),
    onChoose: (index) => void this.#choose(index),
    onEstimate: () => void this.#estimate(),
  });
  readonly #chat = new ChatView({
    onAsk: (question) => void this.#ask(question),
    onStop: () => this.answer?.stop(),
    onNewChat: () => this.#newChat(),
  });
  readonly #conversation = new Conversation({
    view: this.#chat,
    panel: this.#panel,
    announcer: this.#announcer,
    ask: (messages, conversation) => this.#run(messages, { conversation }),
    onEnd: (error, again) => this.#answered(error, again),
  });
  readonly #views = new Views(() => this.#bench.refresh());
  readonly #bench: BenchView;
  #query: PageQuery | undefined;
  #models: ModelRef[] = [];
  #model: ModelRef | undefined;
  #inshore: Instance | undefined;
  #download: AbortController | undefined;
  #slow = 1;
  #benchRuns = false;

  constructor() {
    new Controls(this.settings, {
      onSlow: (factor) => this.#slowDown(factor),
      onSaveTrace: () => this.#saveTrace(),
    });
    new Sheet({
      open: this.settings.current.panelOpen,
      onChange: (panelOpen) => this.settings.update({ panelOpen }),
    });
    this.#bench = new BenchView(
      benchHost({
        session: () => this.session,
        model: () => this.#model,
        settings: () => this.settings.current,
        ask: (text, signal) =>
          this.#run([{ role: 'user', content: text }], { mode: 'only_in_cloud', signal, bench: true }),
        setRunning: (running) => {
          this.#benchRuns = running;
          this.#showReady();
        },
      }),
    );
    this.settings.onChange(() => this.#configure());
  }

  /** The package's instance for the chosen model. */
  get sdk(): Instance | undefined {
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

  /** Shows what there is; loads by itself only what is stored already, or what `?autoload=1` asks for. */
  async start(): Promise<void> {
    try {
      this.#views.show();
      this.#query = readQuery(location.search);
      this.#models = await listModels(this.#query);
      this.#card.list(this.#models);
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
      if (progress.phase === 'loading')
        this.#card.loading(model, progress.doneBytes, progress.totalBytes ?? 0);
      else this.#card.downloading(model, { ...progress, phase: progress.phase });
    };
    try {
      await inshore.download({ onProgress, signal });
      if (this.#inshore === inshore) this.#card.hide();
    } catch (error) {
      await this.#offerAgain(model, error);
    } finally {
      this.#download = undefined;
    }
  }

  async #choose(index: number): Promise<void> {
    const model = this.#models[index];
    if (model === undefined) return;
    this.#model = model;
    this.#errors.clear();
    this.#card.estimated(undefined);
    this.#create(model);
    try {
      const stored = await this.store.find(model);
      if (stored.complete || this.#query?.autoload) await this.obtain();
      else this.#card.offer(model, stored);
    } catch (error) {
      this.#errors.show(error, { label: 'Try again', action: () => void this.#choose(index) });
    }
  }

  #create(model: ModelRef): void {
    this.#inshore?.destroy();
    const inshore = createInstance({ model, device: this.#query?.device ?? 'auto' });
    this.#inshore = inshore;
    // Before anything can be asked.
    this.#configure();
    inshore.on('decision', (event) => this.#panel.decided(event));
    inshore.on('handover', (event) => this.#panel.handedOver(event));
    inshore.on('breaker', (event) => this.#panel.breakers.moved(event));
    inshore.onSession((session) => void this.#sessionChanged(inshore, session));
  }

  /** Hands the settings on; they hold from the next request on, the switch at once. */
  #configure(): void {
    const { mode, slo, neverCloud } = this.settings.current;
    this.#inshore?.setCloudEnabled(!neverCloud);
    this.#inshore?.configure({
      mode,
      slo,
      cloud: neverCloud
        ? undefined
        : cloudOptions(this.settings.current, location.origin, this.#model?.name ?? ''),
    });
    this.#panel.setSlo(slo);
    this.#showReady();
  }

  async #sessionChanged(inshore: Instance, session: Session | undefined): Promise<void> {
    if (inshore !== this.#inshore) return;
    this.#showReady();
    if (session === undefined) return this.#status.hide();
    this.#status.show(session.device);
    if (this.#slow !== 1) this.#slowDown(this.#slow);
    await this.#showMemory();
  }

  /** The chat is open while somebody may answer. */
  #showReady(): void {
    const { neverCloud, mode } = this.settings.current;
    const cloud = !neverCloud && mode !== 'only_on_device' && this.#model !== undefined;
    this.#chat.setReady((this.session !== undefined || cloud) && !this.#benchRuns);
    this.#bench.refresh();
  }

  #run(
    messages: ChatMessage[],
    options: { conversation?: string; mode?: Mode; signal?: AbortSignal; bench?: boolean },
  ): RunningAnswer {
    if (this.#inshore === undefined)
      throw new InshoreError(
        'no_model',
        'There is no model yet. Wait for the list of models, or reload the page.',
      );
    const { conversation, mode, signal, bench } = options;
    const body = {
      messages,
      max_tokens: bench === true ? BENCH_TOKENS : MAX_ANSWER_TOKENS,
      ...(bench === true ? { temperature: 0 } : {}),
      inshore: {
        accept_replace: bench !== true,
        ...(conversation === undefined ? {} : { conversation }),
        ...(mode === undefined ? {} : { mode }),
      },
    };
    const running = this.#inshore.run(checkChatRequest(body, '').checked);
    signal?.addEventListener('abort', () => running.abort(), { once: true });
    return running;
  }

  async #ask(question: string): Promise<void> {
    this.#errors.clear();
    await this.#conversation.ask(question);
  }

  #answered(error: unknown, again: () => void): void {
    if (error !== undefined) {
      const harmless = InshoreError.is(error) && REFUSALS.has(error.code);
      this.#errors.show(error, harmless ? undefined : { label: 'Ask again', action: again });
    }
    void this.#showMemory();
  }

  async #showMemory(): Promise<void> {
    const bytes = await this.engine?.memoryBytes().catch(() => undefined);
    if (bytes !== undefined) this.#status.memory(bytes);
  }

  #newChat(): void {
    this.#conversation.clear();
    this.#errors.clear();
  }

  #slowDown(factor: number): void {
    this.#slow = factor;
    this.engine?.slowDown(factor).catch((error: unknown) => this.#errors.show(error));
  }

  #saveTrace(): void {
    const trace = this.#inshore?.trace.toJsonl() ?? '';
    saveFile('inshore-trace.jsonl', 'application/x-ndjson', trace);
  }

  async #estimate(): Promise<void> {
    this.#card.estimated('Testing …', { busy: true });
    try {
      const estimate = await this.#inshore?.estimate();
      this.#card.estimated(estimate === undefined ? undefined : formatEstimate(estimate));
    } catch (error) {
      this.#card.estimated(InshoreError.from(error).message);
    }
  }

  async #offerAgain(model: ModelRef, error: unknown): Promise<void> {
    const stored = await this.store.find(model).catch(() => undefined);
    if (stored === undefined) this.#card.hide();
    else this.#card.offer(model, stored);
    if (InshoreError.is(error) && error.code === 'cancelled') return;
    this.#errors.show(error, { label: 'Try again', action: () => void this.obtain() });
  }

  async #remove(): Promise<void> {
    const model = this.#model;
    if (model === undefined || !confirm(`Delete ${model.name} from this browser?`)) return;
    this.#newChat();
    this.#create(model);
    this.#status.hide();
    try {
      await this.store.remove(model);
      this.#card.offer(model, await this.store.find(model));
    } catch (error) {
      this.#errors.show(error);
    }
  }
}
