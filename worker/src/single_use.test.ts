import { describe, expect, it } from 'vitest';
import { RateLimit } from './rate_limit';
import { type DurableNamespace, DurableSingleUse, MemorySingleUse } from './single_use';
import { UsedTokens } from './used_tokens';

describe('used tokens in memory', () => {
  it('are remembered until they expire, and then forgotten', async () => {
    let nowS = 100;
    const used = new MemorySingleUse(() => nowS);
    expect([await used.spend('a', 160), await used.spend('a', 160)]).toEqual([true, false]);
    nowS = 159;
    expect([await used.spend('a', 160), await used.spend('b', 220), used.size]).toEqual([false, true, 2]);
    nowS = 161;
    expect([await used.spend('c', 230), used.size]).toEqual([true, 2]);
  });
});

describe('used tokens in a Durable Object', () => {
  // The tests on workerd run the object itself; only its alarm, a minute later, needs a storage that is played.
  function object() {
    const entries = new Map<string, number>();
    let alarmMs: number | null = null;
    const storage = {
      get: async (key: string) => entries.get(key),
      put: async (key: string, value: number) => void entries.set(key, value),
      list: async () => new Map<string, unknown>(entries),
      delete: async (keys: string[]) => {
        if (keys.length > 128) throw new Error('at most 128 keys');
        for (const key of keys) entries.delete(key);
        return keys.length;
      },
      getAlarm: async () => alarmMs,
      setAlarm: async (atMs: number) => {
        alarmMs = atMs;
      },
    };
    const ring = () => {
      alarmMs = null;
    };
    return { used: new UsedTokens({ storage }), entries, alarm: () => alarmMs, ring };
  }

  const spend = (used: UsedTokens, id: string, expiresAtS: number) =>
    used.fetch(
      new Request('https://used-tokens/', { method: 'POST', body: JSON.stringify({ id, expiresAtS }) }),
    );

  it('are swept by its alarm until none is left', async () => {
    const { used, entries, alarm, ring } = object();
    const nowS = Date.now() / 1000;
    for (let id = 0; id < 300; id += 1) expect((await spend(used, `old-${id}`, nowS - 1)).status).toBe(204);
    expect((await spend(used, 'new', nowS + 60)).status).toBe(204);
    expect(alarm()).toBeGreaterThan(Date.now());
    ring();
    await used.alarm();
    expect([...entries.keys()]).toEqual(['new']);
    expect(alarm(), 'it looks again').not.toBeNull();
    entries.set('new', nowS - 1);
    ring();
    await used.alarm();
    expect([entries.size, alarm()]).toEqual([0, null]);
  });

  it('fail closed where the object fails', async () => {
    const namespace: DurableNamespace = {
      idFromName: (name) => name,
      get: () => ({ fetch: async () => new Response(null, { status: 500 }) }),
    };
    await expect(new DurableSingleUse(namespace).spend('id', 1)).rejects.toThrow('answered 500');
  });
});

describe('the brake on minting', () => {
  it('counts each client in windows of a minute', () => {
    let nowMs = 0;
    const limit = new RateLimit(2, () => nowMs);
    expect([limit.take('a'), limit.take('a'), limit.take('b')]).toEqual([undefined, undefined, undefined]);
    nowMs = 20_000;
    expect(limit.take('a')).toBe(40);
    nowMs = 60_000;
    expect(limit.take('a')).toBeUndefined();
    expect(new RateLimit(0).take('a')).toBeUndefined();
  });
});
