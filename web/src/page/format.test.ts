import { describe, expect, it } from 'vitest';
import {
  formatAdapter,
  formatBackend,
  formatBytes,
  formatEnd,
  formatMs,
  formatTps,
  formatWait,
} from './format';
import { readQuery } from './query';
import { SpeedMeter } from './speed';

describe('words for figures', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9949, '9.9 kB'],
    [9951, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [98_362_432, '98 MB'],
    [4_200_000_000, '4.2 GB'],
  ])('%i bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('times and speeds', () => {
    expect(formatMs(85.4)).toBe('85 ms');
    expect(formatMs(420)).toBe('0.42 s');
    expect(formatWait(0.2)).toBe('1 s');
    expect(formatWait(200)).toBe('3 min 20 s');
    expect(formatTps(12.34)).toBe('12.3 tok/s');
    expect(formatTps(Number.NaN)).toBe('– tok/s');
    expect(formatTps(0)).toBe('– tok/s');
  });

  it('the line under an answer', () => {
    const timings = { ttftMs: 420, decodeTps: 12.3, completionTokens: 1 };
    expect(formatEnd({ finishReason: 'stop', timings })).toBe('TTFT 0.42 s · 12.3 tok/s · 1 token');
    expect(formatEnd({ finishReason: 'cancelled', timings })).toMatch(/ · stopped$/);
  });

  it('the device', () => {
    const adapter = { vendor: 'google', architecture: 'swiftshader', description: '', software: true };
    expect(formatAdapter({ backend: 'wgpu', name: 'x', adapter })).toBe('google swiftshader (software)');
    expect(formatAdapter({ backend: 'flex', name: 'CPU, 1 thread(s)' })).toBe('CPU, 1 thread(s)');
    expect(formatBackend({ backend: 'flex', name: '' })).toBe('WASM SIMD');
  });
});

describe('SpeedMeter', () => {
  it('gives rate and time left over its window', () => {
    const meter = new SpeedMeter(2000);
    expect(meter.rate()).toBeUndefined();
    for (let second = 0; second <= 10; second++)
      meter.add(second < 5 ? second * 1000 : 5000 + (second - 5) * 100, second * 1000);
    expect(meter.rate()).toBe(100);
    expect(meter.secondsTo(6000)).toBe(5);
  });

  it('begins anew when the count falls back', () => {
    const meter = new SpeedMeter();
    meter.add(900, 0);
    meter.add(0, 1000);
    expect(meter.rate()).toBeUndefined();
    meter.add(50, 2000);
    expect(meter.rate()).toBe(50);
  });
});

describe('readQuery', () => {
  it('reads the address line', () => {
    expect(readQuery('')).toEqual({
      device: 'auto',
      threads: undefined,
      kvCache: undefined,
      model: undefined,
      sha256: undefined,
      autoload: false,
    });
    expect(readQuery('?device=cpu&kvCache=f32&model=%2Fm.gguf&autoload=1')).toMatchObject({
      device: 'cpu',
      kvCache: 'f32',
      model: '/m.gguf',
      autoload: true,
    });
  });

  it('refuses a device that there is not', () => {
    expect(() => readQuery('?device=npu')).toThrow(expect.objectContaining({ code: 'bad_device' }));
    expect(() => readQuery('?kvCache=q8')).toThrow(expect.objectContaining({ code: 'bad_kv_cache' }));
  });
});
