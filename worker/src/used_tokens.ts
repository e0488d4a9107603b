/** The part of a Durable Object's state that is used here. */
interface ObjectState {
  storage: {
    get(key: string): Promise<unknown>;
    put(key: string, value: number): Promise<void>;
    list(): Promise<Map<string, unknown>>;
    delete(keys: string[]): Promise<number>;
    getAlarm(): Promise<number | null>;
    setAlarm(atMs: number): Promise<void>;
  };
}

/** `delete` takes so many keys at once. */
const DELETE_BATCH = 128;
/** Expired entries are dropped so often. */
const SWEEP_MS = 60_000;

/**
 * The Durable Object that remembers used tokens: `{ id, expiresAtS }` comes in, 204 goes out at the first use and 409 at
 * every other. The runtime lets no second request in between `get` and `put`, so of two at once one wins.
 */
export class UsedTokens {
  readonly #storage: ObjectState['storage'];

  constructor(state: ObjectState) {
    this.#storage = state.storage;
  }

  async fetch(request: Request): Promise<Response> {
    const { id, expiresAtS } = (await request.json()) as { id: string; expiresAtS: number };
    if ((await this.#storage.get(id)) !== undefined) return new Response(null, { status: 409 });
    await this.#storage.put(id, expiresAtS);
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
    return new Response(null, { status: 204 });
  }

  /** Forgets what has expired: such a token is refused for its age. */
  async alarm(): Promise<void> {
    const entries = [...(await this.#storage.list())] as [string, number][];
    const nowS = Date.now() / 1000;
    const expired = entries.filter(([, expiresAtS]) => expiresAtS <= nowS).map(([id]) => id);
    for (let start = 0; start < expired.length; start += DELETE_BATCH) {
      await this.#storage.delete(expired.slice(start, start + DELETE_BATCH));
    }
    if (expired.length < entries.length) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
  }
}
