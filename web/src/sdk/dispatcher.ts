import { InshoreError } from '../error';
import type {
  Mode,
  Order,
  RequestSpec,
  RouteConfig,
  RouteEvent,
  Slo,
  Snapshot,
  TraceLine,
} from '../route/types';
import { within } from '../within';
import { ActiveRequest, mismatch, type RequestHost } from './active-request';
import type { CloudEndpoint } from './cloud-leg';
import type { CheckedRequest, Dispatcher, InshoreEvents } from './contract';
import type { Emitter } from './emitter';
import { engineFailure } from './engine-failure';
import { destroyed } from './engine-lifecycle';
import type { Leg, LegSink, LegTask } from './leg';
import { estimatePromptTokens } from './prompt-tokens';
import { routeError } from './route-error';
import { Running } from './running';
import { Timekeeper } from './timekeeper';
import { Trace } from './trace';

/** The policy: what happened in, orders out. `Router` of `web/src/route` is one. */
export interface Policy {
  push(nowMs: number, event: RouteEvent): Order[];
}

/** The device's side, as far as the dispatcher must know it. */
export interface LocalLegs {
  /** Hash of the model, where it is known. */
  readonly modelSha256: string | undefined;
  snapshot(): Promise<Snapshot['local']>;
  /** Starts the automatic download of a missing model, if there is one. Resolves at once if the request `mayLeave` the device. */
  prepare(mayLeave: boolean): Promise<void>;
  start(task: LegTask, sink: LegSink): Leg;
  /** Loads the stored model, if it is not loaded; never downloads one. */
  load(): Promise<unknown>;
}

/** What holds for requests that say nothing themselves; may change between requests. */
export interface Settings {
  mode: Mode;
  slo: Slo;
  privacy: 'local_only' | 'cloud_allowed';
  hedge: boolean;
  /** Most tokens that the cloud may read and write; undefined: no limit. */
  cloudTokens: number | undefined;
  cloud: CloudEndpoint | undefined;
}

/** The fields of a request that decide whether it may leave the device. */
type LeavingSpec = Pick<RequestSpec, 'mode' | 'privacy' | 'prompt_tokens' | 'cloud_tokens_left'>;

/** What a dispatcher is made of. */
export interface DispatcherParts {
  policy: Policy;
  config: RouteConfig;
  local: LocalLegs;
  settings: Settings;
  events: Emitter<InshoreEvents>;
  /** The user's switch, which the cloud's own gate reads too. */
  gate: { cloudEnabled: boolean };
  /** The browser's word; without it (a worker, Node) always online and never hidden. */
  surroundings?: { online(): boolean; hidden(): boolean } | undefined;
  now?: () => number;
  onTrace?: ((line: TraceLine) => void) | undefined;
}

/** Snapshot of a device that the request cannot use. */
const UNREAD: Snapshot['local'] = {
  availability: 'unavailable',
  key: '',
  memory_fits: null,
  load_ms: 0,
  queue_ms: 0,
};

/**
 * Executes the policy. Every event goes to it with its time; its orders are carried out as they stand, and nothing is
 * done without one: what was executed is what was decided, and the trace says both.
 */
