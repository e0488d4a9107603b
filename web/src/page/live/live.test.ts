import { describe, expect, it } from 'vitest';
import type { Report } from '../../sdk/contract';
import { linePath, pieces, scale, ticks } from './chart-geometry';
import { Measurements, offBy } from './measurements';

const report: Report = {
  source: 'on_device',
  reason: 'meets_slo',
  spans: [],
  predicted: { ttftMs: 200, decodeTps: null },
  timings: { ttftMs: 250, totalMs: 1000, decodeTps: 12 },
  handovers: 0,
};

describe('chart geometry', () => {
  it('scales, also upside down and without extent', () => {
    expect(scale([0, 10], [100, 0])(2.5)).toBe(75);
    expect(scale([3, 3], [0, 100])(3)).toBe(50);
  });

  it.each([
    [0, [0, 1]],
    [Number.NaN, [0, 1]],
    [1, [0, 0.25, 0.5, 0.75, 1]],
    [97, [0, 25, 50, 75, 100]],
    [430, [0, 200, 400, 600]],
    [4000, [0, 1000, 2000, 3000, 4000]],
    [0.07, [0, 0.02, 0.04, 0.06, 0.08]],
  ])('round ticks up to %d', (max, list) => expect(ticks(max)).toEqual(list));

  it('ticks always reach the value and stay few', () => {
    for (let value = 0.001; value < 1e7; value *= 1.37) {
      const list = ticks(value);
      expect(list.at(-1)).toBeGreaterThanOrEqual(value * 0.999);
      expect(list.length).toBeLessThanOrEqual(6);
    }
  });

  it('a line breaks where there is no value', () => {
    const same = (value: number): number => value;
    const points = [1, Number.NaN, 2, 3].map((y, x) => ({ x, y }));
    expect(linePath(points, same, same)).toBe('M0 1M2 2L3 3');
  });

  it('pieces join at their ends', () => {
    const points = ['a', 'a', 'b'].map((kind, x) => ({ x, y: x, kind }));
    expect(pieces(points).map((piece) => [piece.kind, piece.points.map(({ x }) => x)])).toEqual([
      ['a', [0, 1]],
      ['b', [1, 2]],
    ]);
  });
});

describe('Measurements', () => {
  it('speed over the last moments, not mixed over a hand-over', () => {
    const seen = new Measurements();
    seen.begin(0);
    for (let now = 500; now <= 5000; now += 100) seen.tokens('on_device', 1, now);
    expect(seen.liveTps(5000)).toBeCloseTo(10);
    expect(seen.liveTps(9000)).toBeLessThan(4);
    seen.handover(9000);
    expect(seen.liveTps(9000)).toBeUndefined();
    seen.tokens('in_cloud', 1, 9100);
    seen.tokens('in_cloud', 5, 9200);
    expect(seen.liveTps(9200)).toBeCloseTo(50);
    expect(seen.handovers).toEqual([9000]);
    expect(seen.samples.at(-1)).toMatchObject({ kind: 'in_cloud', x: 9200, answer: 1 });
  });

  it('time between answers takes no room', () => {
    const seen = new Measurements();
    seen.begin(1000);
    seen.end(3000, report, new Date(0));
    seen.begin(900_000);
    seen.tokens('on_device', 1, 900_100);
    seen.tokens('on_device', 1, 900_200);
    expect(seen.samples.at(-1)?.x).toBe(2200);
    expect(seen.answers).toHaveLength(1);
    expect(seen.answers[0]).toMatchObject({
      answer: 1,
      ttftMs: 250,
      predictedTtftMs: 200,
      predictedTps: undefined,
    });
  });

  it('keeps no more than it shows', () => {
    const seen = new Measurements();
    for (let answer = 0; answer < 100; answer++) {
      seen.begin(0);
      for (let now = 1; now < 20; now++) seen.tokens('on_device', 1, now);
      seen.end(20, report, new Date(0));
    }
    expect(seen.answers.length).toBe(60);
    expect(seen.samples.length).toBe(240);
    expect(seen.count).toBe(100);
  });

  it('how far a prediction was off', () => {
    expect(offBy(200, 250)).toBe(25);
    expect(offBy(200, 150)).toBe(-25);
    expect(offBy(undefined, 150)).toBeUndefined();
    expect(offBy(0, 150)).toBeUndefined();
  });
});
