import { describe, expect, it, vi } from 'vitest';
import { InshoreError } from './error';
import { joinedWorker } from './joined-worker.testing';
import { type Handlers, WorkerPort } from './worker-port';

type TestCalls = { double: { in: number; out: number }; fail: { in: undefined; out: undefined } };

function pair(handlers: Handlers<TestCalls>) {
  const made = joinedWorker<TestCalls, string>(handlers);
  const listener = { onEvent: vi.fn(), onCrash: vi.fn() };
  return { ...made, listener, port: new WorkerPort<TestCalls, string>(made.worker, listener) };
}

const never = (): Promise<never> => new Promise(() => {});

describe('WorkerPort', () => {
  it('answers calls in any order and passes events on', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { port, post, listener } = pair({
      double: async (n) => {
        if (n === 1) await held;
        return n * 2;
      },
      fail: () => undefined,
    });
    const first = port.call('double', 1);
    await expect(port.call('double', 21)).resolves.toBe(42);
    release();
    await expect(first).resolves.toBe(2);
    post('hello');
    await vi.waitFor(() => expect(listener.onEvent).toHaveBeenCalledExactlyOnceWith('hello'));
  });

  it('rebuilds what a handler throws', async () => {
    const { port } = pair({
      double: (n) => n,
      fail: () => {
        throw new InshoreError('busy', 'wait');
      },
    });
    await expect(port.call('fail', undefined)).rejects.toMatchObject({ code: 'busy', message: 'wait' });
  });

  it('refuses open and later calls when the worker crashes, and says so once', async () => {
    const { crash, port, listener, joined } = pair({ double: never, fail: () => undefined });
    const open = port.call('double', 1);
    crash('unreachable');
    crash('again');
    await expect(open).rejects.toMatchObject({ code: 'worker_crashed' });
    await expect(port.call('double', 2)).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(listener.onCrash).toHaveBeenCalledOnce();
    expect(joined.terminated).toBe(1);
  });

  it('takes an unhandled rejection in the worker for a crash', async () => {
    const { scope, listener } = pair({ double: never, fail: () => undefined });
    scope.dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: new Error('lost') }));
    await vi.waitFor(() => expect(listener.onCrash).toHaveBeenCalledOnce());
    expect(listener.onCrash.mock.calls[0]?.[0]).toMatchObject({ code: 'worker_crashed', message: 'lost' });
  });

  it('closes without calling it a crash', async () => {
    const { port, listener } = pair({ double: never, fail: () => undefined });
    const open = port.call('double', 1);
    port.close();
    await expect(open).rejects.toMatchObject({ code: 'closed' });
    expect(listener.onCrash).not.toHaveBeenCalled();
  });
});

it('refuses what no worker can be sent, and goes on', async () => {
  const { port } = pair({ double: (n) => n * 2, fail: () => undefined });
  const post = (value: unknown) => port.call('double', value as number);
  await expect(post(() => 1)).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(post(Symbol('no'))).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(post(new WeakMap())).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(port.call('double', 21)).resolves.toBe(42);
});