export class RouteDispatcher implements Dispatcher {
  readonly trace: Trace;
  readonly #parts: DispatcherParts;
  readonly #host: RequestHost;
  readonly #time: Timekeeper;
  /** Requests that the policy does not know yet, because their device is being examined or their model is being downloaded. */
  readonly #waiting = new Set<Running>();
  readonly #active = new Map<number, ActiveRequest>();
  readonly #queue: RouteEvent[] = [];
  #pushing = false;
  #nextRequest = 1;
  #cloudTokensUsed = 0;
  #destroyed = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.trace = new Trace(parts.config, parts.onTrace === undefined ? {} : { onLine: parts.onTrace });
    const listener = {
      onWake: () => this.report({ type: 'wake' }),
      onSuspended: (lost_ms: number) => this.#tell({ type: 'suspended', lost_ms }),
    };
    this.#time = new Timekeeper(listener, parts.now);
    this.#host = {
      events: parts.events,
      local: parts.local,
      now: () => this.#time.now(),
      report: (event) => this.report(event),
      spend: (tokens) => {
        this.#cloudTokensUsed += tokens;
      },
      collapse: (request, error) => this.#collapse(request, error),
    };
  }

  /** Tokens that the cloud read and wrote so far: prompts as estimated, answers as they came. */
  get cloudTokensUsed(): number {
    return this.#cloudTokensUsed;
  }

  run(checked: CheckedRequest, options: { signal?: AbortSignal | undefined } = {}): Running {
    const request = this.#nextRequest++;
    const { signal } = options;
    const abort = (): void => {
      if (this.#active.has(request)) this.report({ type: 'cancelled', request });
      else running.fail(routeError('cancelled', undefined));
    };
    const running = new Running(request, checked, this.#spec(checked), this.#time.now(), {
      onAbort: abort,
      onEnd: () => signal?.removeEventListener('abort', abort),
    });
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    else void this.#begin(running);
    return running;
  }

  /** Off: from this moment nothing leaves the device, and what is on its way is cut. */
  setCloudEnabled(enabled: boolean): void {
    this.#parts.gate.cloudEnabled = enabled;
    this.report({ type: 'cloud_enabled', enabled });
    if (enabled) return;
    // The policy has ordered these ends; should it ever forget one, the switch still holds.
    for (const request of this.#active.values()) {
      if (request.isOutside) this.#collapse(request, mismatch('a leg outlived the switch'));
    }
  }

  /** Tells the policy what happened and carries out its orders. */
  report(event: RouteEvent): void {
    this.#time.check();
    this.#tell(event);
  }

  /** Ends every request with `destroyed`. */
  destroy(): void {
    this.#destroyed = true;
    for (const running of this.#waiting) running.fail(destroyed());
    for (const request of [...this.#active.values()]) this.#collapse(request, destroyed());
    this.#time.stop();
  }

  /** Whether an endpoint may answer a request of this kind now. Without an argument: a request with the instance's settings. */
  mayLeave({ mode, privacy, cloud_tokens_left, prompt_tokens }: LeavingSpec = this.#defaultSpec()): boolean {
    const { settings, surroundings, gate } = this.#parts;
    const isAllowed = gate.cloudEnabled && mode !== 'only_on_device' && privacy !== 'local_only';
    const isPaid = cloud_tokens_left === undefined || cloud_tokens_left > prompt_tokens;
    return isAllowed && isPaid && settings.cloud !== undefined && (surroundings?.online() ?? true);
  }

  /** Returns the state of the device for the policy; undefined if the request has ended in the meantime. */
  async #lookAtDevice(running: Running): Promise<Snapshot['local'] | undefined> {
    if (running.spec.mode === 'only_in_cloud') return UNREAD;
    await this.#prepare(running);
    return running.ended ? undefined : this.#parts.local.snapshot();
  }

  /** Waits for the download if only the device can answer, but not longer than the request may take. */
  async #prepare({ spec }: Running): Promise<void> {
    const preparing = this.#parts.local.prepare(this.mayLeave(spec)).then(() => true);
    const { deadline_ms } = spec;
    const inTime = deadline_ms === undefined ? await preparing : await within(deadline_ms, preparing);
    if (inTime === undefined) throw routeError('deadline', undefined);
  }

  async #begin(running: Running): Promise<void> {
    const { local, settings, surroundings, gate } = this.#parts;
    this.#waiting.add(running);
    try {
      const { cloud } = settings;
      const device = await this.#lookAtDevice(running);
      if (this.#destroyed) throw destroyed();
      if (device === undefined || running.ended) return;
      const { request, spec } = running;
      const snapshot: Snapshot = {
        local: device,
        cloud: cloud?.snapshot(local.modelSha256),
        cloud_enabled: gate.cloudEnabled,
        online: surroundings?.online() ?? true,
        hidden: surroundings?.hidden() ?? false,
      };
      this.#active.set(request, new ActiveRequest(running, cloud, this.#host));
      this.#time.setBusy(true);
      this.report({ type: 'begin', request, spec, snapshot });
    } catch (error) {
      running.fail(InshoreError.from(error));
    } finally {
      this.#waiting.delete(running);
    }
  }

  #tokensLeft(): number | undefined {
    const { cloudTokens } = this.#parts.settings;
    return cloudTokens === undefined ? undefined : Math.max(0, cloudTokens - this.#cloudTokensUsed);
  }

  #defaultSpec(): LeavingSpec {
    const { mode, privacy } = this.#parts.settings;
    return { mode, privacy, prompt_tokens: 0, cloud_tokens_left: this.#tokensLeft() };
  }

  #spec({ extension, messages, maxTokens, localLacks }: CheckedRequest): RequestSpec {
    const { mode, privacy, slo, hedge } = this.#parts.settings;
    return {
      mode: extension.mode ?? mode,
      slo,
      privacy: extension.privacy ?? privacy,
      prompt_tokens: estimatePromptTokens(messages),
      max_tokens: maxTokens,
      conversation: extension.conversation,
      deadline_ms: extension.deadline_ms,
      hedge,
      cloud_tokens_left: this.#tokensLeft(),
      local_lacks: localLacks,
    };
  }

  #tell(event: RouteEvent): void {
    this.#queue.push(event);
    // The orders of one event are through before the next event is told.
    if (this.#pushing) return;
    this.#pushing = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#push(next);
    } finally {
      this.#pushing = false;
    }
  }

  #push(event: RouteEvent): void {
    const nowMs = this.#time.now();
    let orders: Order[];
    try {
      orders = this.#parts.policy.push(nowMs, event);
    } catch (error) {
      // Without a policy nothing may run.
      for (const request of this.#active.values()) request.end(InshoreError.from(error, 'policy_failed'));
      orders = [];
    }
    this.trace.add(nowMs, event, orders);
    for (const order of orders) this.#execute(order);
    // A cancelled request is over, whatever else was ordered.
    if (event.type === 'cancelled') this.#active.get(event.request)?.end(routeError('cancelled', undefined));
    for (const [number, request] of this.#active) if (request.isOver) this.#active.delete(number);
    if (this.#active.size === 0) this.#time.setBusy(false);
  }

  #execute(order: Order): void {
    if (order.type === 'wake') {
      this.#time.wakeAt(order.at_ms);
    } else if (order.type === 'load') {
      void this.#load(order.key);
    } else if (order.type === 'breaker') {
      const { key, state, until_ms: untilMs } = order;
      this.#parts.events.emit('breaker', { key, state, untilMs });
    } else {
      const request = this.#active.get(order.request);
      if (request === undefined || request.isOver) return;
      try {
        request.execute(order);
      } catch (error) {
        this.#collapse(request, InshoreError.from(error));
      }
    }
  }

  /** Beside whatever runs: nobody waits for it, and its failure is the policy's to judge. */
  async #load(key: string): Promise<void> {
    const loaded = (): undefined => undefined;
    const kind = await this.#parts.local.load().then(loaded, (error) => engineFailure(error).kind);
    if (!this.#destroyed) this.report({ type: 'load_ended', key, kind });
  }

  #collapse(request: ActiveRequest, error: InshoreError): void {
    request.end(error);
    // The policy must not wait for a request that is gone.
    this.#tell({ type: 'cancelled', request: request.running.request });
  }
}
