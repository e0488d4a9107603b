import { afterEach, describe, expect, it, vi } from 'vitest';
import { openRecords } from '../records';
import { DeviceNames, nameOfDevice } from './device-name';

const CPU = nameOfDevice({ backend: 'flex' });
const INFO = { vendor: 'v', architecture: 'a', description: 'd' };

function stubAdapter(requestAdapter: () => Promise<{ info: typeof INFO } | null>): { asked: number } {
  const seen = { asked: 0 };
  const gpu = {
    requestAdapter: () => {
      seen.asked += 1;
      return requestAdapter();
    },
  };
  vi.stubGlobal('navigator', { gpu, hardwareConcurrency: 1 });
  return seen;
}

describe('the device that will open', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('is the adapter’s, and the browser is asked once', async () => {
    const seen = stubAdapter(async () => ({ info: INFO }));
    const names = new DeviceNames(openRecords('d', 't'), 'm');
    expect(await Promise.all([names.expected('auto'), names.expected('auto')])).toEqual([
      'wgpu v a d',
      'wgpu v a d',
    ]);
    expect(await names.expected('cpu')).toBe(CPU);
    expect(seen.asked).toBe(1);
  });

  it('is the CPU once the GPU has failed, also in the next session, until the GPU opens again', async () => {
    stubAdapter(async () => ({ info: INFO }));
    const kept = openRecords<string>('d', 't');
    const first = new DeviceNames(kept, 'm');
    expect(await first.expected('auto')).toBe('wgpu v a d');
    await first.noteOpened('auto', CPU);
    expect(await first.expected('auto')).toBe(CPU);
    const next = new DeviceNames(kept, 'm');
    expect(await next.expected('auto')).toBe(CPU);
    // Another model may fit.
    expect(await new DeviceNames(kept, 'smaller').expected('auto')).toBe('wgpu v a d');
    await next.noteOpened('auto', 'wgpu v a d');
    expect(await new DeviceNames(kept, 'm').expected('auto')).toBe('wgpu v a d');
  });

  it.each([
    ['none', async () => null],
    [
      'one that throws',
      async () => {
        throw new Error('lost');
      },
    ],
    ['one that never answers', () => new Promise<null>(() => {})],
  ])('is the CPU where the browser has %s', async (_, requestAdapter) => {
    vi.useFakeTimers();
    stubAdapter(requestAdapter);
    const expected = new DeviceNames(openRecords('d', 't'), 'm').expected('auto');
    await vi.runAllTimersAsync();
    expect(await expected).toBe(CPU);
  });
});
