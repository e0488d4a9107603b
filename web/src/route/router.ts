import init, { defaultConfig as defaultConfigJson, Router as Policy } from '#route-wasm';
import { InshoreError } from '../error';
import type { ErrorCode } from '../protocol/error-codes';
import type { Order, RouteConfig, RouteEvent } from './types';

/** Where the policy's module is: its address, its bytes, or the compiled module. In Node an address must be fetchable. */
export type RouteWasm = string | URL | BufferSource | WebAssembly.Module;

/**
 * The deferral policy of `crates/inshore-route`. Tell it every event with its time; carry out every order as it stands.
 * The same events at the same times give the same orders, so a recorded trace can be replayed.
 */
export class Router {
  readonly #policy: Policy;

  private constructor(policy: Policy) {
    this.#policy = policy;
  }

  /**
   * Loads the module (once a page) and makes a policy without history.
   *
   * @throws InshoreError `route_unavailable`: the module cannot be loaded; `invalid_policy`: a constant is unknown or out of range.
   */
  static async create(wasm: RouteWasm, config: Partial<RouteConfig> = {}): Promise<Router> {
    await load(wasm);
    try {
      return new Router(new Policy(JSON.stringify(config)));
    } catch (cause) {
      throw failure('invalid_policy', 'the constants of the routing policy are not lawful', cause);
    }
  }

  /**
   * Tells the policy what happened, and returns what is to be done, in order. `nowMs` is in ms on any clock, the same one
   * for all calls; a time that runs backwards counts as standing still. Events of unknown requests and legs give no orders.
   *
   * @throws InshoreError `invalid_event`: the event is not in the language of `types.ts`; the policy is as before.
   */
  push(nowMs: number, event: RouteEvent): Order[] {
    let orders: string;
    try {
      orders = this.#policy.push(nowMs, JSON.stringify(event));
    } catch (cause) {
      throw failure('invalid_event', `the routing policy does not understand a ${event.type} event`, cause);
    }
    return JSON.parse(orders);
  }

  /** Frees its memory in the module. It must not be used afterwards. */
  free(): void {
    this.#policy.free();
  }
}

/** Every constant with its default. */
export async function defaultConfig(wasm: RouteWasm): Promise<RouteConfig> {
  await load(wasm);
  return JSON.parse(defaultConfigJson());
}

async function load(wasm: RouteWasm): Promise<void> {
  try {
    await init({ module_or_path: wasm });
  } catch (cause) {
    throw failure('route_unavailable', 'the routing policy (inshore_route_bg.wasm) cannot be loaded', cause);
  }
}

function failure(code: ErrorCode, what: string, cause: unknown): InshoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new InshoreError(code, `${what}: ${why}`, { cause });
}
