import { describe, expect, it } from 'vitest';
import type { FailureKind, Mode, Order, RouteConfig, RouteEvent, TraceLine } from '../route/types';
import { Trace } from './trace';

const CONFIG = { stall_ms: 1 } as RouteConfig;
const numbers = (lines: readonly TraceLine[]): number[] =>
  lines.flatMap((line) => ('now_ms' in line ? [line.now_ms] : []));

describe('a full trace', () => {
  it.each([
    [3, 3, undefined],
    [3, 4, 1],
    [3, 10, 7],
    [1, 5, 4],
  ])('of %i lines keeps the latest of %i and counts the dropped', (maxLines, added, dropped) => {
    const trace = new Trace(CONFIG, { maxLines });
    for (let at = 1; at <= added; at++) trace.add(at, { type: 'wake' }, []);
    const [first, ...rest] = trace.lines;
    expect(first).toEqual({ config: CONFIG, ...(dropped !== undefined && { dropped }) });
    const kept = Math.min(maxLines, added);
    expect(numbers(rest)).toEqual(Array.from({ length: kept }, (_, at) => added - kept + 1 + at));
    expect(JSON.parse(trace.toJsonl().split('\n')[0] ?? '')).toEqual(first);
    expect(trace.toJsonl().trimEnd().split('\n')).toHaveLength(kept + 1);
  });

  it('still shows every line to a listener', () => {
    const seen: TraceLine[] = [];
    const trace = new Trace(CONFIG, { maxLines: 2, onLine: (line) => seen.push(line) });
    for (let at = 1; at <= 5; at++) trace.add(at, { type: 'wake' }, []);
    expect(numbers(seen)).toEqual([1, 2, 3, 4, 5]);
  });
});

/** Mulberry32: the same seed, the same texts. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ALPHABET = [
  ...'abcdefghijklmnopqrstuvwxyzABCXYZ0123456789/?&=:.-_%@ \n"\\',
  'é',
  'ß',
  '漢',
  '😀',
  '\u2028',
];

describe('nothing that somebody wrote is in a trace', () => {
  /** Texts of at least eight characters, so that none is a part of a word of the policy by chance. */
  function* secrets(next: () => number): Generator<string, never> {
    for (;;) {
      const length = 8 + Math.floor(next() * 20);
      yield Array.from({ length }, () => ALPHABET[Math.floor(next() * ALPHABET.length)]).join('');
    }
  }

  /** Every event and order that has a field for a name, and words that are none of the policy's. */
  function lines(text: () => string): [RouteEvent, Order[]][] {
    const spec = {
      mode: text() as Mode,
      slo: { ttft_ms: 1, tokens_per_second: 1 },
      privacy: text() as 'local_only',
      prompt_tokens: 3,
      conversation: text(),
      hedge: false,
      local_lacks: [text(), 'tools'],
      // What a later version may add.
      extra: { note: text(), list: [text()] },
    };
    const local = {
      availability: 'available' as const,
      key: text(),
      memory_fits: null,
      load_ms: 0,
      queue_ms: 0,
    };
    const cloud = {
      source: 'in_cloud' as const,
      key: `https://${text()}?${text()}`,
      continuation: 'none' as const,
    };
    const world = { cloud_enabled: true, online: true, hidden: false };
    return [
      [{ type: 'begin', request: 1, spec, snapshot: { local, cloud, ...world } }, []],
      [
        { type: 'load_ended', key: text(), kind: text() as FailureKind },
        [{ type: 'load', key: text(), reason: 'offline' }],
      ],
      [{ type: 'wake' }, [{ type: 'breaker', key: text(), state: 'open', until_ms: 1 }]],
      [{ type: 'failed', request: 1, leg: 1, kind: text() as FailureKind }, []],
    ];
  }

  it('over 200 random traces', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const source = secrets(randomOf(seed));
      const told: string[] = [];
      const text = (): string => {
        const { value } = source.next();
        told.push(value);
        return value;
      };
      const trace = new Trace(CONFIG);
      for (const [event, orders] of lines(text)) trace.add(1, event, orders);
      const jsonl = trace.toJsonl();
      const plain = JSON.stringify(trace.lines.map((line) => Object.values(line)));
      for (const secret of told) {
        for (let at = 0; at + 6 <= secret.length; at++) {
          const part = secret.slice(at, at + 6);
          expect(jsonl.includes(JSON.stringify(part).slice(1, -1)) || plain.includes(part)).toBe(false);
        }
      }
    }
  });

  it('and equal names stay equal, so that a replay decides alike', () => {
    const trace = new Trace(CONFIG);
    const breaker = (key: string): Order => ({ type: 'breaker', key, state: 'open' });
    trace.add(1, { type: 'load_ended', key: 'gpu | secret.gguf' }, [
      breaker('gpu | secret.gguf'),
      breaker('other'),
    ]);
    const [line] = trace.lines.slice(1) as { event: { key: string }; orders: { key: string }[] }[];
    expect(line?.orders[0]?.key).toBe(line?.event.key);
    expect(line?.orders[1]?.key).not.toBe(line?.event.key);
  });

  it('while the words of the policy stay readable', () => {
    const trace = new Trace(CONFIG);
    const event: RouteEvent = {
      type: 'failed',
      request: 1,
      leg: 1,
      kind: 'worker_crashed',
      retry_after_ms: 5,
    };
    const orders: Order[] = [
      { type: 'fail', request: 1, reason: 'local_breaker_open', last: 'worker_crashed' },
    ];
    trace.add(2, event, orders);
    expect(trace.lines[1]).toEqual({ now_ms: 2, event, orders });
  });
});
