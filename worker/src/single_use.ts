/** Remembers which tokens were spent. */
export interface SingleUse {
  /**
   * Spends a token.
   *
   * @param expiresAtS when the entry may be forgotten, in seconds since 1970
   * @returns whether this was its first use; of two calls at once, exactly one gets true
   */
  spend(id: string, expiresAtS: number): Promise<boolean>;
}

/** The part of a Durable Object namespace that is used here. */
export interface DurableNamespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(url: string, init: RequestInit): Promise<Response> };
}

/** In the memory of one process: enough where one process serves all, as on Node or a single workerd. */
export class MemorySingleUse implements SingleUse {
  // Insertion order is nearly the order of expiry, because all tokens live equally long.
  readonly #expiryById = new Map<string, number>();

  constructor(readonly nowS: () => number = () => Date.now() / 1000) {}

  /** Entries held now. */
  get size(): number {
    return this.#expiryById.size;
  }

  async spend(id: string, expiresAtS: number): Promise<boolean> {
    this.#forgetExpired();
    if (this.#expiryById.has(id)) return false;
    this.#expiryById.set(id, expiresAtS);
    return true;
  }

  #forgetExpired(): void {
    const now = this.nowS();
    for (const [id, expiresAtS] of this.#expiryById) {
      if (expiresAtS > now) return;
      this.#expiryById.delete(id);
    }
  }
}

/** In Durable Objects (`used_tokens.ts`): strongly consistent, however many isolates the host runs. */
export class DurableSingleUse implements SingleUse {
  constructor(readonly namespace: DurableNamespace) {}

  async spend(id: string, expiresAtS: number): Promise<boolean> {
    // The first two digits of the random id: 256 objects share the load.
    const object = this.namespace.get(this.namespace.idFromName(id.slice(0, 2)));
    const response = await object.fetch('https://used-tokens/', {
      method: 'POST',
      body: JSON.stringify({ id, expiresAtS }),
    });
    if (response.status === 204) return true;
    if (response.status === 409) return false;
    throw new Error(`the object of used tokens answered ${response.status}`);
  }
}
