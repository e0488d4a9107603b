import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultConfig, Router } from '../route/router';
import type { Order, RouteConfig, RouteEvent, Snapshot } from '../route/types';
import { CloudEndpoint } from './cloud-leg';
import type { AnswerEvent, CloudOptions, InshoreEvents, Report } from './contract';
import { type Policy, RouteDispatcher, type Settings } from './dispatcher';
import { Emitter } from './emitter';
import type { Leg, LegSink, LegTask } from './leg';
import type { Running } from './running';

/** The real policy's module. */
export const routeWasm = (): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    readFileSync(
      resolve(
        import.meta.dirname,
        '../../',
        process.env.INSHORE_WASM_DIR ?? '../pkg/wasm',
        'inshore_route_bg.wasm',
      ),
    ),
  );

/** One leg that the test drives by hand. */
export interface HandDriven {
  task: LegTask;
  sink: LegSink;
  aborted: boolean;
}

/** One load of the model that the test ends by hand. */
export interface HandLoad {
  done(): void;
  failed(error: Error): void;
}

/** What a test sets up; the rest is usual. */
export interface Setup {
  config?: Partial<RouteConfig>;
  settings?: Partial<Settings>;
  cloud?: CloudOptions;
  local?: Partial<Snapshot['local']>;
  now?: () => number;
}

/** For tests: a dispatcher with the real policy and the real cloud; the engine is driven by hand, for it has to fail. */
export async function openDispatcher(setup: Setup = {}) {
  const wasm = routeWasm();
  const config = { ...(await defaultConfig(wasm)), ...setup.config };
  const router = await Router.create(wasm, config);
  const decided: Order[] = [];
  const policy: Policy = {
    push(nowMs: number, event: RouteEvent) {
      const orders = router.push(nowMs, event);
      decided.push(...orders);
      return orders;
    },
  };
  const legs: HandDriven[] = [];
  const loads: HandLoad[] = [];
  const gate = { cloudEnabled: true };
  const events = new Emitter<InshoreEvents>();
  const local = {
    modelSha256: 'ff00' as string | undefined,
    prepare: async (_mayLeave: boolean): Promise<void> => {},
    snapshot: async (): Promise<Snapshot['local']> => ({
      availability: 'available',
      key: 'engine',
      context_tokens: 2048,
      memory_fits: true,
      load_ms: 0,
      queue_ms: 0,
      estimate: { prefill_tps: 500, decode_tps: 50 },
      ...setup.local,
    }),
    start(task: LegTask, sink: LegSink): Leg {
      const leg: HandDriven = { task, sink, aborted: false };
      legs.push(leg);
      return {
        abort: () => {
          leg.aborted = true;
        },
      };
    },
    load: () =>
      new Promise<void>((done, failed) => {
        loads.push({ done, failed });
      }),
  };
  const settings: Settings = {
    mode: 'auto',
    slo: { ttft_ms: 2000, tokens_per_second: 5 },
    privacy: 'cloud_allowed',
    hedge: false,
    cloudTokens: undefined,
    cloud: setup.cloud === undefined ? undefined : new CloudEndpoint(setup.cloud, gate),
    ...setup.settings,
  };
  const dispatcher = new RouteDispatcher({
    policy,
    config,
    local,
    settings,
    events,
    gate,
    ...(setup.now !== undefined && { now: setup.now }),
  });
  return { dispatcher, legs, loads, events, decided, settings, gate, local };
}

/** What a reader saw of an answer. */
export interface Read {
  text: string;
  events: AnswerEvent[];
  replaced: number;
  report: Report | undefined;
  finishReason: string | undefined;
  usage: { prompt_tokens: number; completion_tokens: number } | undefined;
  error: { code: string; message: string } | undefined;
}

/** Reads an answer to its end or error. */
export async function readAnswer(running: Running, onEvent?: (event: AnswerEvent) => void): Promise<Read> {
  const read: Read = {
    text: '',
    events: [],
    replaced: 0,
    report: undefined,
    finishReason: undefined,
    usage: undefined,
    error: undefined,
  };
  try {
    for await (const event of running) {
      read.events.push(event);
      if (event.type === 'delta') read.text += event.text;
      if (event.type === 'replace') {
        read.text = '';
        read.replaced += 1;
      }
      if (event.type === 'end') {
        read.report = event.report;
        read.finishReason = event.finishReason;
        read.usage = event.usage;
      }
      onEvent?.(event);
    }
  } catch (error) {
    read.error = error as { code: string; message: string };
  }
  return read;
}
