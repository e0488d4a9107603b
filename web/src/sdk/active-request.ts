import { InshoreError } from '../error';
import type { Order, RouteEvent } from '../route/types';
import type { CloudEndpoint } from './cloud-leg';
import type { InshoreEvents } from './contract';
import type { Emitter } from './emitter';
import { type Leg, type LegEnd, LegError, type LegPiece, type LegSink, type LegTask } from './leg';
import { routeError } from './route-error';
import type { Running } from './running';

type StartOrder = Extract<Order, { type: 'start' }>;
/** The orders that are about one request. */
export type RequestOrder = Extract<Order, { request: number }>;

/** Shortest interval of `alive` events for the policy, whose timeouts are seconds. Every chunk of reasoning causes one. */
const ALIVE_EVERY_MS = 250;
/** Interval of `alive` events while a leg waits for a slow reader. */
const HELD_BEAT_MS = 1_000;

/** A leg that was ordered and has not ended. */
interface LiveLeg {
  order: StartOrder;
  startedMs: number;
  leg: Leg | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Came, but was not yet told to the caller: a racing leg waits for its `adopt`. */
  waiting: LegPiece[];
  end: LegEnd | undefined;
  begun: boolean;
  /** Time of the last `alive` event. */
  heardMs: number;
}

/** What a request needs of its dispatcher. */
export interface RequestHost {
  readonly events: Emitter<InshoreEvents>;
  readonly local: { readonly modelSha256: string | undefined; start(task: LegTask, sink: LegSink): Leg };
  now(): number;
  report(event: RouteEvent): void;
  /** The cloud read or wrote so many tokens. */
  spend(tokens: number): void;
  /** An order could not be carried out: the request ends against the policy's word. */
  collapse(request: ActiveRequest, error: InshoreError): void;
}

/**
 * Carries out the policy's orders for one request, literally. What cannot be carried out as it stands throws
 * `route_mismatch`: something similar would be a route that nobody decided.
 */
export class ActiveRequest {
  readonly running: Running;
  readonly #host: RequestHost;
  readonly #cloud: CloudEndpoint | undefined;
  readonly #legs = new Map<number, LiveLeg>();
  readonly #ordered = new Set<number>();
  #current: LiveLeg | undefined;
  #lastFailure: LegError | undefined;
  #over = false;

