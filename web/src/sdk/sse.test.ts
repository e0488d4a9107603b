import { describe, expect, it } from 'vitest';
import { readEvents } from './sse';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const endless = (): {
  body: ReadableStream<Uint8Array>;
  state: { cancelled: boolean; pulled: number };
} => {
  const state = { cancelled: false, pulled: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      state.pulled += 1;
      controller.enqueue(bytes('data: x\n\n'));
    },
    cancel() {
      state.cancelled = true;
    },
  });
  return { body, state };
};

/** A body that ignores its cancellation and whose reads never settle: no native stream, but a `fetch` may give it. */
const deaf = (): { body: ReadableStream<Uint8Array>; reads: () => number } => {
  let reads = 0;
  const reader = {
    read: () => {
      reads += 1;
      return new Promise(() => {});
    },
    cancel: () => new Promise(() => {}),
  };
  const body = { getReader: () => reader } as unknown as ReadableStream<Uint8Array>;
  return { body, reads: () => reads };
};

describe('readEvents', () => {
  it('gives the events of one read together, and an empty list for bytes without one', async () => {
    const body = new Response('data: a\n\ndata: b\n\n: ping\n\n').body as ReadableStream<Uint8Array>;
    const seen: string[][] = [];
    for await (const events of readEvents(body)) seen.push(events.map(({ data }) => data));
    expect(seen).toEqual([['a', 'b'], []]);
  });

  it('gives the events in front of a fault before it throws', async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) =>
        controller.enqueue(new Uint8Array([...bytes('data: a\n\ndata: '), 0xff, 0x0a, 0x0a])),
    });
    const seen: string[] = [];
    const read = async (): Promise<void> => {
      for await (const events of readEvents(body)) seen.push(...events.map(({ data }) => data));
    };
    await expect(read()).rejects.toThrow(/UTF-8/);
    expect(seen).toEqual(['a']);
  });

  it('cancels the body of a reader that leaves', async () => {
    const { body, state } = endless();
    for await (const events of readEvents(body)) {
      expect(events).toEqual([{ event: undefined, data: 'x' }]);
      break;
    }
    await expect.poll(() => state.cancelled).toBe(true);
  });

  it.each([0, 1])('ends and cancels when signal %i of two fires', async (which) => {
    const { body, state } = endless();
    const signals = [new AbortController(), new AbortController()];
    let events = 0;
    for await (const _ of readEvents(body, ...signals.map(({ signal }) => signal)))
      if (++events === 3) signals[which]?.abort();
    expect(events).toBe(3);
    await expect.poll(() => state.cancelled).toBe(true);
  });

  it('reads nothing once a signal has fired before', async () => {
    const { body, state } = endless();
    for await (const _ of readEvents(body, AbortSignal.abort())) expect.unreachable();
    await expect.poll(() => state.cancelled).toBe(true);
    expect(state.pulled).toBeLessThan(2);
  });

  it('ends where a body ignores its cancellation', async () => {
    const { body, reads } = deaf();
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 5);
    for await (const _ of readEvents(body, abort.signal)) expect.unreachable();
    expect(reads()).toBe(1);
  });
});
