import type { Answer } from '../engine/answer';
import type { EngineClient } from '../engine/client';
import type { ChatMessage, EngineRequest } from '../engine/protocol';
import { openSession, type Session } from '../engine/session';
import { InshoreError } from '../error';
import { ModelStore } from '../store/client';
import type { ModelRef } from '../store/model';
import type { DownloadProgress } from '../store/protocol';
import { ChatView } from './chat-view';
import { ErrorBox } from './error-box';
import { listModels } from './manifest';
import { ModelCard } from './model-card';
import { type PageQuery, readQuery } from './query';
import { StatusBar } from './status-bar';

// A small model may never find an end by itself.
const MAX_ANSWER_TOKENS = 512;

const REFUSALS = new Set(['prompt_too_long', 'empty_prompt', 'invalid_argument', 'template_failed', 'busy']);

/** The page: from the offered model over its download to the conversation. */
export class App {
  readonly store = new ModelStore();
  readonly #errors = new ErrorBox();
  readonly #status = new StatusBar({ onRemove: () => void this.#remove() });
  readonly #card = new ModelCard({
    onDownload: () => void this.obtain(),
    onPause: () => this.#download?.abort(),
    onRemove: () => void this.#remove(),
    onChoose: (index) => void this.#choose(index),
  });
  readonly #chat = new ChatView({
    onAsk: (question) => void this.#ask(question),
    onStop: () => this.#answer?.stop(),
    onNewChat: () => this.#newChat(),
  });
  #query: PageQuery | undefined;
  #models: ModelRef[] = [];
  #model: ModelRef | undefined;
  #session: Session | undefined;
  #download: AbortController | undefined;
  #answer: Answer | undefined;
  #messages: ChatMessage[] = [];

  /** The engine, once a model is loaded. */
  get engine(): EngineClient | undefined {
    return this.#session?.engine;
  }

  /** The loaded model on its device. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The answer that runs or ran last. */
  get answer(): Answer | undefined {
    return this.#answer;
  }

  /** Shows what there is; loads by itself only what is stored already, or what `?autoload=1` asks for. */
  async start(): Promise<void> {
    try {
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
    const model = this.#model;
    if (model === undefined || this.#download !== undefined) return;
    this.#errors.clear();
    this.#download = new AbortController();
    const { signal } = this.#download;
    try {
      let stored = await this.store.find(model);
      if (!stored.complete) {
        const onProgress = (progress: DownloadProgress): void => this.#card.downloading(model, progress);
        onProgress({ phase: 'downloading', doneBytes: stored.bytes, totalBytes: undefined });
        stored = await this.store.fetch(model, { signal, onProgress });
      }
      await this.#load(model, stored.key);
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
    try {
      const stored = await this.store.find(model);
      if (stored.complete || this.#query?.autoload) await this.obtain();
      else this.#card.offer(model, stored);
    } catch (error) {
      this.#errors.show(error, { label: 'Try again', action: () => void this.#choose(index) });
    }
  }

  async #load(model: ModelRef, key: string): Promise<void> {
    this.#card.loading(model, 0, 0);
    const session = await openSession(key, this.#query?.device ?? 'auto', {
      onProgress: (doneBytes, totalBytes) => this.#card.loading(model, doneBytes, totalBytes),
    });
    session.engine.onCrash = (error) => this.#crashed(error);
    this.#session = session;
    this.#card.hide();
    this.#status.show(session.device);
    this.#status.memory(await session.engine.memoryBytes());
    this.#chat.setReady(true);
  }

  async #offerAgain(model: ModelRef, error: unknown): Promise<void> {
    const stored = await this.store.find(model).catch(() => undefined);
    if (stored === undefined) this.#card.hide();
    else this.#card.offer(model, stored);
    if (InshoreError.is(error) && error.code === 'cancelled') return;
    this.#errors.show(error, { label: 'Try again', action: () => void this.obtain() });
  }

  async #ask(question: string): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    this.#errors.clear();
    this.#chat.addQuestion(question);
    const view = this.#chat.addAnswer();
    this.#chat.setRunning(true);
    const chat: ChatMessage[] = [...this.#messages, { role: 'user', content: question }];
    const request: EngineRequest = { prompt: { chat }, maxTokens: MAX_ANSWER_TOKENS };
    const answer = session.engine.generate(request);
    this.#answer = answer;
    try {
      for await (const step of answer) view.append(step.text);
      view.finish(await answer.done);
      // A new chat may have begun meanwhile.
      if (this.#answer === answer) this.#messages = [...chat, { role: 'assistant', content: answer.text }];
    } catch (error) {
      view.fail();
      if (session === this.#session) this.#showAnswerError(error);
    } finally {
      this.#chat.setRunning(false);
    }
    if (session === this.#session) {
      const bytes = await session.engine.memoryBytes().catch(() => undefined);
      if (bytes !== undefined) this.#status.memory(bytes);
    }
  }

  #newChat(): void {
    this.#answer?.stop();
    this.#answer = undefined;
    this.#messages = [];
    this.#chat.clear();
    this.#errors.clear();
  }

  #showAnswerError(error: unknown): void {
    // What the question itself is to blame for leaves the engine as it was; anything else may have broken it.
    const harmless = InshoreError.is(error) && REFUSALS.has(error.code);
    this.#errors.show(error, harmless ? undefined : this.#restart);
  }

  #crashed(error: InshoreError): void {
    this.#closeSession();
    this.#errors.show(error, this.#restart);
  }

  readonly #restart = {
    label: 'Restart the engine',
    action: () => {
      this.#closeSession();
      void this.obtain();
    },
  };

  #closeSession(): void {
    this.#session?.engine.close();
    this.#session = undefined;
    this.#status.hide();
    this.#chat.setReady(false);
  }

  async #remove(): Promise<void> {
    const model = this.#model;
    if (model === undefined || !confirm(`Delete ${model.name} from this browser?`)) return;
    this.#closeSession();
    this.#newChat();
    try {
      await this.store.remove(model);
      this.#card.offer(model, await this.store.find(model));
    } catch (error) {
      this.#errors.show(error);
    }
  }
}
