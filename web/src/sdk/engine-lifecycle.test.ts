import { describe, expect, it } from 'vitest';
import type { Session } from '../engine/session';
import { InshoreError } from '../error';
import { EngineLifecycle, type EngineSetup } from './engine-lifecycle';

const AUTO: EngineSetup = { device: 'auto', contextTokens: undefined };

/** Engines that open when the test says so. */
function openLife(setup = AUTO) {
  const opened: {
    setup: EngineSetup;
    signal: AbortSignal;
    done(): Session;
    failed(error: Error): void;
    closed: number;
  }[] = [];
  const states: string[] = [];
  const ready: EngineSetup[] = [];
  const life = new EngineLifecycle({
    setup,
    find: async () => ({ key: 'k', complete: true }),
    open: (_key, asked, { signal }) =>
      new Promise((resolve, reject) => {
        const one = {
          setup: asked,
          signal,
          closed: 0,
          done: () => {
            const close = (): void => {
              one.closed += 1;
            };
            const engine = { close, onCrash: undefined };
            const session = { engine, device: {}, info: {} } as unknown as Session;
            resolve(session);
            return session;
          },
          failed: reject,
        };
        opened.push(one);
      }),
    onState: ({ state }) => void states.push(state),
    onLoading: () => {},
    onReady: () => void ready.push(life.setup),
  });
  const opening = async (number: number) => {
    await expect.poll(() => opened.length).toBe(number);
    return opened[number - 1] as (typeof opened)[number];
  };
  return { life, opened, opening, states, ready };
}

describe('one engine, whoever asks for it', () => {
  it('is opened once by callers who want the same', async () => {
    const { life, opening, opened } = openLife();
    const both = [life.open(), life.open()];
    const session = (await opening(1)).done();
    expect(await Promise.all(both)).toEqual([session, session]);
    expect(await life.open()).toBe(session);
    expect(opened.length).toBe(1);
  });

  it.each<[string, Partial<EngineSetup>]>([
    ['device', { device: 'cpu' }],
    ['context', { contextTokens: 1024 }],
    ['KV cache', { kvCache: 'f32' }],
  ])('opens and records the same setup where another %s is wanted in the middle', async (_, change) => {
    const { life, opening, opened, ready } = openLife();
    const first = life.open();
    const one = await opening(1);
    const wanted = { ...AUTO, ...change };
    const second = life.open(wanted);
    expect(one.signal.aborted).toBe(true);
    // The first one opens all the same: it must not become the engine of the second setup.
    one.done();
    const session = (await opening(2)).done();
    expect(await Promise.all([first, second])).toEqual([session, session]);
    expect(one.closed).toBe(1);
    expect(life.setup).toEqual(wanted);
    expect(opened[1]?.setup).toEqual(wanted);
    expect(ready).toEqual([wanted]);
    expect(await life.open(wanted)).toBe(session);
    expect(opened.length).toBe(2);
  });

  it('follows the later opening where the earlier one fails', async () => {
    const { life, opening } = openLife();
    const first = life.open();
    const one = await opening(1);
    const second = life.open({ ...AUTO, device: 'cpu' });
    one.failed(new InshoreError('closed', 'The worker was closed.'));
    const session = (await opening(2)).done();
    expect(await Promise.all([first, second])).toEqual([session, session]);
  });
});

describe('an engine that is ended while it opens', () => {
  it.each([
    ['close', 'closed'],
    ['destroy', 'destroyed'],
  ] as const)('by %s does not come alive afterwards', async (how, code) => {
    const { life, opening, states } = openLife();
    const waiting = life.open();
    waiting.catch(() => {});
    const one = await opening(1);
    life[how]();
    one.done();
    await expect(waiting).rejects.toMatchObject({ code });
    expect(one.closed).toBe(1);
    expect(life.session).toBeUndefined();
    expect(states).toEqual(['opening', 'closed']);
  });

  it('opens again after close, and never after destroy', async () => {
    const { life, opening } = openLife();
    life.open().catch(() => {});
    (await opening(1)).signal.addEventListener('abort', () => {});
    life.close();
    const again = life.open();
    const session = (await opening(2)).done();
    expect(await again).toBe(session);
    life.destroy();
    await expect(life.open()).rejects.toMatchObject({ code: 'destroyed' });
  });
});

it('an engine that is lost late does not end its successor', async () => {
  const { life, opening } = openLife();
  const first = life.open();
  const old = (await opening(1)).done();
  await first;
  life.lose(old, undefined);
  const second = life.open();
  const session = (await opening(2)).done();
  await second;
  life.lose(old, undefined);
  expect(life.session).toBe(session);
  expect(life.losses).toBe(1);
});

it('an opening that fails leaves room for another', async () => {
  const { life, opening, states } = openLife();
  const first = life.open();
  (await opening(1)).failed(new InshoreError('out_of_memory', 'No room.'));
  await expect(first).rejects.toMatchObject({ code: 'out_of_memory' });
  const second = life.open();
  (await opening(2)).done();
  await second;
  expect(states).toEqual(['opening', 'closed', 'opening', 'ready']);
});
