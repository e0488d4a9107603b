import type { DeviceChoice, KvFormat } from '../engine/protocol';
import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import type { StoredKey } from '../store/protocol';
import type { EngineState } from './contract';

/** How the engine is set up. */
export interface EngineSetup {
  device: DeviceChoice;
  /** Of the CPU engine; undefined: as many as pay. */
  threads?: number | undefined;
  contextTokens: number | undefined;
  /** f32 activations in the CPU engine. */
  exact?: boolean | undefined;
  /** Of the KV cache. */
  kvCache?: KvFormat | undefined;
}

/** What opening an engine can be told. */
export interface OpenOptions {
  onProgress(doneBytes: number, totalBytes: number): void;
  /** Ends the opening: the worker goes, and the promise rejects. */
  signal: AbortSignal;
}

/** What a lifecycle is made of. */
export interface LifecycleParts {
  setup: EngineSetup;
  /** What the store has. */
  find(): Promise<{ key: StoredKey; complete: boolean }>;
  open(key: StoredKey, setup: EngineSetup, options: OpenOptions): Promise<Session>;
  onState(state: EngineState): void;
  /** Progress of loading the stored model onto the device. */
  onLoading(doneBytes: number, totalBytes: number): void;
  /** The engine is ready; opening it took `openMs`. */
  onReady(session: Session, openMs: number): void;
}

interface Opening {
  name: 'opening';
  readonly abort: AbortController;
  session: Promise<Session>;
}

type State = { name: 'closed' } | Opening | { name: 'ready'; session: Session } | { name: 'destroyed' };

const CLOSED: State = { name: 'closed' };

/**
 * The life cycle of the engine on this device: closed, opening, ready, closed again … destroyed. Each opening has its own state
 * object. An opening that finds another state in place was superseded, closed or destroyed; it ends its worker and changes
 * nothing else. State and setup always change together.
 */
export class EngineLifecycle {
  readonly #parts: LifecycleParts;
  #setup: EngineSetup;
  #state: State = CLOSED;
  #losses = 0;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.#setup = parts.setup;
  }

  /** The loaded engine, if it is loaded. */
  get session(): Session | undefined {
    return this.#state.name === 'ready' ? this.#state.session : undefined;
  }

  /** How the engine is, or will be, set up. */
  get setup(): EngineSetup {
    return this.#setup;
  }

  /** Number of engines that were lost so far. Tabs that share an engine lose it together and then share the next one. */
  get losses(): number {
    return this.#losses;
  }

  /** Opens the engine in this setup, or joins an opening in progress. An engine with a different setup is closed first. */
  open(setup: EngineSetup = this.#setup): Promise<Session> {
    if (this.#state.name === 'destroyed') return Promise.reject(destroyed());
    if (!sameSetup(setup, this.#setup)) {
      this.close();
      this.#setup = setup;
    }
    const state = this.#state;
    if (state.name === 'ready') return Promise.resolve(state.session);
    return state.name === 'opening' ? state.session : this.#begin();
  }

  /** Closes the engine, even while it is being opened; the next {@link open} opens another one. */
  close(error?: InshoreError): void {
    const state = this.#state;
    if (state.name !== 'opening' && state.name !== 'ready') return;
    this.#state = CLOSED;
    if (state.name === 'opening') state.abort.abort();
    else {
      state.session.engine.onCrash = undefined;
      state.session.engine.close();
    }
    this.#parts.onState({ state: 'closed', error });
  }

  /** Closes the engine of `session` because it is broken. Does nothing if another engine has taken its place. */
  lose(session: Session, error: InshoreError | undefined): void {
    if (this.session !== session) return;
    this.#losses += 1;
    this.close(error);
  }

  /** Ends the engine for good. */
  destroy(): void {
    this.close();
    this.#state = { name: 'destroyed' };
  }

  #begin(): Promise<Session> {
    const opening = { name: 'opening', abort: new AbortController() } as Opening;
    this.#state = opening;
    // Starts in a later microtask, so that a listener of the state already finds the promise.
    const setup = this.#setup;
    opening.session = Promise.resolve().then(() => this.#connect(opening, setup));
    return opening.session;
  }

  async #connect(opening: Opening, setup: EngineSetup): Promise<Session> {
    const { find, open, onState, onLoading, onReady } = this.#parts;
    const began = performance.now();
    onState({ state: 'opening' });
    let session: Session;
    try {
      const { key, complete } = await find();
      if (!complete) throw notDownloaded();
      if (this.#state !== opening) return await this.#instead();
      const onProgress = (done: number, total: number): void => {
        if (this.#state === opening) onLoading(done, total);
      };
      session = await open(key, setup, { onProgress, signal: opening.abort.signal });
    } catch (error) {
      if (this.#state !== opening) return this.#instead();
      this.#state = CLOSED;
      onState({ state: 'closed', error: InshoreError.from(error) });
      throw error;
    }
    if (this.#state !== opening) {
      session.engine.close();
      return this.#instead();
    }
    session.engine.onCrash = (error) => this.lose(session, error);
    this.#state = { name: 'ready', session };
    onReady(session, performance.now() - began);
    onState({ state: 'ready', device: session.device, info: session.info });
    return session;
  }

  /** Returns the session that took the place of a superseded opening. */
  #instead(): Promise<Session> {
    if (this.#state.name !== 'closed') return this.open();
    return Promise.reject(
      new InshoreError('closed', 'The engine was closed while the model was being loaded. Ask again.'),
    );
  }
}

const sameSetup = (a: EngineSetup, b: EngineSetup): boolean =>
  a.device === b.device &&
  a.threads === b.threads &&
  a.contextTokens === b.contextTokens &&
  a.exact === b.exact &&
  a.kvCache === b.kvCache;

/** Creates the error for every call of a destroyed instance. */
export const destroyed = (): InshoreError =>
  new InshoreError('destroyed', 'This instance of inshore was destroyed. Create another one.');

const notDownloaded = (): InshoreError =>
  new InshoreError('not_downloaded', 'The model is not on this device yet. Call download() first.');