  constructor(running: Running, cloud: CloudEndpoint | undefined, host: RequestHost) {
    this.running = running;
    this.#cloud = cloud;
    this.#host = host;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether anything of it is outside the device. */
  get isOutside(): boolean {
    return [...this.#legs.values()].some(({ order }) => order.source !== 'on_device');
  }

  /** Carries out one order; throws {@link InshoreError} where that is impossible. */
  execute(order: RequestOrder): void {
    switch (order.type) {
      case 'start':
        this.#start(order);
        return;
      case 'adopt':
        this.#adopt(order.leg);
        return;
      case 'abort':
        this.#abort(order.leg);
        return;
      case 'fail':
        // Without `last`, it was no reported failure that ended it (a stall, say), whatever had failed before.
        this.end(routeError(order.reason, order.last === undefined ? undefined : this.#lastFailure));
        return;
      case 'done':
        this.#done();
    }
  }

  /** Ends it: with `error`, or well if there is none. Whatever still runs is cut. */
  end(error?: InshoreError): void {
    if (error !== undefined) this.running.fail(error);
    this.#over = true;
    for (const leg of [...this.#legs.keys()]) this.#abort(leg);
  }

  #start(order: StartOrder): void {
    const { running } = this;
    const { request, leg, source, manner, reason } = order;
    if (this.#ordered.has(leg)) throw mismatch(`leg ${leg} was ordered twice`);
    this.#ordered.add(leg);
    const from = running.source ?? source;
    const startedMs = this.#host.now();
    const idle = { leg: undefined, timer: undefined, end: undefined, begun: false, heardMs: startedMs };
    const live: LiveLeg = { order, startedMs, waiting: [], ...idle };
    this.#legs.set(leg, live);
    if (!order.racing) this.#current = live;
    const predicted = running.decided(order);
    this.#host.events.emit('decision', { request, leg, source, reason, predicted });
    if (order.handover && manner !== 'fresh') {
      if (source !== from) running.handovers += 1;
      const { tokens } = running;
      this.#host.events.emit('handover', { request, from, to: source, reason, manner, tokens });
    }
    if (manner === 'replace' && running.hasShown) {
      if (running.checked.extension.accept_replace === false) throw answerReplaced();
      running.replace(source, reason);
    }
    if (order.after_ms > 0) live.timer = setTimeout(() => this.#open(live), order.after_ms);
    else this.#open(live);
  }

  /** The leg really begins: with the answer as it stands now. */
  #open(live: LiveLeg): void {
    const { running } = this;
    const { source, manner, plan } = live.order;
    live.startedMs = this.#host.now();
    const sink: LegSink = {
      piece: (piece) => this.#piece(live, piece),
      alive: () => this.#alive(live),
      room: () => this.#room(live),
      finished: (end) => this.#finished(live, end),
      failed: (error) => this.#failed(live, error),
    };
    const ids = manner === 'token_ids' ? running.ids : [];
    if (ids === undefined) {
      this.#soon(live, () => sink.failed(noIds()));
      return;
    }
    const { checked: request, spec, seed, tokensLeft: maxTokens } = running;
    const text = manner === 'prefix' ? running.text : '';
    const task: LegTask = { request, spec, source, manner, plan, ids: [...ids], text, maxTokens, seed };
    try {
      if (source === 'on_device') live.leg = this.#host.local.start(task, sink);
      // Endpoints refuse to generate nothing. All that was allowed is there.
      else if (maxTokens === 0) this.#soon(live, () => sink.finished({ finishReason: 'length' }));
      else live.leg = this.#leave(task, sink);
    } catch (error) {
      this.#host.collapse(this, InshoreError.from(error));
    }
  }

  #leave(task: LegTask, sink: LegSink): Leg {
    if (this.#cloud === undefined || this.#cloud.source !== task.source)
      throw mismatch(`there is no endpoint ${task.source}`);
    const leg = this.#cloud.start(task, sink, this.#host.local.modelSha256);
    this.#host.spend(task.spec.prompt_tokens + this.running.tokens);
    return leg;
  }

  /** Legs report when their start is through, never in it. */
  #soon(live: LiveLeg, what: () => void): void {
    queueMicrotask(() => {
      if (this.#legs.get(live.order.leg) === live) what();
    });
  }

  #piece(live: LiveLeg, piece: LegPiece): void {
    const { request, leg, source } = live.order;
    const { tokens } = piece;
    if (source !== 'on_device') this.#host.spend(tokens);
    live.waiting.push(piece);
    if (tokens > 0) {
      live.heardMs = this.#host.now();
      this.#host.report({ type: 'tokens', request, leg, tokens, ids: piece.ids !== undefined });
    }
    this.#tell(live);
  }

  /** Reports that the leg is alive while it is silent only because the reader is slow. */
  #room(live: LiveLeg): Promise<void> | undefined {
    const room = this.#current === live ? this.running.room() : undefined;
    if (room === undefined) return undefined;
    const beat = setInterval(() => this.#alive(live), HELD_BEAT_MS);
    return room.finally(() => clearInterval(beat));
  }

  #alive(live: LiveLeg): void {
    const now = this.#host.now();
    if (now - live.heardMs < ALIVE_EVERY_MS) return;
    live.heardMs = now;
    const { request, leg } = live.order;
    if (this.#legs.get(leg) === live) this.#host.report({ type: 'alive', request, leg });
  }

  /** Passes on what came on the adopted leg. */
  #tell(live: LiveLeg): void {
    if (this.#current !== live) return;
    const { request, source, reason } = live.order;
    if (!live.begun) {
      live.begun = true;
      this.running.beginSpan(source, reason, live.startedMs);
      this.#host.events.emit('source', { request, source, reason });
    }
    for (const piece of live.waiting.splice(0)) this.running.add(piece, this.#host.now());
  }

  #finished(live: LiveLeg, end: LegEnd): void {
    live.end = end;
    const { request, leg } = live.order;
    const { prefillTps: prefill_tps, decodeTps: decode_tps } = end;
    this.#host.report({ type: 'finished', request, leg, prefill_tps, decode_tps });
  }

  #failed(live: LiveLeg, error: LegError): void {
    const { request, leg } = live.order;
    this.#forget(live);
    this.#lastFailure = error;
    const { kind, retryAfterMs: retry_after_ms } = error;
    this.#host.report({ type: 'failed', request, leg, kind, retry_after_ms });
  }

  #adopt(leg: number): void {
    const live = this.#legs.get(leg);
    if (live === undefined) throw mismatch(`leg ${leg} cannot be adopted: it does not run`);
    this.#current = live;
    this.#tell(live);
  }

  #abort(leg: number): void {
    if (!this.#ordered.has(leg)) throw mismatch(`leg ${leg} cannot be aborted: it was never ordered`);
    const live = this.#legs.get(leg);
    if (live === undefined) return;
    this.#forget(live);
    clearTimeout(live.timer);
    live.leg?.abort();
  }

  #done(): void {
    const live = this.#current;
    if (live?.end === undefined) throw mismatch('the answer should be done, but its leg has not ended');
    this.#tell(live);
    this.running.finish(live.end, this.#host.now());
    this.end();
  }

  #forget(live: LiveLeg): void {
    this.#legs.delete(live.order.leg);
    if (this.#current === live) this.#current = undefined;
  }
}

/** Something else would have to be done than was decided. */
export function mismatch(what: string): InshoreError {
  return new InshoreError(
    'route_mismatch',
    `The route could not be taken as decided: ${what}. Please report this with the trace.`,
  );
}

function noIds(): LegError {
  return new LegError(
    'model_mismatch',
    'model_mismatch',
    'The answer so far cannot be continued by token ids: the endpoint that gave it told none of this model.',
  );
}

function answerReplaced(): InshoreError {
  return new InshoreError(
    'answer_replaced',
    'The answer broke off and could only begin again, which this caller does not take. Ask again, or set `inshore.accept_replace`.',
  );
}
